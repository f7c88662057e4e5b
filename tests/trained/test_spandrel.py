"""Files of weights as spandrel reads them: against its interface (0.4.2), since it brings torchvision."""

import sys
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from wm_lightning.errors import UserError
from wm_lightning.extras import MissingPackageError
from wm_lightning.files import SHIPPED
from wm_lightning.models import HeterogeneousUNet, PixelUnshuffleUNet
from wm_lightning.trained import load
from wm_lightning.trained.spandrel import build, register


class Architecture:
    def __init__(self, *, id, detect, name):
        self.id, self.detect, self.name = id, detect, name


class Registry(list):
    def add(self, *supports, ignore_duplicates=False):
        assert ignore_duplicates
        self.extend(one for one in supports if one.id not in {known.id for known in self})


@pytest.fixture
def spandrel(monkeypatch):
    module = SimpleNamespace(
        Architecture=Architecture, MAIN_REGISTRY=Registry(), SizeRequirements=SimpleNamespace,
        ArchSupport=SimpleNamespace(from_architecture=lambda architecture: architecture),
        ImageModelDescriptor=lambda net, weights, **told: SimpleNamespace(net=net, **told),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "spandrel", module)
    return module


@pytest.mark.parametrize("name", ["general", "general_small", "swcnn"])
def test_shipped_weights_become_their_network(spandrel, name):
    register()
    register()
    (architecture,) = spandrel.MAIN_REGISTRY
    weights = load_file(SHIPPED / f"{name}.safetensors")
    assert architecture.detect(weights)
    found, net = architecture.load(weights), load(name).net.eval()
    assert found.size_requirements.multiple_of == net.size.multiple
    image = torch.rand(1, 3, 70, 90, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(found.call_fn(found.net, image), net(image))
        assert found.call_fn(found.net.bfloat16(), image.bfloat16()).dtype == torch.bfloat16


def test_what_is_not_built_is_one_sentence(spandrel):
    register()
    assert not spandrel.MAIN_REGISTRY[0].detect(HeterogeneousUNet().state_dict())
    painting = PixelUnshuffleUNet((8, 12), head="residual").state_dict()
    with pytest.raises(UserError, match=r"^A head that takes 3 maps is not known to spandrel; use wm_"):
        build(painting)
    masked = PixelUnshuffleUNet((8, 12), attention=1, head="masked").state_dict()
    assert len(build(masked).bottom) == 1
    with pytest.raises(UserError, match=r"^These weights are of another network: more\.$"):
        build({**masked, "more": torch.zeros(1)})
    with pytest.raises(UserError, match=r"^These weights are of another network: decoder\.0\.0\.weight\.$"):
        build({**masked, "decoder.0.0.weight": torch.zeros(2, 3, 3, 3)})
    shallow = {name: value for name, value in masked.items() if not name.startswith("encoder.1.")}
    with pytest.raises(UserError, match=r"^These weights are of another network: no encoder of the widths \[8\] "):
        build(shallow)


def test_without_spandrel_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(
        MissingPackageError, match=r"needs spandrel, which is not installed: pip install 'wm-lightning\[s"
    ):
        register()
