"""PyTorch, ONNX Runtime and exported files do what the network does."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from wm_lightning.errors import UserError
from wm_lightning.files import SHIPPED, shipped_names
from wm_lightning.inference import export as module
from wm_lightning.inference.engine import pad
from wm_lightning.inference.export import export
from wm_lightning.inference.export_command import main
from wm_lightning.inference.onnx_engine import METADATA, OnnxEngine
from wm_lightning.inference.reduced import _loss, export_reduced
from wm_lightning.inference.remover import open_engine
from wm_lightning.inference.torch_engine import CorrectionNet, TorchEngine
from wm_lightning.models import PixelUnshuffleUNet
from wm_lightning.models.size import pad_to_requirement
from wm_lightning.sizes import SizeRequirement
from wm_lightning.trained import load
from wm_lightning.trained.weights import write_weights

HEADS = ("direct", "residual", "masked", "decomposition")
SIZES = [(1, 1), (3, 40), (37, 31), (48, 64)]


def build(head, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = PixelUnshuffleUNet((8, 12), attention=0, head=head).eval()
        net.last.reset_parameters()  # it begins as the identity
        for layer in net.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.uniform_(-0.2, 0.2)
                layer.running_var.uniform_(0.2, 1.0)
    return net


def picture(height, width):
    return np.random.default_rng(0).uniform(0.3, 0.7, (height, width, 3)).astype(np.float32)


@pytest.fixture
def exact(monkeypatch):
    """PyTorch in float32, whatever the machine."""
    monkeypatch.setattr("wm_lightning.inference.torch_engine.choose_precision", lambda device: "32-true")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """An exported network and its weight file."""
    folder, net = tmp_path_factory.mktemp("exported"), build("decomposition")
    config = {"model": {"_target_": "wm_lightning.models.PixelUnshuffleUNet", "widths": [8, 12], "attention": 0}}
    state = {f"net.{key}": value for key, value in net.state_dict().items()}
    write_weights({"state_dict": state, "config": config, "epoch": 0}, folder / "net.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["export.py"])
        main([str(folder / "net.safetensors"), "-o", str(folder / "net.onnx")])
    return SimpleNamespace(net=net, onnx=folder / "net.onnx", weights=folder / "net.safetensors")


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_what_a_correction_makes_of_a_picture_is_what_the_network_does(exact, head, height, width):
    net, image = build(head), picture(height, width)
    found = TorchEngine(net, "cpu").correct(image)
    with torch.no_grad():
        expected = net(torch.from_numpy(image).movedim(-1, 0)[None]).clamp(0, 1)[0].movedim(0, -1).numpy()
    assert found.apply(image) == pytest.approx(expected, abs=1e-5)
    assert found.mask.shape == (height, width, 1)
    untouched = found.mask[..., 0] == 0
    assert np.array_equal(found.apply(image)[untouched], image[untouched])


@pytest.mark.parametrize("head", HEADS)
def test_only_layers_can_be_enlarged(head):
    assert TorchEngine(build(head), "cpu").knows_layers == (head == "decomposition")


def test_half_precision_is_close(monkeypatch):
    image = picture(48, 64)
    results = []
    for precision in ("32-true", "bf16-mixed"):
        monkeypatch.setattr("wm_lightning.inference.torch_engine.choose_precision", lambda device, p=precision: p)
        results.append(TorchEngine(build("decomposition"), "cpu").correct(image).apply(image))
    assert results[1] == pytest.approx(results[0], abs=0.02)
    assert not np.array_equal(*results)


def test_a_device_that_is_not_there_is_one_sentence():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(UserError, match=r"^device=cuda: PyTorch finds no such device here; use device=cpu"):
        TorchEngine(build("decomposition"), "cuda")


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_padding_is_that_of_training(height, width):
    image = picture(height, width)
    expected = pad_to_requirement(torch.from_numpy(image).movedim(-1, 0)[None], SizeRequirement(16, 16))
    assert np.array_equal(pad(image, SizeRequirement(16, 16)), expected[0].movedim(0, -1).numpy())


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_onnx_runtime_computes_the_same(exact, files, height, width):
    image = picture(height, width)
    expected, found = TorchEngine(files.net, "cpu").correct(image), OnnxEngine(str(files.onnx), "cpu").correct(image)
    for one, other in zip(expected, found, strict=True):
        assert other == pytest.approx(one, abs=1e-4)
    assert OnnxEngine(str(files.onnx)).knows_layers


def test_onnx_runtime_needs_no_pytorch(files, tmp_path):
    from PIL import Image

    Image.fromarray(np.rint(picture(20, 30) * 255).astype(np.uint8)).save(tmp_path / "in.png")
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from wm_lightning.inference.command import main\n"
        f"sys.argv = ['wm-predict', 'in.png', '-o', 'out', '--engine', 'onnx', '--weights', {str(files.onnx)!r}]\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "in.png").is_file()


def test_a_network_that_recognises_marks_does_so_as_onnx_too(exact, tmp_path):
    net = build("decomposition")
    assert TorchEngine(net, "cpu").correct(picture(37, 31)).recognition is None
    net.recognition.weight.copy_(torch.linspace(-1, 1, len(net.recognition.weight)))
    export(net, tmp_path / "net.onnx")
    engines = TorchEngine(net, "cpu"), OnnxEngine(str(tmp_path / "net.onnx"), "cpu")
    one, other = (engine.correct(picture(37, 31)).recognition for engine in engines)
    assert one.shape == (37, 31, 1)
    assert one.std() > 0
    assert other == pytest.approx(one, abs=1e-3)


def test_a_torch_archive_computes_the_same(files, tmp_path):
    assert export(files.net, tmp_path / "net.pt2") < 1e-4
    image = torch.rand(2, 3, 32, 80)
    with torch.no_grad():
        found = torch.export.load(tmp_path / "net.pt2").module()(image)
        expected = CorrectionNet(files.net)(image)
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(other, one, atol=1e-4, rtol=0)


@pytest.fixture
def written(files, monkeypatch):
    """The exported network in place of one that is exported anew, which takes seconds."""
    import onnx

    exported = SimpleNamespace(model_proto=onnx.load(files.onnx))
    monkeypatch.setattr("wm_lightning.inference.reduced.exported", lambda net: exported)


@pytest.mark.parametrize(("precision", "least", "most"), [("float16", 80, 120), ("int8", 40, 95)])
def test_fewer_bits_lose_little_and_say_how_much(exact, files, written, photographs, tmp_path, precision, least, most):
    path = tmp_path / "reduced.onnx"
    loss = export_reduced(files.net, path, precision, photographs)
    assert least < loss < most
    image = picture(37, 31)
    expected, found = TorchEngine(files.net, "cpu").correct(image), OnnxEngine(str(path), "cpu").correct(image)
    error = np.square(expected.apply(image) - found.apply(image)).mean()
    assert error > 0
    assert -10 * np.log10(error) > least - 10  # of a picture that neither calibrated nor measured it
    kept = {"float16": "FLOAT16", "int8": "INT8"}[precision]
    assert kept in kinds_of_weights(path)


def kinds_of_weights(path):
    import onnx

    weights = onnx.load(path).graph.initializer
    return {onnx.TensorProto.DataType.Name(weight.data_type) for weight in weights if len(weight.dims) == 4}


def test_a_loss_is_that_of_the_restored_pictures(files):
    image = np.full((1, 3, 16, 16), 0.5, np.float32)
    zero = CorrectionNet(files.net)
    zero.forward = lambda picture: (torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16), torch.zeros(1, 1, 16, 16))
    restored = (
        OnnxEngine(str(files.onnx), "cpu").correct(image[0].transpose(1, 2, 0)).apply(image[0].transpose(1, 2, 0))
    )
    expected = -10 * np.log10(np.square(restored - 0.5).mean())
    assert _loss(zero, files.onnx, [image]) == pytest.approx(expected, abs=1e-3)


def test_a_file_that_differs_is_not_left_behind(files, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_difference", lambda *_: 0.5)
    with pytest.raises(UserError, match=r"net.pt2 would differ from its network by 5.0e-01; it was not written"):
        export(files.net, tmp_path / "net.pt2")
    assert list(tmp_path.iterdir()) == []


def test_bad_exports_are_one_sentence(files, tmp_path, capsys):
    int8 = [str(files.weights), "--precision", "int8", "--pictures", str(tmp_path)]
    below_a_file = str(files.weights / "net.onnx")
    for arguments, sentence in (
        ([str(files.weights), "-o", "net.tflite"], "-o net.tflite must end in .onnx, or in .pt2"),
        ([str(files.weights), "-o", below_a_file], f"{below_a_file} cannot be written: "),
        (["nowhere.safetensors", "-o", "net.onnx"], "There is no checkpoint nowhere.safetensors"),
        (["-o", "net.onnx", "--precision", "int8"], "--precision int8 needs --pictures FOLDER."),
        (["-o", "net.onnx", "--pictures", str(tmp_path)], "--precision float32 takes no --pictures."),
        ([*int8, "-o", "net.pt2"], "--precision int8 needs -o FILE.onnx, not net.pt2."),
        ([*int8, "-o", "net.onnx"], f"--pictures {tmp_path} holds 0 pictures; at least 4 are needed."),
    ):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 1
        assert capsys.readouterr().err.startswith(f"error: {sentence}")


def test_a_forked_process_is_refused_where_it_would_wait_for_ever(files):
    engine = OnnxEngine(str(files.onnx), "cpu")
    engine.process += 1  # that of another
    sentence = r"^ONNX Runtime cannot be used in a process forked since; open a Remover of its own in each process\.$"
    with pytest.raises(UserError, match=sentence):
        engine.correct(np.zeros((16, 16, 3), np.float32))
    on_gpu = TorchEngine(files.net, "cpu")
    on_gpu.process, on_gpu.device = 0, torch.device("meta")
    with pytest.raises(UserError, match=r"^A GPU cannot be used in a process forked since"):
        on_gpu.correct(np.zeros((16, 16, 3), np.float32))


def test_bad_onnx_files_are_one_sentence(files, tmp_path):
    damaged, foreign = tmp_path / "damaged.onnx", tmp_path / "foreign.onnx"
    damaged.write_bytes(files.onnx.read_bytes()[:1000])
    import onnx

    model = onnx.load(files.onnx)
    (told,) = (entry for entry in model.metadata_props if entry.key == METADATA)
    assert json.loads(told.value) == {"multiple": 4, "minimum": 1, "knows_layers": True}
    del model.metadata_props[:]
    onnx.save(model, foreign)
    for path, sentence in (
        (damaged, "cannot be read as a network"),
        (foreign, "was not written by wm-export"),
        (Path("nowhere.onnx"), "There are no weights nowhere.onnx; give the path of a file, or one of general, "),
        (files.weights, r"needs weights=FILE.onnx, not .*net.safetensors; python export.py writes one"),
    ):
        with pytest.raises(UserError, match=sentence):
            OnnxEngine(str(path))
    with pytest.raises(UserError, match=r"^device=mps: this ONNX Runtime has none"):
        OnnxEngine(str(files.onnx), "mps")


def test_a_network_whose_weights_are_no_numbers_is_refused():
    net = build("decomposition")
    with torch.no_grad():
        next(net.parameters()).fill_(float("nan"))
    with pytest.raises(UserError, match=r"^The network answers with what are no numbers; its weights are damaged"):
        TorchEngine(net, "cpu").correct(picture(16, 16))


@pytest.mark.parametrize(
    ("device", "sentence"),
    [
        ("gpu", r"device=gpu must be auto, cpu, cuda, cuda:1 \(the second GPU\), or mps\."),
        ("cuda:x", "device=cuda:x must be auto, cpu,"),
        ("cuda:99", "device=cuda:99: PyTorch finds no such device here; use device=cpu"),
    ],
)
def test_a_device_that_is_none_is_one_sentence(device, sentence):
    with pytest.raises(UserError, match=sentence):
        TorchEngine(build("direct"), device)


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_weights_are_the_same_with_onnx_runtime(exact, name):
    grey = np.full((101, 150, 3), 100, np.uint8)
    marked = cv2.putText(grey, "PROOF", (20, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (180, 180, 180), 2, cv2.LINE_AA)
    image = (marked / 255).astype(np.float32)
    expected, found = TorchEngine(load(name).net, "cpu").correct(image), OnnxEngine(name, "cpu").correct(image)
    names = [output.name for output in OnnxEngine(name, "cpu").session.get_outputs()]
    assert names == ["gain", "offset", "mask", "recognition"][: 4 if name == "general" else 3]
    for part in names:
        one = getattr(expected, part)
        assert one.std() > 0.02  # as where a mark is found
        assert getattr(found, part) == pytest.approx(one, abs=1e-4)
    graph = SHIPPED / f"{name}.onnx"
    assert graph.stat().st_size < 100_000 < graph.with_suffix(".safetensors").stat().st_size  # weights are there once


def test_an_engine_is_chosen_by_what_there_is(files, monkeypatch):
    assert isinstance(open_engine(str(files.onnx)), OnnxEngine)
    assert isinstance(open_engine("general_small"), TorchEngine)
    monkeypatch.setattr("wm_lightning.inference.remover.find_spec", lambda name: None)
    assert isinstance(open_engine("general_small"), OnnxEngine)
    assert isinstance(open_engine(str(files.weights)), TorchEngine)  # which says what to install where it is not
