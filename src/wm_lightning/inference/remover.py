"""The Python interface: pictures in, pictures without their watermarks out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from wm_lightning.errors import ArgumentError, UnreadableError, UserError, named
from wm_lightning.extras import needing
from wm_lightning.images.decoding import DEEP_GREY, orientation_of, plain, turned, turned_back
from wm_lightning.images.profiles import colours_of
from wm_lightning.images.tiff import ORIENTATION
from wm_lightning.inference.choices import DEFAULT, ENGINES
from wm_lightning.inference.cleaning import Cleaned
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.given_masks import as_allowed
from wm_lightning.inference.known import NoEngine, clean, needs_network
from wm_lightning.inference.marks import Mark
from wm_lightning.inference.search import Search, as_scales, as_sensitivity
from wm_lightning.inference.tta_engine import AugmentedEngine, check_tta
from wm_lightning.mark.known import KnownMark, load_mark

if TYPE_CHECKING:
    import torch

    Kind = TypeVar("Kind", npt.NDArray[Any], Image.Image, torch.Tensor)
else:
    Kind = TypeVar("Kind")

EngineName = Literal["auto", "torch", "onnx"]
ROUNDING = 1e-3  # how far floating pixels may pass 0..1


class Removal(NamedTuple, Generic[Kind]):
    """A picture without its watermarks.

    Attributes:
        image: A picture of the same kind, size and type as the input; pixels that no mark touches are the same to the
            bit.
        mask: How sure it is that a pixel was marked: an array (H, W) uint8 in 0..255, a Pillow picture of mode L, or a
            tensor (1, H, W) or (B, 1, H, W) in 0..1.
        marks: What was removed, the largest first; for a batch, a tuple for each picture.
    """

    image: Kind
    mask: Kind
    marks: tuple[Mark, ...] | tuple[tuple[Mark, ...], ...] = ()


class Remover:
    """Removes visible watermarks from pictures of any size.

    ``Remover().remove(picture).image`` is all there is to it.

    Args:
        weights: A ``.safetensors`` file, a checkpoint, an exported ``.onnx`` file, or the name of weights that come
            with this project.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``, or PyTorch's own of these; ``auto`` takes a GPU
            where there is one.
        engine: ``torch``, or ``onnx`` for ONNX Runtime, which needs no PyTorch; ``auto`` takes PyTorch where it is
            installed, unless the weights are an ``.onnx`` file.
        tta: How many mirrored and rotated copies of a picture to take the mean over: 1, 2, 4 or 8. More is better and
            slower, see :class:`~wm_lightning.inference.tta_engine.AugmentedEngine`.
        sensitivity: ``low``, ``normal``, ``high``, or a number in 0..1: how little evidence a mark needs to be removed.
            docs/predict.md says what that means in misses and false alarms.
        scales: How many sizes of a picture are looked at, including its own: ``auto``, or a number from 1. Large marks
            are found on reduced pictures.
        trust: Packages beside this one whose networks the weights may be of.
        mark: The mark that the pictures have, or the path of its file. Then only this mark is removed, sensitivity and
            scales have no effect, and no network is opened unless the mark hides what is beneath it.

    Raises:
        UserError: The weights, the device or the engine's package are not there, the mark's file is
            damaged, or there is no such sensitivity, or number of copies or scales.
    """

    def __init__(
        self,
        weights: str = DEFAULT,
        device: str | torch.device = "auto",
        engine: EngineName = "auto",
        tta: int = 1,
        sensitivity: str | float = "normal",
        scales: str | int = "auto",
        trust: Sequence[str] = (),
        mark: KnownMark | str | Path | None = None,
    ) -> None:
        self.mark = load_mark(mark) if isinstance(mark, str | Path) else mark
        self.search = Search(as_sensitivity(sensitivity), as_scales(scales))
        self.engine = open_engine(weights, device, engine, tta, trust) if needs_network(self.mark) else NoEngine()

    def remove(self, image: Kind, mask: Any = None, strength: float = 1.0) -> Removal[Kind]:  # noqa: ANN401 - of any kind
        """Removes the watermarks of a picture.

        Args:
            image: An array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of uint8, uint16, or floating in 0..1; a Pillow
                picture; a tensor (3, H, W) or (B, 3, H, W), uint8, or floating in 0..1. Colours are sRGB, red first;
                those of a Pillow picture are of its profile, and it is looked at as its EXIF turns it, but stays
                turned and keeps both. Transparency stays as it is.
            mask: Where pixels may change, of the picture's height and width: an array, Pillow picture or tensor, of
                booleans, of bytes (in wider integers too), of uint16, or in 0..1. None allows it everywhere.
            strength: How much of a mark is taken away, 0..1.

        Raises:
            UserError: The picture or the mask has another shape, type or range, or the strength another range; or the
                network answers with what are no numbers.
            UnreadableError: A Pillow picture was not decoded yet, and is damaged.
            UnsupportedError: A Pillow picture has values whose range is not known.
        """
        if not 0 <= strength <= 1:
            raise ArgumentError("{strength}={} must be in 0..1.", strength)
        if isinstance(image, Image.Image):
            return self._pillow(image, mask, strength)
        if isinstance(image, np.ndarray):
            return Removal(*self._array(image, mask, strength))
        return self._tensor(image, mask, strength)

    def remove_many(
        self, images: Iterable[Kind], masks: Iterable[Any] | None = None, strength: float = 1.0
    ) -> Iterator[Removal[Kind] | UserError]:
        """Removes the watermarks of pictures one after the other; one that fails does not end the others.

        Args:
            images: As for :meth:`remove`, each of any kind and size; they are asked for one at a time.
            masks: As many, of which each may be None; None for none at all.
            strength: How much of a mark is taken away, 0..1.

        Yields:
            In their order, what :meth:`remove` returns or why it does not; an error that nobody thought of is the
            cause of a UserError.
        """
        pairs = ((image, None) for image in images) if masks is None else zip(images, masks, strict=True)
        for number, (image, mask) in enumerate(pairs):
            try:
                outcome: Removal[Kind] | UserError = self.remove(image, mask, strength)
            except UserError as error:
                outcome = error
            except Exception as error:  # the others go on
                outcome = UserError(f"Picture {number} failed: {type(error).__name__}: {error}.")
                outcome.__cause__ = error
            yield outcome

    def _pillow(self, image: Image.Image, mask: Any, strength: float) -> Removal[Image.Image]:  # noqa: ANN401
        """Looks at a picture as a viewer shows it; returns one that is turned, coloured and described like it."""
        try:
            image.load()  # which turns a TIFF
            orientation = orientation_of(image)
            shown, profile = plain(image, [], image.info.get("icc_profile"))
        except UserError as error:
            raise named(_name_of(image), error) from error
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise UnreadableError(f"{_name_of(image)} is damaged or cut short: {error}.") from error
        stored = np.asarray(shown).astype(np.uint16) if shown.mode in DEEP_GREY else np.asarray(shown)
        planes = turned(stored[..., None] if stored.ndim == 2 else stored, orientation)
        grey = planes.shape[-1] <= 2
        own = np.repeat(planes[..., :1], 3, axis=-1) if grey else planes[..., :3]
        colours = colours_of(profile, grey)
        seen = own if colours is None else colours.seen(own)
        allowed = as_allowed(mask, stored.shape[:2])
        cleaned = self._array(seen, None if allowed is None else turned(allowed, orientation), strength)
        changed = cleaned.pixels if colours is None else colours.stored(own, seen, cleaned.pixels)
        if grey:
            changed = np.rint(changed.mean(axis=-1, keepdims=True)).astype(planes.dtype)
        together = turned_back(np.concatenate((changed, planes[..., changed.shape[-1] :]), axis=-1), orientation)
        result = Image.fromarray(together.reshape(stored.shape))
        result.info = {key: value for key, value in image.info.items() if key not in ("transparency", "icc_profile")}
        if profile is not None:
            result.info["icc_profile"] = profile
        if orientation != 1 and "exif" not in result.info:  # it was set by hand, or stands in XMP
            result.getexif()[ORIENTATION] = orientation
        boxes = tuple(mark._replace(box=_box_back(mark.box, planes.shape[:2], orientation)) for mark in cleaned.marks)
        return Removal(result, Image.fromarray(turned_back(cleaned.mask, orientation)), boxes)

    def _tensor(self, image: torch.Tensor, mask: Any, strength: float) -> Removal[torch.Tensor]:  # noqa: ANN401
        import torch

        if not isinstance(image, torch.Tensor) or image.ndim not in (3, 4) or image.shape[-3] != 3:
            shape = tuple(getattr(image, "shape", ()))
            raise ArgumentError(
                "{image} is a {} {}; give an array (H, W, 3), a Pillow picture or a tensor (3, H, W).",
                type(image).__name__,
                shape,
            )
        if image.is_meta or image.layout is not torch.strided or not image.numel():
            raise ArgumentError("{image} is a tensor that is empty, sparse or without values; give a dense one.")
        if image.ndim == 4:
            each = [self._tensor(one, mask, strength) for one in image]
            images, masks, marks = zip(*each, strict=True)
            return Removal(torch.stack(images), torch.stack(masks), marks)
        pixels = image.detach().movedim(0, -1).cpu()
        pixels = pixels.float() if pixels.is_floating_point() else pixels
        cleaned = self._array(pixels.numpy(), mask, strength)
        restored = torch.from_numpy(cleaned.pixels).movedim(-1, 0).to(image)
        found = torch.from_numpy(cleaned.mask)[None].to(image.device).float() / 255
        return Removal(restored, found, cleaned.marks)

    def _array(
        self,
        image: npt.NDArray[Any],
        mask: Any,  # noqa: ANN401
        strength: float,
    ) -> Cleaned:
        image = np.asarray(image)  # a matrix has always two dimensions, and NumPy crashes where it repeats one
        image = image.astype(image.dtype.newbyteorder("="), copy=False)
        planes = image[..., None] if image.ndim == 2 else image
        if planes.ndim != 3 or planes.shape[-1] not in (1, 2, 3, 4) or not planes.size:
            raise ArgumentError("{image} has the shape {}; it must be (H, W), (H, W, 3) or (H, W, 4).", image.shape)
        floating = np.issubdtype(planes.dtype, np.floating)
        if planes.dtype not in (np.uint8, np.uint16) and not floating:
            raise ArgumentError("{image} holds {}; it must be uint8, uint16, or floating in 0..1.", planes.dtype)
        if floating and not np.isfinite(planes).all():
            raise ArgumentError("{image} holds values that are infinite or no numbers; put others in their places.")
        if floating and not (planes.min() >= -ROUNDING and planes.max() <= 1 + ROUNDING):
            low, high = f"{planes.min():g}", f"{planes.max():g}"
            raise ArgumentError("{image} holds values from {} to {}; divide them by what white is: 0..1.", low, high)
        grey = planes.shape[-1] <= 2
        pixels = np.repeat(planes[..., :1], 3, axis=-1) if grey else np.ascontiguousarray(planes[..., :3])
        pixels = pixels.astype(np.float32) if floating else pixels
        allowed = as_allowed(mask, planes.shape[:2])
        cleaned = clean(self.engine, pixels, self.mark, allowed, strength, self.search)
        result = planes.copy()
        changed = cleaned.pixels.mean(axis=-1, keepdims=True, dtype=np.float64) if grey else cleaned.pixels
        colours = result[..., : changed.shape[-1]]
        # What did not change keeps its digits, which float32 may have fewer of.
        where = (cleaned.pixels != pixels).any(axis=-1)
        colours[where] = changed[where] if floating else np.rint(changed[where])
        return cleaned._replace(pixels=result.reshape(image.shape))


def open_engine(
    weights: str,
    device: str | torch.device = "auto",
    engine: EngineName = "auto",
    tta: int = 1,
    trust: Sequence[str] = (),
) -> Engine:
    """Opens what runs a network; arguments and errors as for :class:`Remover`."""
    check_tta(tta)
    if engine not in ENGINES:
        raise ArgumentError("{engine}={} must be one of {}.", engine, ", ".join(ENGINES))
    opened = _open_engine(weights, str(device), engine, trust)
    return opened if tta == 1 else AugmentedEngine(opened, tta)


def _open_engine(weights: str, device: str, engine: EngineName, trust: Sequence[str]) -> Engine:
    if engine == "onnx" or (engine == "auto" and _without_torch(weights)):
        from wm_lightning.inference.onnx_engine import OnnxEngine

        return OnnxEngine(weights, device)
    with needing(f"Running {weights}"):
        from wm_lightning.inference.torch_engine import TorchEngine
        from wm_lightning.trained import load

    return TorchEngine(load(weights, trust).net, device)


def _without_torch(weights: str) -> bool:
    """Says whether ONNX Runtime can run weights, and PyTorch is not there or cannot."""
    return Path(weights).suffix == ".onnx" or (find_spec("torch") is None and not Path(weights).is_file())


def _name_of(image: Image.Image) -> str:
    """Returns what an error calls a Pillow picture."""
    return getattr(image, "filename", "") or "The picture"


def _box_back(box: tuple[int, int, int, int], size: tuple[int, int], orientation: int) -> tuple[int, int, int, int]:
    """Returns where a box of an upright picture, (height, width), is in the picture before it was turned."""
    left, top, right, bottom = box
    width, height = size[1], size[0]
    if orientation in (3, 4, 7, 8):  # in the order opposite to that of `turned`
        top, bottom = height - bottom, height - top
    if orientation in (2, 3, 6, 7):
        left, right = width - right, width - left
    return (top, left, bottom, right) if orientation > 4 else (left, top, right, bottom)
