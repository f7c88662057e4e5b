"""The node keeps to the interface by which ComfyUI finds and calls it; ComfyUI itself is not needed."""

import importlib.util
import inspect
from pathlib import Path

import pytest
import torch

from wm_lightning.errors import UserError
from wm_lightning.inference.remover import Removal
from wm_lightning.inference.search import SENSITIVITIES

FOLDER = Path(__file__).parents[2] / "comfyui" / "wm_lightning_node"


@pytest.fixture(scope="module")
def module():
    """The folder, imported as ComfyUI imports those in custom_nodes: by its path, under a name that is no package's."""
    spec = importlib.util.spec_from_file_location("custom_nodes.x", FOLDER / "__init__.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def node(module):
    (node,) = module.NODE_CLASS_MAPPINGS.values()
    return node


def settings(node, **others):
    """The defaults, as the page of ComfyUI sends them."""
    given = {}
    for name, (kind, *options) in node.INPUT_TYPES()["required"].items():
        if kind != "IMAGE":
            given[name] = kind[0] if isinstance(kind, list) else options[0]["default"]
    return {**given, "weights": "general_small", "device": "cpu", **others}


def test_what_it_declares_is_what_it_takes_and_returns(module, node):
    assert module.NODE_DISPLAY_NAME_MAPPINGS.keys() == module.NODE_CLASS_MAPPINGS.keys()
    inputs = node.INPUT_TYPES()
    assert inputs["required"]["image"] == ("IMAGE",)
    assert inputs["optional"]["mask"][0] == "MASK"
    assert inputs["required"]["sensitivity"][1]["default"] == SENSITIVITIES["normal"]
    parameters = inspect.signature(getattr(node, node.FUNCTION)).parameters
    assert list(parameters) == ["self", *inputs["required"], *inputs["optional"]]
    assert {name for name, parameter in parameters.items() if parameter.default is None} == set(inputs["optional"])
    assert (node.RETURN_TYPES, node.RETURN_NAMES) == (("IMAGE", "MASK"), ("image", "mask"))


def test_a_batch_comes_back_and_what_is_not_marked_stays(node):
    images = torch.full((2, 37, 50, 3), 0.4)
    found, masks = getattr(node(), node.FUNCTION)(images, **settings(node))
    assert torch.equal(found, images)
    assert masks.shape == (2, 37, 50)
    assert not masks.any()


def test_channels_masks_and_strength_go_where_they_belong(module, node, monkeypatch):
    """A remover that writes down what it gets, and returns red inside of the mask."""
    seen = []

    class Reddening:
        def remove(self, image, mask, strength):
            seen.append((tuple(image.shape), strength, mask))
            image = image.clone()
            image[0] = torch.where(mask > 0, 1.0, image[0])
            return Removal(image, (mask > 0).float()[None])

    monkeypatch.setattr(module, "_remover", lambda *given: seen.append(given) or Reddening())
    images = torch.rand(2, 6, 9, 4, generator=torch.Generator().manual_seed(0))
    allowed = torch.zeros(1, 6, 9)
    allowed[0, 2, 3] = 1
    found, masks = node().remove(images, mask=allowed, **settings(node, strength=0.5))
    assert seen[0] == ("general_small", SENSITIVITIES["normal"], "cpu")
    assert [one[:2] for one in seen[1:]] == [((3, 6, 9), 0.5)] * 2
    assert torch.equal(found[..., 1:], images[..., 1:])
    assert (found[:, 2, 3, 0] == 1).all()
    assert torch.equal(masks, allowed.expand(2, 6, 9))


def test_a_mask_of_another_size_is_one_sentence(node):
    with pytest.raises(UserError, match="The mask is 4x3, the picture 50x37 pixels; they must be equal"):
        node().remove(torch.zeros(1, 37, 50, 3), mask=torch.ones(1, 3, 4), **settings(node))
