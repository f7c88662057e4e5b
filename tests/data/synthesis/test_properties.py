from functools import cache

import hydra
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from wm_lightning.data.augment import crop
from wm_lightning.data.sources import LONGEST, decode
from wm_lightning.data.synthesis.blend import Overlay
from wm_lightning.data.synthesis.render import render
from wm_lightning.data.synthesis.spec import Emblem, MarkSpec, Shape, Text, Tiling, ViewSpec, from_json, to_json
from wm_lightning.data.synthesis.synthesizer import replay
from wm_lightning.files import CONF

careful = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=120,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
seeds = st.integers(0, 2**32 - 1)
sizes = st.one_of(
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 600), st.integers(1, 40)),
    st.tuples(st.integers(1, 40), st.integers(1, 600)),
)
shares = st.floats(0, 1)
colours = st.tuples(*[st.integers(0, 255)] * 3)
occlusions = st.tuples(shares, shares, shares, shares).map(
    lambda t: (min(t[0], t[2]), min(t[1], t[3]), max(t[0], t[2]), max(t[1], t[3]))
)
arts = st.one_of(
    st.builds(
        Text,
        st.sampled_from(["Sample", "l", ".", "AVA\nfj", "© 2024 - All rights reserved by the photographer"]),
        st.just("NotoSans-Regular.ttf"),
        st.sampled_from(["fill", "outline", "shadow", "emboss"]),
        st.floats(0, 0.5),
    ),
    st.builds(
        Emblem,
        st.sampled_from(["none", "ring", "rounded", "shield"]),
        st.sampled_from(["initials", "aperture", "leaf"]),
        st.just("NotoSans-Bold.ttf"),
        st.sampled_from(["A", "XYZ"]),
        st.sampled_from(["", "Zumalo"]),
        st.floats(0, 0.3),
    ),
    st.builds(
        Shape, st.sampled_from(["line", "rectangle", "circle", "grid", "bars"]), st.floats(0.01, 5), st.floats(0, 0.6)
    ),
)
marks = st.builds(
    MarkSpec,
    art=arts,
    center=st.tuples(st.floats(-1, 2), st.floats(-1, 2)),
    size=st.floats(0.01, 4),
    angle=st.floats(-720, 720),
    opacity=shares,
    colour=st.none() | colours,
    second_colour=colours,
    blend=st.sampled_from(["normal", "screen", "multiply"]),
    aspect=st.none() | st.floats(0.1, 10),
    tiling=st.none() | st.builds(Tiling, st.tuples(st.floats(0, 2), st.floats(0, 2)), shares),
    alpha_field=st.integers(1, 4).flatmap(
        lambda n: st.lists(st.tuples(*[shares] * n), min_size=1, max_size=4).map(tuple)
    ),
    occlusion=st.none() | occlusions,
)


def photograph(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@cache
def configured(preset):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        told = [f"synthesis={preset}", "synthesis.system_fonts=false"]
        return hydra.utils.instantiate(hydra.compose("train", overrides=told).synthesis)


def assert_sound(view, clean):
    height, width = clean.shape[:2]
    for plane in (view.image, view.clean, view.alpha, view.layer):
        assert plane.shape == (height, width, 3)
        assert plane.dtype == np.uint8
    assert view.mask.shape == (height, width)
    assert view.mask.dtype == bool
    assert (view.layer <= view.alpha).all()
    if view.spec.degradation is None:
        np.testing.assert_array_equal(view.clean, clean)
        exact = (1 - view.alpha / 255) * clean + view.layer
        assert np.abs(view.image - exact).max() <= 1
        assert not (view.mask & ~view.alpha.any(axis=2)).any()


@careful
@given(size=sizes, seed=seeds, preset=st.sampled_from(["diverse", "watermarkcnn", "clwd", "swcnn"]))
def test_picture_of_any_size_can_be_marked(size, seed, preset):
    height, width = size
    clean = photograph(height, width, seed)
    synthesizer = configured(preset)
    for view in synthesizer.pair(clean, np.random.default_rng(seed)):
        assert_sound(view, clean)
        assert view.alpha.any(axis=2).mean() <= synthesizer.max_coverage
        np.testing.assert_array_equal(replay(clean, from_json(to_json(view.spec))).image, view.image)


@careful
@given(size=sizes, seed=seeds)
def test_cut_turned_and_read_only_pictures_are_taken_as_they_are(size, seed):
    large = photograph(2 * size[0] + 3, 2 * size[1] + 3, seed)
    large.flags.writeable = False
    for part in (
        large[1 : 1 + size[0], 2 : 2 + size[1]],
        large[::-2, ::-2],
        large.transpose(1, 0, 2),
        large[..., ::-1],
    ):
        pairs = [configured("diverse").pair(shown, np.random.default_rng(seed)) for shown in (part, part.copy())]
        for one, other in zip(*pairs, strict=True):
            assert_sound(one, part)
            np.testing.assert_array_equal(one.image, other.image)


@settings(careful, max_examples=300)
@given(size=sizes, mark=marks)
def test_any_mark_gives_a_sound_layer(size, mark):
    height, width = size
    layer = render(mark, height, width)
    assert layer.alpha.shape == layer.colour.shape
    assert layer.alpha.dtype == layer.colour.dtype == np.uint8
    assert layer.alpha.shape[2] == 3
    assert min(layer.top, layer.left) >= 0
    assert layer.top + layer.alpha.shape[0] <= height
    assert layer.left + layer.alpha.shape[1] <= width
    assert (layer.colour <= layer.alpha).all()
    assert layer.alpha.max(initial=0) <= 255 * mark.opacity + 1
    overlay = Overlay(height, width)
    assert overlay.put(layer)
    assert overlay.on(photograph(height, width)).shape == (height, width, 3)
    assert from_json(to_json(ViewSpec((mark,)))) == ViewSpec((mark,))


def save(path, kind, width, height, seed):
    """Writes a random picture of a kind; returns its path."""
    generator = np.random.default_rng(seed)

    def noise(channels=None, kind=np.uint8):
        shape = (height, width) if channels is None else (height, width, channels)
        return generator.integers(0, np.iinfo(kind).max, shape, dtype=kind, endpoint=True)

    rgb, rotated = Image.fromarray(noise(3)), Image.Exif()
    rotated[0x0112] = int(generator.integers(2, 9))  # any of the turned and mirrored ones
    picture, suffix, options = {
        "rgb": lambda: (rgb, "jpg", {}),
        "grey": lambda: (Image.fromarray(noise()), "jpg", {}),
        "grey with alpha": lambda: (Image.fromarray(noise(2)), "png", {}),
        "RGBA": lambda: (Image.fromarray(noise(4)), "png", {}),
        "palette": lambda: (rgb.convert("P"), "png", {}),
        "transparent palette": lambda: (rgb.quantize(16), "png", {"transparency": 3}),
        "CMYK": lambda: (rgb.convert("CMYK"), "jpg", {}),
        "16 bit": lambda: (Image.fromarray(noise(kind=np.uint16)), "png", {}),
        "1 bit": lambda: (Image.fromarray(noise() > 127), "png", {}),
        "EXIF": lambda: (rgb, "jpg", {"exif": rotated}),
    }[kind]()
    path = path.with_suffix(f".{suffix}")
    picture.save(path, **options)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pictures")


@settings(careful, max_examples=40)
@given(source=sizes, size=st.sampled_from([1, 2, 17, 32, 48]), seed=seeds, reduced=st.booleans(), middle=st.booleans())
@pytest.mark.parametrize(
    "kind",
    [
        "rgb", "grey", "grey with alpha", "RGBA", "palette", "transparent palette", "CMYK", "16 bit", "1 bit", "EXIF",
    ],
)  # fmt: skip
def test_file_of_any_kind_and_size_becomes_a_pair(folder, kind, source, size, seed, reduced, middle):
    width, height = source
    path = save(folder / "picture", kind, width, height, seed)
    if max(source) > LONGEST * min(source):
        with pytest.raises(OSError, match="are a strip and no photograph"):
            decode(path, short_side=2 * size)
        return
    decoded = decode(path, short_side=2 * size if reduced else None)
    assert decoded.dtype == np.uint8
    assert decoded.shape[2] == 3
    if not reduced:
        assert sorted(decoded.shape[:2]) == sorted(source)
    generator = np.random.default_rng(seed)
    clean = crop(decoded, size, None if middle else generator)
    assert clean.shape == (size, size, 3)
    assert clean.dtype == np.uint8
    for view in configured("diverse").pair(clean, generator):
        assert_sound(view, clean)
