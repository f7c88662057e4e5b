"""Processes that do not mean the same run say so before they train."""

from types import SimpleNamespace

import pytest
import torch

from wm_lightning.callbacks import Agreement
from wm_lightning.data import BaseDataModule
from wm_lightning.data.sources import Split
from wm_lightning.errors import UserError


class Photographs(BaseDataModule):
    def __init__(self, split):
        super().__init__("clean")
        self.split = split

    def find(self):
        raise NotImplementedError

    check = pairs = find


def begin(monkeypatch, facts, others, stage="fit"):
    """Begins in the first process; each other one is told by its facts and its split."""
    trainer = SimpleNamespace(world_size=1 + len(others), datamodule=Photographs(Split(["a"], ["b"], ["c"])))

    def gather(parts, mine):
        split = "split of the photographs"
        parts[:] = [mine, *({**told, split: mine[split] if same else "another"} for told, same in others)]

    monkeypatch.setattr(torch.distributed, "all_gather_object", gather)
    Agreement(facts).setup(trainer, None, stage)


def test_processes_that_agree_train(monkeypatch):
    begin(monkeypatch, {"folder": "/run"}, [({"folder": "/run"}, True)] * 2)
    begin(monkeypatch, {"folder": "/run"}, [])
    begin(monkeypatch, {"folder": "/run"}, [({"folder": "/elsewhere"}, True)], stage="test")


def test_another_folder_is_named(monkeypatch):
    with pytest.raises(UserError, match=r"Process 2 means another run than process 0 \(folder: /run and /tmp\)"):
        begin(monkeypatch, {"folder": "/run"}, [({"folder": "/run"}, True), ({"folder": "/tmp"}, True)])


def test_other_photographs_are_noticed(monkeypatch):
    with pytest.raises(UserError, match=r"Process 1 .*split of the photographs: [0-9a-f]{16} and another"):
        begin(monkeypatch, {"folder": "/run"}, [({"folder": "/run"}, False)])
