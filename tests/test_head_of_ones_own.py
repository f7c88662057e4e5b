"""A head of one's own: a class that a configuration names, in training, in evaluation and on pictures."""

import json
import sys
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from wm_lightning import Remover
from wm_lightning.errors import UserError
from wm_lightning.inference.torch_engine import TorchEngine
from wm_lightning.trained import load, read

RUN = (
    "hydra.run.dir=run",
    "trainer.limit_train_batches=1",
    "test=false",
    "model=pixel_unshuffle_unet",
    "model.widths=[8,12]",
)

OWN = """
import torch

from wm_lightning.models import Head
from wm_lightning.types import Prediction


class Lighter(Head):
    channels = 4
    identity = (1, -4.0)
    knows_layers = True

    def __init__(self, opacity: float = 0.5) -> None:
        super().__init__()
        self.opacity = opacity

    def forward(self, maps, image):
        logits, colour = torch.split(maps.float(), [1, 3], dim=1)
        alpha, mask = torch.full_like(colour, self.opacity), (logits.sigmoid() - 0.02).clamp(min=0)
        layer = alpha * colour.sigmoid()
        background = (image.float() - layer) / (1 - alpha)
        return Prediction(torch.lerp(image.float(), background, mask), logits, mask, background, None, alpha, layer)
"""


@pytest.fixture
def own(command, monkeypatch):
    """The name of a module in the folder one is in."""
    name = "my_heads"
    Path(f"{name}.py").write_text(OWN)
    monkeypatch.syspath_prepend(Path.cwd())
    yield name
    sys.modules.pop(name, None)


def test_it_trains_is_scored_and_cleans_pictures(command, tiny, own):
    options = [option for option in tiny if not option.startswith("model")]
    outcome = command("train", *options, *RUN, f"model.head={{_target_: {own}.Lighter, opacity: 0.25}}")
    assert outcome.status == 0, outcome.err
    assert "mask" in json.loads(Path("run/summary.json").read_text())["criterion"]
    best = "run/checkpoints/best.ckpt"
    assert read(best)["config"]["model"]["head"] == {"_target_": f"{own}.Lighter", "opacity": 0.25}

    refused = rf"asks for {own}\.Lighter, which is not of this project"
    with pytest.raises(UserError, match=refused):
        load(best)
    net = load(best, [own]).net
    assert type(net.head).__name__ == "Lighter"
    assert net.knows_layers
    remover = Remover(best, device="cpu", trust=[own])
    assert remover.engine.knows_layers
    network = cast("TorchEngine", remover.engine).net.net
    network.last.bias.data[:4] = 2.0  # of the mask's logits: there is a mark everywhere
    gain = remover.engine.correct(np.full((16, 16, 3), 0.5, np.float32)).gain
    assert (gain > 0).any()  # what shines through is made stronger

    scored = ("report=false", "hydra.run.dir=scored", "trainer.accelerator=cpu", f"trust=[{own}]")
    outcome = command("evaluate", f"ckpt={best}", *scored)
    assert outcome.status == 0, outcome.err


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        (
            "{_target_: my_heads.Lighter, opacty: 1}",
            "model.head.opacty: there is no such option of model.head.",
        ),
        ("{_target_: my_heads.Lighter, opacity: much}", "model.head.opacity='much' does not fit"),
        ("{_target_: my_heads.Darker}", "model.head._target_=my_heads.Darker cannot be imported"),
        (
            "{_target_: torch.nn.Identity}",
            "model.head=Identity must be a name or a wm_lightning.models.Head",
        ),
        ("mask", "model.head='mask' does not fit: input should be 'direct', 'residual', 'masked' or 'decomposition'"),
        ("3", "model.head=3 does not fit"),
    ],
)
def test_what_cannot_be_a_head_is_one_sentence(command, tiny, own, head, sentence):
    options = [option for option in tiny if not option.startswith("model")]
    outcome = command("train", *options, *RUN, f"model.head={head}")
    assert outcome.status == 1
    last = outcome.err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert sentence in last
