import logging
import shutil
import warnings
from pathlib import Path

import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from torch.utils.tensorboard import SummaryWriter

from tests.conftest import PLAIN
from wm_lightning.callbacks.tensorboard import _add_graph, detached_copy
from wm_lightning.models import HeterogeneousUNet

RUN = "hydra.run.dir=run"
SHORT = ("test=false", "callbacks.figures=null", "optim.scheduler=null", "trainer.limit_train_batches=1")


@pytest.fixture
def tiny(tiny):
    return (*tiny, *PLAIN)


def events_of(folder):
    events = EventAccumulator(f"{folder}/tensorboard", size_guidance={"tensors": 0, "scalars": 0})
    events.Reload()
    return events


def configurations_of(events):
    texts = (entry.tensor_proto.string_val[0].decode() for entry in events.Tensors("configuration/text_summary"))
    return [yaml.safe_load(text.removeprefix("```yaml\n").removesuffix("```")) for text in texts]


def graphs_of(folder):
    files = Path(folder, "tensorboard").glob("events.out.tfevents.*")
    return sum(event.HasField("graph_def") for file in files for event in EventFileLoader(str(file)).Load())


def test_a_run_is_described_by_its_configuration_and_its_network(command, tiny):
    assert command("train", *tiny, RUN, *SHORT, "loss.beta=0.25").status == 0
    events = events_of("run")
    (config,) = configurations_of(events)
    assert (config["loss"]["beta"], config["data"]["size"]) == (0.25, 32)
    assert config["data"]["split_dir"] == str(Path("run/split").resolve())  # resolved
    layers = {node.name.split("/")[1] for node in events.Graph().node if node.name.startswith("HeterogeneousUNet/")}
    assert {"DoubleConv[enc1]", "Sequential[attn_gate3]", "DoubleConv[dec3]", "Conv2d[final_conv]"} <= layers


def test_a_run_that_goes_on_is_described_once_and_one_in_another_folder_too(command, tiny):
    arguments = (*tiny, *SHORT)
    assert command("train", *arguments, RUN).status == 0
    source = Path(shutil.copy("run/checkpoints/last.ckpt", "source.ckpt"))
    assert command("train", *arguments, "trainer.max_epochs=2", "ckpt_path=run/checkpoints/last.ckpt").status == 0
    events = events_of("run")
    assert [entry.step for entry in events.Scalars("val/loss")] == [0, 1]
    assert len(configurations_of(events)) == graphs_of("run") == 1
    assert command("train", *arguments, "trainer.max_epochs=2", f"ckpt_path={source}", "hydra.run.dir=new").status == 0
    assert len(configurations_of(events_of("new"))) == graphs_of("new") == 1


def test_a_network_that_cannot_be_traced_is_trained_without_a_graph(command, tiny, monkeypatch):
    restore = HeterogeneousUNet.restore

    def untraceable(self, image):
        if torch._C._get_tracing_state():
            raise RuntimeError("no way")
        return restore(self, image)

    monkeypatch.setattr(HeterogeneousUNet, "restore", untraceable)
    outcome = command("train", *tiny, RUN, *SHORT)
    assert outcome.status == 0, outcome.err
    assert "TensorBoard gets no graph of HeterogeneousUNet, which cannot be traced: no way" in outcome.out
    assert graphs_of("run") == 0


@pytest.mark.parametrize("attention", ["gate", "sdpa"])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_graph_is_drawn_without_a_word_and_leaves_the_network_as_it_was(tmp_path, capfd, attention, compiled):
    logging.getLogger("tensorboard").setLevel(logging.WARNING)
    net = HeterogeneousUNet(attention=attention)
    net.enc1.eval()
    if compiled:
        net.compile(backend="eager")
    modes = [module.training for module in net.modules()]
    state = {name: value.clone() for name, value in net.state_dict().items()}
    generator = torch.get_rng_state()
    writer = SummaryWriter(str(tmp_path / "tensorboard"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _add_graph(writer, net)
    writer.close()
    assert capfd.readouterr() == ("", "")
    assert graphs_of(tmp_path) == 1
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), generator)


def test_a_copy_of_a_compiled_network_is_eager_and_differentiable_within_inference_mode():
    net = HeterogeneousUNet(head="direct")
    net.compile(backend="eager")
    with torch.inference_mode():
        copied = detached_copy(net)
    assert copied._compiled is None
    assert net._compiled is not None
    assert net.training
    assert not copied.training
    copied(torch.rand(1, 3, 16, 16)).sum().backward()
    assert copied.final_conv.weight.grad.abs().sum() > 0
    assert net.final_conv.weight.grad is None
