import numpy as np
import pytest
import torch

from wm_lightning.errors import UserError
from wm_lightning.inference.onnx_engine import OnnxEngine
from wm_lightning.inference.torch_engine import TorchEngine
from wm_lightning.models import PixelUnshuffleUNet
from wm_lightning.trained import TrainedNetwork, load, save


def test_a_graph_computes_with_the_weights_beside_it(tmp_path, monkeypatch):
    pytest.importorskip("onnxscript", reason="onnxscript is not installed, which writing ONNX needs")
    from ship_graphs import write_graph

    monkeypatch.setattr("wm_lightning.inference.torch_engine.choose_precision", lambda device: "32-true")
    torch.manual_seed(0)
    net = PixelUnshuffleUNet((8, 12), attention=0, head="decomposition")
    net.last.reset_parameters()  # it begins as the identity
    config = {"model": {"_target_": "wm_lightning.models.PixelUnshuffleUNet", "widths": [8, 12], "attention": 0}}
    weights, graph = tmp_path / "net.safetensors", tmp_path / "net.onnx"
    save(TrainedNetwork(net, config), weights, half=True)
    assert write_graph(weights) == graph

    image = np.random.default_rng(0).uniform(0.3, 0.7, (20, 30, 3)).astype(np.float32)
    expected = TorchEngine(load(str(weights)).net, "cpu").correct(image)
    for one, other in zip(expected, OnnxEngine(str(graph), "cpu").correct(image), strict=True):
        assert other == pytest.approx(one, abs=1e-4)
    weights.rename(tmp_path / "elsewhere.safetensors")
    with pytest.raises(UserError, match=r"net.onnx cannot be read as a network"):
        OnnxEngine(str(graph), "cpu")
