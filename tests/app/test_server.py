"""The page as programs meet it: health, password, two clients, a queue, proxies, signals."""

import json
import logging
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.app.serving import REPOSITORY, Server, files_below

pytest.importorskip("gradio", reason="Gradio is not installed")

import gradio_client
from starlette.testclient import TestClient

from wm_lightning.app.page import build, translations
from wm_lightning.app.server import answering, listen, running
from wm_lightning.app.sessions import Sessions

JOBS = 50


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that is told of proxies which answer nothing, and is ended while it works."""
    dead = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9")
    dead |= dict.fromkeys(("ALL_PROXY", "all_proxy"), "socks5://127.0.0.1:9")
    running = Server(tmp_path_factory.mktemp("temporary"), "--max-megapixels", "20", **dead)
    yield running
    large = running.folder / "large.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (3000, 4000, 3), np.uint8)).save(large)
    client = client_of(running)
    job = client.submit(gradio_client.handle_file(large), api_name="/clean")
    while not any(path.match("call-*/inputs/*/large.png") for path in files_below(running.folder)):
        time.sleep(0.1)
    assert not job.done()
    assert running.stop(signal.SIGHUP) == (0, [], 0)
    assert job.exception(timeout=600) is not None  # the picture was given up


def client_of(server):
    return gradio_client.Client(server.address, verbose=False)


def clean(client, path, **more):
    return client.predict(gradio_client.handle_file(path), **more, api_name="/clean")


@pytest.fixture
def photo(marked, tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(marked).save(path)
    return path


def test_it_says_that_it_is_alive(server):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{server.address}/health", timeout=120) as answer:
        assert answer.status == 200
        assert answer.read() == b'{"status":"ok"}'


def test_a_program_gets_what_the_command_writes(server, photo, predicted):
    file, mask, findings = clean(client_of(server), photo)
    content, expected = predicted(photo)
    assert Path(file).name == photo.name
    assert Path(file).read_bytes() == content
    assert Path(mask).read_bytes() == expected
    assert findings["marks"]
    assert (findings["width"], findings["height"]) == (320, 220)


def test_examples_work_as_they_stand(server, photo, predicted, tmp_path, monkeypatch):
    Image.open(photo).save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    text = (REPOSITORY / "docs" / "app.md").read_text(encoding="utf-8")
    examples = text.partition("## From programs")[2].replace("http://127.0.0.1:7860", server.address)
    python, shell = (re.search(rf"(?s)```{name}\n(.*?)```", examples)[1] for name in ("python", "bash"))
    known = {}
    exec(python, known)
    assert Path(known["file"]).read_bytes() == predicted(tmp_path / "photo.jpg", "--sensitivity", "0.3")[0]
    if shutil.which("curl"):
        said = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True).stdout
        assert said.startswith("event: complete")
        assert json.loads(said.partition("data: ")[2])[2] == known["findings"]
        assert (tmp_path / "clean.jpg").read_bytes() == Path(known["file"]).read_bytes()


def test_what_a_program_gives_wrong_is_one_sentence(server, photo, tmp_path):
    client = client_of(server)
    with pytest.raises(Exception, match=r"^The painting cannot be read"):
        clean(client, photo, strokes="nonsense")
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    with pytest.raises(Exception, match=r"^broken\.png is no picture that can be read"):
        clean(client, broken)


def test_two_clients_may_send_the_same_picture_at_once(server, photo):
    clients, together = [client_of(server) for _ in range(2)], threading.Barrier(2)

    def ask(client):
        together.wait()
        return [Path(clean(client, photo)[0]).read_bytes() for _ in range(2)]

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(ask, clients))
    assert answers[0] == answers[1]
    assert answers[0][0] == answers[0][1]


def memory(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024  # MB


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc on this system")
def test_fifty_jobs_in_a_queue_leave_memory_flat(server, tmp_path):
    small = tmp_path / "small.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)).save(small)
    client = client_of(server)

    def many(count):
        jobs = [client.submit(gradio_client.handle_file(small), api_name="/clean") for _ in range(count)]
        return [Path(job.result(timeout=600)[0]).name for job in jobs]

    many(10)
    before = memory(server.process)
    assert many(JOBS) == [small.name] * JOBS
    assert memory(server.process) < before + 100  # threads keep some; fifty decoded tiles and results would be more


def test_a_password_is_asked_for_but_not_for_health(cleaner, tmp_path):
    app = answering(build(cleaner, Sessions(tmp_path), 3), "secret", cleaner.max_bytes, i18n=translations())
    with TestClient(app) as client:
        assert client.get("/health").json() == {"status": "ok"}
        assert client.get("/config").status_code == 401
        assert client.post("/gradio_api/upload", files={"files": b"x"}).status_code == 401
        assert client.post("/login", data={"username": "me", "password": "wrong"}).status_code == 400
        assert client.post("/login", data={"username": "me", "password": "secret"}).status_code == 200
        assert client.get("/config").status_code == 200


def test_a_server_that_ended_leaves_complaints_of_others_alone(cleaner, tmp_path):
    app = answering(build(cleaner, Sessions(tmp_path), 3), None, cleaner.max_bytes, i18n=translations())
    with running(app, listening := listen("127.0.0.1", 0)):
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/health"
        assert json.load(urllib.request.urlopen(address)) == {"status": "ok"}
    assert logging.getLogger("uvicorn.error").level < logging.ERROR


def test_the_same_file_sent_twice_lies_in_two_places(cleaner, tmp_path):
    app = answering(build(cleaner, Sessions(tmp_path), 3), None, cleaner.max_bytes, i18n=translations())
    with TestClient(app) as client:
        places = {client.post("/gradio_api/upload", files={"files": ("a.png", b"x")}).json()[0] for _ in range(2)}
    assert len(places) == 2
    assert {Path(place).name for place in places} == {"a.png"}
