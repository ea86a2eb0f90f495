"""Models on the hub, against a server of our own in its place: a process of its own is told where it is."""

import json
import sys

import pytest
import yaml

import speechzoo
from speechzoo import hub
from tests.hub_server import LARGE, REPOSITORY, REVISION, TOKEN, Hub, run_with, serving

pytest.importorskip("huggingface_hub", reason="no huggingface_hub: pip install speechzoo[hub]")

RECORDING = REPOSITORY / "speechzoo" / "exporters" / "voices" / "commands.flac"


@pytest.fixture(scope="module")
def server():
    with serving() as endpoint:
        yield endpoint


@pytest.fixture
def run(server, tmp_path):
    return lambda *arguments, endpoint=server: run_with(endpoint, tmp_path / "cache", *arguments)


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


@pytest.mark.parametrize("command", ["import --out out", "recognize"])
def test_offline_is_one_line(command, run):
    name, *options = command.split()
    arguments = options or [RECORDING]
    done = run(name, "hf://owner/name", *arguments, endpoint="http://127.0.0.1:9")
    assert done.returncode == 2 and "the hub can't be reached" in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_saved_model_is_loaded(run, tmp_path, monkeypatch):
    model = speechzoo.load("mtl_ds_cnn_micro")
    speechzoo.save(model, tmp_path / "saved")
    monkeypatch.setitem(Hub.models, "saved", {path.name: path.read_bytes() for path in (tmp_path / "saved").iterdir()})
    done = run("recognize", "--json", f"hf://owner/saved@{REVISION}", RECORDING)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["keyword"] == model.recognize(RECORDING).keyword
    # Its backbone for other heads, which are new: the command only says that everything was found.
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump({"summary": "Mine.", "backbone": {"weights": "hf://owner/saved", "blocks": 2},
                                    "heads": {"mood": {"type": "classifier", "classes": ["calm", "angry"]}}}))
    done = run("recognize", "--json", mine, RECORDING)
    assert done.returncode == 0 and '"mood"' in done.stdout, done.stderr
    done = run("recognize", "hf://owner/name", RECORDING)
    assert done.returncode == 2 and "read with speechzoo import hf://owner/name --out DIR" in done.stderr


UPLOAD = "import sys; from speechzoo import hub; print(hub.upload(*sys.argv[1:], 'A model'))"


@pytest.fixture
def folder(tmp_path):
    """What is uploaded: a small file, a large one, and one in a folder whose name begins with a dot."""
    (tmp_path / "mine" / ".eval_results").mkdir(parents=True)
    files = {"README.md": b"# Mine", "model.weights.h5": bytes(range(256)) * 10,
             ".eval_results/esc50.yaml": b"- value: 1"}
    for name, data in files.items():
        (tmp_path / "mine" / name).write_bytes(data)
    return tmp_path / "mine", files


def test_a_folder_is_uploaded_and_only_what_changed_again(run, server, folder):
    path, files = folder
    done = run("-c", UPLOAD, path, "hf://owner/mine")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{server}/owner/mine\n" and not done.stderr
    assert Hub.written["mine"] == files and Hub.tokens <= {f"Bearer {TOKEN}", None}
    (path / "README.md").write_bytes(b"# Changed")
    assert run("-c", UPLOAD, path, "hf://owner/mine").returncode == 0
    assert Hub.commits[-1] == ("mine", ["A model", "README.md"]) and Hub.written["mine"]["README.md"] == b"# Changed"
    before = len(Hub.commits)
    done = run("-c", UPLOAD, path, "hf://owner/mine")
    assert done.returncode == 0 and not done.stderr and len(Hub.commits) == before


def test_an_upload_that_broke_off_goes_on(run, folder):
    path, files = folder
    (path / "model.weights.h5").write_bytes(files["model.weights.h5"][::-1])
    done = run("-c", f"{UPLOAD}", path, "hf://owner/broken")
    assert done.returncode and "hf://owner/broken: the hub can't be reached" in done.stderr.splitlines()[-1]
    sent = [target for method, target, _ in Hub.requests if method == "PUT"]
    assert run("-c", UPLOAD, path, "hf://owner/broken").returncode == 0
    assert Hub.written["broken"]["model.weights.h5"] == files["model.weights.h5"][::-1]
    assert [target for method, target, _ in Hub.requests if method == "PUT"] == sent  # the large file was there


@pytest.mark.parametrize("target, offline, message", [
    ("hf://owner/closed", False, "this token may not write there"),
    ("hf://owner/mine@main", False, "leave the revision out"),
    ("hf://owner", False, "is named hf://owner/name"),
    ("hf://owner/mine", True, "the hub can't be reached"),
])
def test_what_can_not_be_uploaded_is_one_line(target, offline, message, run, folder):
    endpoint = {"endpoint": "http://127.0.0.1:9"} if offline else {}
    done = run("-c", UPLOAD, folder[0], target, **endpoint)
    assert done.returncode and message in done.stderr.splitlines()[-1]


def test_metadata_that_the_hub_refuses_is_one_line(run, folder):
    (folder[0] / "README.md").write_text("---\nlicense: no licence\n---\n")
    done = run("-c", UPLOAD, folder[0], "hf://owner/mine")
    assert done.returncode and "hf://owner/mine: refused: " in done.stderr and "must be one of many" in done.stderr


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install speechzoo\[hub\]"):
        hub.download("hf://owner/name", list)
