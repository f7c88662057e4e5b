"""Who knows Lightning finds it here: a module of a checkpoint, ``Trainer.predict``, ``Trainer.fit`` by hand."""

from functools import partial

import lightning as L
import pytest
import torch
from torch.utils.data import DataLoader

from wm_lightning import UserError, WatermarkRemoval, load
from wm_lightning.data.pictures import PictureFolder
from wm_lightning.engine import WeightAverage
from wm_lightning.losses import CompositeLoss, MaskedL1
from wm_lightning.models import DnCNN

TRAINER = {
    "accelerator": "cpu", "logger": False, "enable_progress_bar": False, "enable_model_summary": False,
}  # fmt: skip


def test_a_checkpoint_is_a_module_that_predicts_a_folder(checkpoint, photographs):
    module = WatermarkRemoval.load_from_checkpoint(checkpoint)
    pictures = PictureFolder(photographs)
    trainer = L.Trainer(**TRAINER, enable_checkpointing=False)
    found = trainer.predict(module, DataLoader(pictures))
    assert len(found) == len(pictures) == len(list(photographs.iterdir()))
    net = load(str(checkpoint)).net
    with torch.no_grad():
        for picture, prediction in zip(pictures, found, strict=True):
            assert picture.shape[0] == 3
            torch.testing.assert_close(prediction.image, net(picture[None]), rtol=1e-4, atol=1e-4)


def test_reading_a_checkpoint_moves_no_random_state(checkpoint):
    net = load(str(checkpoint)).net  # what a new network begins with is drawn
    before = torch.get_rng_state()
    WatermarkRemoval.load_from_checkpoint(checkpoint, net=net)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("kept", ["raw", "average"])
def test_the_weights_that_were_kept_are_read(checkpoint, tmp_path, kept):
    content = torch.load(checkpoint, weights_only=True)
    name = next(name for name in content["state_dict"] if name.startswith("net.") and name.endswith("weight"))
    content["weights"] = kept
    if kept == "average":
        content["raw"] = {key.removeprefix("net."): value + 9 for key, value in content["state_dict"].items()}
    torch.save(content, tmp_path / "one.ckpt")
    module = WatermarkRemoval.load_from_checkpoint(tmp_path / "one.ckpt")
    assert torch.equal(module.state_dict()[name], content["state_dict"][name])


def test_it_is_trained_on_by_hand(checkpoint, photographs, tmp_path):
    options = {"optimizer": partial(torch.optim.SGD, lr=0.01), "target": "clean", "average": WeightAverage(0.5)}
    module = WatermarkRemoval.load_from_checkpoint(checkpoint, loss=CompositeLoss({"l1": MaskedL1()}), **options)
    assert module.hparams["target"] == "clean"
    before = module.state_dict()
    assert module.average is options["average"]
    assert before.keys() >= {f"net.{name}" for name in module.net.state_dict()}


def test_a_module_without_an_optimizer_cannot_be_trained():
    module = WatermarkRemoval(DnCNN(3, 4), CompositeLoss({"l1": MaskedL1()}))
    trainer = L.Trainer(**TRAINER, enable_checkpointing=False, max_epochs=1)
    with pytest.raises(UserError, match="a training needs one"):
        trainer.fit(module, DataLoader(torch.rand(2, 3, 8, 8)))


def test_a_checkpoint_that_asks_for_other_code_is_refused(checkpoint, tmp_path):
    content = torch.load(checkpoint, weights_only=True)
    content["config"]["loss"]["terms"]["trap"] = {"_target_": "os.system", "command": "true"}
    torch.save(content, tmp_path / "evil.ckpt")
    with pytest.raises(UserError, match=r"asks for os\.system"):
        WatermarkRemoval.load_from_checkpoint(tmp_path / "evil.ckpt")


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no pictures"):
        PictureFolder(tmp_path)
