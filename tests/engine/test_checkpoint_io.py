import pytest
import torch

from wm_lightning.engine import AtomicCheckpointIO


def test_a_checkpoint_is_written_whole_and_read_again(tmp_path):
    path = tmp_path / "new" / "one.ckpt"
    AtomicCheckpointIO().save_checkpoint({"epoch": 3, "weights": torch.arange(4)}, path)
    read = AtomicCheckpointIO().load_checkpoint(path, weights_only=True)
    assert read["epoch"] == 3
    assert torch.equal(read["weights"], torch.arange(4))
    assert list(path.parent.iterdir()) == [path]


def test_what_interrupts_the_writing_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "one.ckpt"
    AtomicCheckpointIO().save_checkpoint({"epoch": 1}, path)

    def cut_off(content, file):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", cut_off)
    with pytest.raises(KeyboardInterrupt):
        AtomicCheckpointIO().save_checkpoint({"epoch": 2}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 1}
