"""PyTorch's threads are shared while pictures are worked on, and as many as before when they are done."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from wm_lightning import Remover
from wm_lightning.inference.cores import Cores
from wm_lightning.inference.torch_engine import TorchEngine
from wm_lightning.models import PixelUnshuffleUNet
from wm_lightning.trained import TrainedNetwork, save


@pytest.fixture(autouse=True)
def _threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def in_new_thread(work):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def test_pictures_take_their_share_and_give_it_back():
    torch.set_num_threads(4)
    cores, shares, inside = Cores(), [], []

    def nest(depth):
        with cores.share():
            shares.append(torch.get_num_threads())
            if depth:
                in_new_thread(lambda: nest(depth - 1))
        inside.append(torch.get_num_threads())

    nest(4)
    assert shares == [4, 2, 1, 1, 1]
    assert inside == [4] * 5
    assert in_new_thread(torch.get_num_threads) == 4


def test_the_number_is_the_one_of_when_a_picture_begins():
    cores = Cores()
    for threads in (3, 2):
        torch.set_num_threads(threads)
        with cores.share():
            assert torch.get_num_threads() == threads
        assert torch.get_num_threads() == threads


def test_it_is_given_back_after_an_error():
    torch.set_num_threads(2)
    cores = Cores()
    with pytest.raises(ValueError, match="no picture"), cores.share():
        raise ValueError("no picture")
    assert torch.get_num_threads() == 2
    with cores.share():  # the one that failed is no longer counted
        assert torch.get_num_threads() == 2


def test_a_remover_leaves_the_threads_as_they_were():
    torch.set_num_threads(2)
    remover = Remover(device="cpu")
    torch.set_num_threads(3)  # since then
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    remover.remove(picture)
    assert torch.get_num_threads() == 3
    assert in_new_thread(torch.get_num_threads) == 3


def test_engines_side_by_side_share_and_leave_the_threads_as_they_were():
    torch.set_num_threads(2)
    engines = [TorchEngine(PixelUnshuffleUNet((4, 8), attention=0).eval(), "cpu") for _ in range(2)]
    seen, both = [], threading.Barrier(2, timeout=300)

    def watch(*_):
        both.wait()  # until the other one has begun too
        seen.append(torch.get_num_threads())
        both.wait()

    for engine in engines:
        engine.net.register_forward_pre_hook(watch)
    picture = np.zeros((16, 16, 3), np.float32)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda engine: engine.correct(picture), engines))
    assert sorted(seen) == [1, 2]  # the first began alone
    assert torch.get_num_threads() == 2
    assert in_new_thread(torch.get_num_threads) == 2


def test_a_remover_may_be_used_by_several_threads(tmp_path):
    net = PixelUnshuffleUNet((4, 8), attention=0, head="decomposition").eval()
    net.last.reset_parameters()  # it begins as the identity, which finds nothing
    with torch.no_grad():
        net.last.bias[:4] = 3.0  # the masks of the four pixels of a position
    config = {"model": {"_target_": "wm_lightning.models.PixelUnshuffleUNet", "widths": [4, 8], "attention": 0}}
    save(TrainedNetwork(net, config), tmp_path / "net.safetensors")
    torch.set_num_threads(1)  # as many for each picture alone as beside others, so that sums are the same
    remover = Remover(str(tmp_path / "net.safetensors"), device="cpu", sensitivity=1)
    generator = np.random.default_rng(0)
    pictures = [generator.integers(0, 256, (40 + number, 60, 3)).astype(np.uint8) for number in range(12)]
    alone = [remover.remove(picture).image for picture in pictures]
    assert any((image != picture).any() for image, picture in zip(alone, pictures, strict=True))
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda picture: remover.remove(picture).image, pictures))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


FORK = """
import os, signal, cv2, numpy as np, torch
from wm_lightning import Remover
torch.set_num_threads(2)
cv2.setNumThreads(2)
picture = np.random.default_rng(0).integers(0, 256, (200, 300, 3)).astype(np.uint8)
remover = Remover(device="cpu", sensitivity=1)
expected = remover.remove(picture).image
child = os.fork()
if child:
    assert os.waitpid(child, 0)[1] == 0
    assert torch.get_num_threads() == 2
else:
    signal.alarm(100)  # in place of waiting for ever
    assert torch.get_num_threads() == 1
    assert np.abs(remover.remove(picture).image.astype(int) - expected).max() <= 1
    assert torch.get_num_threads() == 1
    os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_process_that_is_forked_after_use_can_go_on():
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr


def test_a_process_that_is_forked_before_use_keeps_its_threads():
    torch.set_num_threads(2)
    Cores().after_fork()
    assert torch.get_num_threads() == 2
