"""`export/cpp`: built, and compared with Python head by head."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from speechzoo.decoding.ctc.segments import segments_text
from speechzoo.edge.artifact import FLATBUFFER_IDENTIFIER
from speechzoo.edge.edge_model import EdgeModel
from tests.exporters.tiny_tflite import tiny_tflite
from tests.helpers import tone, write_wav

KIT = Path(__file__).parents[2] / "export" / "cpp"
LIBRARY = Path(importlib.util.find_spec("ai_edge_litert").origin).parent / "libLiteRt.so"

pytestmark = [
    pytest.mark.skipif(not shutil.which("cmake") or not shutil.which("c++"), reason="needs CMake and a C++ compiler"),
    pytest.mark.skipif(not LIBRARY.exists(), reason="this ai-edge-litert brings no libLiteRt.so"),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    build = tmp_path_factory.mktemp("cpp")
    for command in (["cmake", "-S", KIT, "-B", build, f"-DPython3_EXECUTABLE={sys.executable}", "-DCMAKE_BUILD_TYPE=Debug",
                     "-DCMAKE_CXX_FLAGS=-Werror"], ["cmake", "--build", build]):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return build / "speechzoo"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tiny_tflite(tmp_path_factory).path


def run(*arguments):
    return subprocess.run([*map(str, arguments)], capture_output=True, text=True, errors="replace")  # damaged names


def lines_of(recognition, spec):
    """What the program should print of a recognition."""
    for name, head in spec["heads"].items():
        found = {"ctc": lambda: recognition.answer(head["label"]) if name == head["label"] else recognition.labels[name],
                 "classifier": lambda: "-" if head["label"] in recognition.unanswered else
                 f"{recognition.answer(head['label'])}\t{recognition.confidence[head['label']]:.4f}",
                 "slots": lambda: ", ".join(f"{slot}: {value}" for slot, value in recognition.slots.items())
                 + f"\t{recognition.confidence['slots']:.4f}",
                 "frame_classifier": lambda: segments_text(recognition.speech) + f"\t{recognition.confidence['speech']:.4f}",
                 "speaker": lambda: f"voice embedding of {len(recognition.speaker)} numbers"}[head["type"]]()
        yield f"{name}\t{found}"


def test_it_says_what_python_says(program, path, tmp_path):
    model = EdgeModel(path)
    sounds = [tone(0.7, 300, seed=1), tone(2.1, 900, seed=2), tone(0.02, 500), np.stack([tone(1.3, 200, seed=3)] * 2, 1)]
    wavs = [write_wav(tmp_path / f"{number}.wav", sound) for number, sound in enumerate(sounds)]
    done = run(program, path, *wavs)
    assert done.returncode == 0, done.stderr
    expected = []
    for wav in wavs:
        recognition = model.recognize(wav)
        assert recognition.transcript is not None and recognition.phones
        expected += [str(wav), *lines_of(recognition, model.spec)]
    assert [close(line) for line in done.stdout.splitlines()] == [close(line) for line in expected]


def close(line):
    """A line with its confidence to two places: the same network on two interpreters."""
    *rest, last = line.split("\t")
    return [*rest, round(float(last), 2)] if last.replace(".", "", 1).isdigit() else [*rest, last]


def test_a_head_of_another_kind_is_refused(program, path, tmp_path):
    # Of the same length, so that the zip around it stays as it is.
    assert b'"type": "speaker"' in path.read_bytes()
    (tmp_path / "new.tflite").write_bytes(path.read_bytes().replace(b'"type": "speaker"', b'"type": "prosody"'))
    done = run(program, tmp_path / "new.tflite", write_wav(tmp_path / "a.wav", tone(0.3)))
    message = "speechzoo: error: head 'speaker' is of type 'prosody', which this program can't read"
    assert done.returncode == 2 and done.stderr.splitlines()[-1] == message and "voice" not in done.stdout


def test_bad_files_are_one_line(program, path, tmp_path):
    wav = write_wav(tmp_path / "good.wav", tone(0.3))
    slow = write_wav(tmp_path / "slow.wav", tone(0.3), sample_rate=8000)
    floats = write_wav(tmp_path / "floats.wav", tone(0.3), subtype="FLOAT")
    whole = path.read_bytes()
    zip_starts = whole.index(b"PK\3\4")
    files = {"text.tflite": b"no model", "empty.tflite": b"", "bare.tflite": whole[:zip_starts],
             "cut.tflite": whole[:-30], "foreign.tflite": whole[:4] + FLATBUFFER_IDENTIFIER + bytes(100),
             "cut.wav": wav.read_bytes()[:40], "no.wav": b"RIFFxxxxWAVE"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    for model, recording, message in [
            *((tmp_path / name, wav, name) for name in files if name.endswith(".tflite")),
            (tmp_path / "missing.tflite", wav, "missing.tflite"), (path, tmp_path / "missing.wav", "missing.wav: can't be read"),
            (path, slow, "16 bits at 8000 Hz; the model hears 16-bit PCM at 16000 Hz"), (path, floats, "32 bits at 16000 Hz"),
            (path, tmp_path / "cut.wav", "holds no samples"), (path, tmp_path / "no.wav", "holds no samples")]:
        done = run(program, model, recording)
        assert done.returncode == 2 and message in done.stderr and not done.stdout, done
        assert done.stderr.splitlines()[-1].startswith("speechzoo: error: ")
    random = np.random.default_rng(4)
    for _ in range(20):  # damage anywhere behind the network: refused or survived, never a crash
        damaged = bytearray(whole)
        for place in random.integers(zip_starts, len(whole), 3):
            damaged[place] = random.integers(256)
        (tmp_path / "damaged.tflite").write_bytes(damaged)
        assert run(program, tmp_path / "damaged.tflite", wav).returncode in (0, 2)
    assert run(program).returncode == 2
