"""Colours that are declared without a profile: as the profile they stand for.

A PNG has `cICP`, or `gAMA` and `cHRM`; AVIF and HEIC have the numbers of `cICP`.
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from wm_lightning.images.png import chunks

Floats = npt.NDArray[np.float64]

# White, red, green and blue, each x and y, by the numbers of `cICP` (ITU-T H.273)
SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
PRIMARIES = {
    1: SRGB,
    9: (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    12: (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}  # fmt: skip
D50 = np.array([0.9642, 1.0, 0.8249])  # the white of profiles
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
# Of sRGB, as a function of ICC's third kind: ((value + 0.055) / 1.055) ** 2.4, and value / 12.92 below
CURVE_OF_SRGB = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
LINEAR, SRGB_TRANSFER = 8, 13
OF_VIDEO = (1, 6, 14, 15)  # transfers that viewers show as that of sRGB
AS_SRGB = tuple((1, transfer) for transfer in (SRGB_TRANSFER, *OF_VIDEO))  # primaries and transfer


def declared_profile(file: bytes) -> bytes | None:
    """Returns the profile that a PNG file's chunks stand for; None where they say sRGB, nothing, or what none is for.

    A profile of the file's own comes before; so does `sRGB`, as in viewers.
    """
    found = {kind: data for kind, data in chunks(file) if kind in (b"cICP", b"sRGB", b"iCCP", b"gAMA", b"cHRM")}
    grey = file[25] in (0, 4)  # of the header
    try:
        if b"cICP" in found:
            primaries, transfer = found[b"cICP"][:2]
            return numbered_profile(primaries, transfer, grey)
        if b"gAMA" not in found or found.keys() & {b"sRGB", b"iCCP"}:
            return None
        (gamma,) = struct.unpack(">I", found[b"gAMA"])
        places = [one / 100_000 for one in struct.unpack(">8I", found[b"cHRM"])] if b"cHRM" in found else SRGB
        # 1 / 2.2 is how sRGB is written there.
        curve = CURVE_OF_SRGB if abs(gamma - 45_455) < 500 else (100_000 / gamma,)
        return _profile(curve, tuple(places), grey)
    except (struct.error, ValueError, ZeroDivisionError, np.linalg.LinAlgError):
        return None


def declared_transfer(kind: str | None, file: bytes, profile: bytes | None) -> int | None:
    """Returns how values stand for light by the number of ITU-T H.273, of a PNG's or a profile's `cicp`; None without.

    Args:
        kind: Pillow's name of the file's format.
        file: Its content.
        profile: ICC.
    """
    found = [data[1:2] for name, data in chunks(file) if name == b"cICP"] if kind == "PNG" else []
    table = (profile or b"")[128:]
    for at in range(4, 4 + 12 * min(int.from_bytes(table[:4], "big"), 100), 12):
        if table[at : at + 4] == b"cicp":  # the place of a tag; its name, four zeros, and the numbers, transfer second
            place = int.from_bytes(table[at + 4 : at + 8], "big")
            found.append((profile or b"")[place + 9 : place + 10])
    return next((one[0] for one in found if one), None)


def numbered_profile(primaries: int, transfer: int, grey: bool) -> bytes | None:
    """Returns the profile that numbers of ITU-T H.273 stand for; None where none is for them."""
    if primaries not in PRIMARIES or transfer not in (LINEAR, SRGB_TRANSFER, *OF_VIDEO):
        return None
    return _profile((1.0,) if transfer == LINEAR else CURVE_OF_SRGB, PRIMARIES[primaries], grey)


def _profile(curve: tuple[float, ...], places: tuple[float, ...], grey: bool) -> bytes:
    kind = 3 if len(curve) > 1 else 0
    trc = b"para" + bytes(4) + struct.pack(">HH", kind, 0) + b"".join(map(_fixed, curve))
    text = b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", 6, 28) + "PNG".encode("utf-16-be")
    tags = {b"desc": text + bytes(2), b"cprt": text + bytes(2), b"wtpt": _xyz(D50)}
    if grey:
        tags[b"kTRC"] = trc
    else:
        columns = _colorants(places).T
        tags |= {name + b"XYZ": _xyz(column) for name, column in zip((b"r", b"g", b"b"), columns, strict=True)}
        tags |= {name + b"TRC": trc for name in (b"r", b"g", b"b")}
    table, data, at = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, value in tags.items():
        table += struct.pack(">4sII", name, at + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    # Version 4, of a screen; no time at which it was made, so that it is the same each time.
    head = struct.pack(">I4sI4s4s4s", 0, b"", 0x04200000, b"mntr", b"GRAY" if grey else b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + b"".join(map(_fixed, D50))
    body = head.ljust(128, b"\0")[4:] + table + data
    return struct.pack(">I", len(body) + 4) + body


def _colorants(places: tuple[float, ...]) -> Floats:
    """Returns red, green and blue, each a column of X, Y and Z, as seen where the white is D50."""
    x, y = np.array(places[::2]), np.array(places[1::2])
    with np.errstate(all="ignore"):  # of zeros comes no number, which is refused then
        white, *colours = np.stack((x / y, np.ones(4), (1 - x - y) / y), axis=-1)
    primaries = np.array(colours).T
    scaled: Floats = primaries * np.linalg.solve(primaries, white)
    cones = (BRADFORD @ D50) / (BRADFORD @ white)
    adapted: Floats = np.linalg.inv(BRADFORD) @ np.diag(cones) @ BRADFORD @ scaled
    return adapted


def _xyz(values: Floats) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(map(_fixed, values))


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(float(value) * 65_536))
