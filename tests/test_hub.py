"""Models on the hub, against a server of our own in its place: a process of its own is told where it is."""

import http.server
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import speechzoo
from speechzoo import hub
from tests.published.tiny_whisper import COMMITTED

pytest.importorskip("huggingface_hub", reason="no huggingface_hub: pip install speechzoo[hub]")

REPOSITORY = Path(__file__).parents[1]
RECORDING = REPOSITORY / "speechzoo" / "exporters" / "voices" / "commands.flac"
REVISION = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_" + "secret" * 5
LARGE = 25 << 20  # the client keeps what it has got in pieces of 10 MiB
FILES = {"model.bin": COMMITTED.read_bytes(), "README.md": b"---\nlicense: mit\n---\n# Tiny\n", "config.json": b"{}",
         "vocabulary.json": COMMITTED.with_name("vocabulary.json").read_bytes(),
         "pytorch_model.bin": b"not to be fetched", "run.py": b"raise SystemExit"}


class Hub(http.server.BaseHTTPRequestHandler):
    """Models of `owner` at one revision; the first answer with what is large stops behind 21 MiB."""

    models = {"name": FILES, "large": {"model.bin": FILES["model.bin"] + bytes(LARGE)}}
    requests, stopped, tokens = [], [], set()

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.requests.append((self.command, self.path, self.headers.get("Range")))
        self.tokens.add(self.headers.get("Authorization"))
        match = re.match(rf"/api/models/owner/(\w+)|/owner/(\w+)/resolve/{REVISION}/(.+)", self.path)
        files = self.models.get(match[1] or match[2]) if match else None
        if files and match[1]:
            self.answer(json.dumps({"id": f"owner/{match[1]}", "sha": REVISION, "siblings": [
                {"rfilename": name} for name in [*files, "folder/more.bin"]]}).encode(), "application/json")
        elif files:
            self.answer(files[match[3]], "application/octet-stream")
        else:
            self.send_response(403 if "closed" in self.path else 404)
            self.end_headers()

    def answer(self, data, kind):
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        headers = {"Content-Type": kind, "Content-Length": str(len(data) - start), "Accept-Ranges": "bytes",
                   "ETag": f'"{len(data)}"', "X-Repo-Commit": REVISION}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            stop = len(data) > LARGE and not self.stopped
            self.wfile.write(data[start:start + (21 << 20)] if stop else data[start:])
            if stop:
                self.stopped.append(self.path)
                self.close_connection = True


@pytest.fixture(scope="module")
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def run(server, tmp_path):
    def command(*arguments, endpoint=server):
        environment = os.environ | {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "cache"), "HF_TOKEN": TOKEN,
                                    "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        done = subprocess.run([sys.executable, "-m", "speechzoo", *map(str, arguments)], capture_output=True, text=True,
                              cwd=REPOSITORY, env=environment, check=False, timeout=300)
        assert TOKEN not in done.stdout + done.stderr
        return done
    return command


def test_a_model_is_fetched_at_a_pinned_revision(run, tmp_path):
    done = run("import", "hf://owner/name", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert f"from      hf://owner/name@{REVISION}\n" in done.stdout and "licence MIT\n" in done.stdout
    assert len(done.stderr.splitlines()) == 1 and "not among the files that speechzoo knows" in done.stderr
    origin = json.loads((tmp_path / "out" / "origin.json").read_text())
    assert origin["licence"] == "MIT" and origin["file"]["from"] == f"hf://owner/name@{REVISION}"
    assert "The model's card, hf://owner/name@" in origin["derived_from"][0]["licence_text"]
    assert TOKEN not in (tmp_path / "out" / "origin.json").read_text() and Hub.tokens == {f"Bearer {TOKEN}"}
    fetched = {path.rpartition("/")[2] for method, path, _ in Hub.requests if method == "GET" and "resolve" in path}
    assert fetched == {"model.bin", "README.md", "config.json", "vocabulary.json"}


def test_what_was_fetched_in_part_goes_on_where_it_stopped(run, tmp_path):
    done = run("import", f"hf://owner/large@{REVISION}", "--out", tmp_path / "out")
    # All of it has come: what is wrong with it is said by the reader, which finds the zeros behind its end.
    assert done.returncode == 2 and f"{LARGE} bytes follow its end" in done.stderr.splitlines()[-1] and Hub.stopped
    assert [asked for _, path, asked in Hub.requests if "large" in path and asked] == [f"bytes={20 << 20}-"]


@pytest.mark.parametrize("source, message", [
    ("hf://owner/other", "no such model or revision"), ("hf://owner/closed", "this token doesn't open it"),
    ("hf://owner", "is named hf://owner/name"), ("hf://owner/name/../../x", "is named hf://owner/name")])
def test_what_the_hub_refuses_is_one_line(source, message, run, tmp_path):
    done = run("import", source, "--out", tmp_path / "out")
    assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1


def test_offline_is_one_line(run, tmp_path):
    done = run("import", "hf://owner/name", "--out", tmp_path / "out", endpoint="http://127.0.0.1:9")
    assert done.returncode == 2 and "the hub can't be reached" in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_saved_model_is_loaded(run, tmp_path, monkeypatch):
    model = speechzoo.load("mtl_ds_cnn_micro")
    speechzoo.save(model, tmp_path / "saved")
    monkeypatch.setitem(Hub.models, "saved", {path.name: path.read_bytes() for path in (tmp_path / "saved").iterdir()})
    done = run("recognize", "--json", "hf://owner/saved", RECORDING)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["keyword"] == model.recognize(RECORDING).keyword
    done = run("recognize", "hf://owner/name", RECORDING)
    assert done.returncode == 2 and "read with speechzoo import hf://owner/name --out DIR" in done.stderr


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install speechzoo\[hub\]"):
        hub.download("hf://owner/name", list)
