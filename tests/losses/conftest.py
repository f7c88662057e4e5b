import functools
import hashlib
import http.server
import socket
import threading

import pytest
import torch

SHAPES = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128), 12: (256, 256), 14: (256, 256)}


def relay_state():
    """VGG16 weights that hand the input on: channels 0..2 its positive part, 3..5 its negative part, the rest 0."""
    state = {}
    for index, (outputs, inputs) in SHAPES.items():
        weight = torch.zeros(outputs, inputs, 3, 3)
        for channel in range(6):
            if index:
                weight[channel, channel, 1, 1] = 1
            else:
                weight[channel, channel % 3, 1, 1] = 1 if channel < 3 else -1
        state[f"features.{index}.weight"] = weight
        state[f"features.{index}.bias"] = torch.zeros(outputs)
    return state


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch):
    """An empty PyTorch hub cache; returns the folder that weights are kept in."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def relay_file(tmp_path):
    path = tmp_path / "relay.pth"
    torch.save(relay_state(), path)
    return path


@pytest.fixture
def served(tmp_path, relay_file):
    """A folder on a local web server with the relay weights, named after their hash; returns (url, server)."""
    folder = tmp_path / "www"
    folder.mkdir()
    content = relay_file.read_bytes()
    name = f"vgg16-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    (folder / name).write_bytes(content)
    (folder / "vgg16-deadbeef.pth").write_bytes(content)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()

    def stop():
        if thread.is_alive():
            server.shutdown()
            server.server_close()
            thread.join()

    yield f"http://127.0.0.1:{server.server_port}/{name}", stop
    stop()


@pytest.fixture
def closed_port():
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]
