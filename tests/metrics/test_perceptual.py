"""The libraries and weights are stood in for, but in the last two tests, which run where the extra is installed."""

import sys
from types import ModuleType

import pytest
import torch
import torchmetrics.image
from skimage import data
from torch.nn.functional import avg_pool2d
from torchmetrics import Metric

from wm_lightning.errors import UserError
from wm_lightning.metrics import choose_columns, perceptual
from wm_lightning.metrics.perceptual import NEEDS, lpips, niqe


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    """A hub cache without weights, and no network loaded before."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    for loaded in (perceptual._lpips_network, perceptual._niqe_evaluator):
        loaded.cache_clear()
    yield tmp_path
    for loaded in (perceptual._lpips_network, perceptual._niqe_evaluator):
        loaded.cache_clear()


@pytest.fixture
def weights(empty_cache, monkeypatch):
    """Both weights' files, empty, and packages that seem to be there."""
    monkeypatch.setattr(perceptual, "find_spec", lambda name: name)
    for need in NEEDS.values():
        need.path().parent.mkdir(exist_ok=True)
        need.path().touch()


class MeanDifference(Metric):
    """Stands in for torchmetrics' LPIPS."""

    built = 0

    def __init__(self, net_type, reduction, normalize):
        super().__init__()
        assert (net_type, reduction, normalize) == ("alex", "none", True)
        type(self).built += 1
        self.add_state("scores", [])

    def update(self, first, second):
        assert first.dtype == second.dtype == torch.float32
        assert not torch.is_autocast_enabled("cpu")
        self.scores.append((first - second).abs().mean(dim=(1, 2, 3)))

    def compute(self):
        return torch.cat(self.scores).squeeze()  # theirs has no batch dimension for one picture


def noise(batch, seed=0, height=96, width=200):
    return torch.rand((batch, 3, height, width), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("extra", "package"), [("lpips", "torchvision"), ("niqe", "torchvision and deepinv")], ids=["lpips", "niqe"]
)
def test_missing_packages_are_named(extra, package, monkeypatch):
    monkeypatch.setattr(perceptual, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=rf"{extra} needs {package}: pip install 'wm-lightning\[perceptual\]'"):
        choose_columns("full", [extra])


@pytest.mark.parametrize(
    ("extra", "score"), [("lpips", lambda: lpips(noise(1), noise(1))), ("niqe", lambda: niqe(noise(1)))]
)
def test_missing_weights_are_named_and_not_downloaded(extra, score, empty_cache, monkeypatch):
    monkeypatch.setattr(perceptual, "find_spec", lambda name: name)
    for ask in (lambda: choose_columns("full", [extra]), score):
        with pytest.raises(UserError) as told:
            ask()
        assert NEEDS[extra].url in str(told.value)
        assert str(empty_cache / "checkpoints" / NEEDS[extra].file) in str(told.value)


def test_what_is_there_is_chosen(weights):
    assert choose_columns("watermarkcnn", ["lpips"])[-2:] == ("lpips", "lpips_input")


def test_lpips_is_per_picture_in_single_precision_and_built_once(weights, monkeypatch):
    # It is not even there without torchvision.
    monkeypatch.setattr(torchmetrics.image, "LearnedPerceptualImagePatchSimilarity", MeanDifference, raising=False)
    MeanDifference.built = 0
    first, second = noise(3), noise(3, seed=1)
    with torch.autocast("cpu", torch.bfloat16):
        values = lpips(first, second)
    torch.testing.assert_close(values, (first - second).abs().mean(dim=(1, 2, 3)))
    torch.testing.assert_close(lpips(first[:1], second[:1]), values[:1])  # nothing is left of the batch before
    assert MeanDifference.built == 1


def test_niqe_gets_grey_levels_in_double_precision(weights, monkeypatch):
    class Evaluator:
        def __init__(self, weights_path, round_tensor, dtype):
            assert (weights_path, round_tensor, dtype) == (NEEDS["niqe"].path(), True, torch.float64)

        def __call__(self, pictures):
            assert pictures.dtype == torch.float64
            if pictures.std() == 0:
                raise torch.linalg.LinAlgError("as a flat picture does")  # type: ignore[attr-defined]  # not in its stubs
            return pictures.amax(dim=(1, 2, 3))

    library = ModuleType("deepinv.loss.metric")
    monkeypatch.setattr(library, "NIQE", Evaluator, raising=False)
    monkeypatch.setitem(sys.modules, "deepinv", ModuleType("deepinv"))
    monkeypatch.setitem(sys.modules, "deepinv.loss", ModuleType("deepinv.loss"))
    monkeypatch.setitem(sys.modules, "deepinv.loss.metric", library)
    pictures = noise(3)
    pictures[1] = 0.5
    values = niqe(pictures)
    assert values.dtype == torch.float32
    assert values.isnan().tolist() == [False, True, False]
    torch.testing.assert_close(values[::2], 255 * pictures[::2].amax(dim=(1, 2, 3)))


@pytest.mark.parametrize(("height", "width"), [(95, 400), (191, 191)])
def test_pictures_too_small_for_niqe_are_refused(height, width):
    with pytest.raises(UserError, match=f"at least 96x192 pixels, not {height}x{width}"):
        niqe(noise(1, height=height, width=width))


def test_lpips_of_the_library(empty_cache):
    models = pytest.importorskip("torchvision").models
    path = NEEDS["lpips"].path()
    path.parent.mkdir()
    torch.manual_seed(0)
    torch.save(models.alexnet(weights=None).state_dict(), path)  # random: the published ones are not to be had here
    first, second = noise(2), noise(2, seed=1)
    assert lpips(first, first).tolist() == [0, 0]
    near, far = lpips(first, 0.9 * first + 0.1 * second), lpips(first, second)
    assert (near > 0).all()
    assert (near < far).all()


def test_niqe_of_the_library_rises_with_noise_and_blur(empty_cache):
    library = pytest.importorskip("deepinv.loss.metric")
    pictures = [torch.from_numpy(name()).movedim(-1, 0).float() for name in (data.coffee, data.chelsea, data.rocket)]
    path = NEEDS["niqe"].path()
    path.parent.mkdir()
    # Overlapping blocks, since three pictures have too few for a covariance of 36 features.
    library.NIQE(weights_path=None, round_tensor=True, patch_overlap=80).create_weights(pictures, save_path=str(path))
    clean = torch.from_numpy(data.astronaut()).movedim(-1, 0)[None] / 255
    grain = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    noisy = [niqe((clean + strength * grain).clamp(0, 1)).item() for strength in (0, 0.02, 0.1)]
    blurred = [niqe(avg_pool2d(clean, side, 1, side // 2)).item() for side in (1, 3, 9)]
    assert 0 < noisy[0] < noisy[1] < noisy[2]
    assert noisy[0] == blurred[0] < blurred[1] < blurred[2]
