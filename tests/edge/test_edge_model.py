"""The device's side: no TensorFlow, clear errors."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from speechzoo.decoding.commands.decoder import CommandDecoder
from speechzoo.edge.artifact import Artifact, ArtifactError, read_artifact, write_artifact
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.grammar.nodes import Grammar, Words
from tests.exporters.tiny_tflite import tiny_tflite
from tests.helpers import encoded, tone, write_wav

# What a device doesn't have; h5py, yaml, rich and jiwer are not in export/raspberry_pi/requirements.txt either.
WITHOUT = ("tensorflow", "keras", "tensorflow_datasets", "h5py", "yaml", "rich", "jiwer", "jax")
BLOCKER = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {WITHOUT!r}:
            raise ImportError(f"{{name}} is not on the device")
sys.meta_path.insert(0, Blocker())
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tiny_tflite(tmp_path_factory).path


def test_it_needs_no_tensorflow(path, tmp_path):
    wav = write_wav(tmp_path / "a.wav", tone(0.6, seed=2))
    code = BLOCKER + f"""
import speechzoo
answer = speechzoo.EdgeModel({str(path)!r}, threads=2).recognize({str(wav)!r}, heads=["keyword"])
print(answer.keyword, answer.speaker)
"""
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    assert child.stdout.split()[0] in ("yes", "no", "_unknown_") and child.stdout.split()[1] == "None"


def test_the_command_line_needs_no_tensorflow(path, tmp_path):
    wav = write_wav(tmp_path / "a.wav", tone(0.6, seed=2))
    code = BLOCKER + f"from speechzoo.cli import main\nmain(['recognize', {str(path)!r}, {str(wav)!r}, '--json'])"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    assert '"keyword"' in child.stdout


def test_commands_need_no_more_than_a_compiled_grammar(path, tmp_path):
    grammar = Grammar("halt", {"halt": Words("a")})
    CommandDecoder(grammar, read_artifact(path).spec).compiled.save(tmp_path / "halt.npz")
    wav = write_wav(tmp_path / "a.wav", tone(0.6, seed=2))
    code = BLOCKER + f"""
import speechzoo
answer = speechzoo.EdgeModel({str(path)!r}).recognize({str(wav)!r}, grammar={str(tmp_path / "halt.npz")!r})
print(answer.intent, answer.slots)
"""
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    assert child.stdout.split() in (["halt", "{}"], ["none", "{}"])


def test_paths_bytes_and_arrays_give_the_same(path, tmp_path):
    device, audio = EdgeModel(path), tone(0.5, seed=5)
    pcm = np.rint(audio * 32768) / 32768
    answers = [device.recognize(source, *rate).to_dict() for source, rate in (
        (write_wav(tmp_path / "a.wav", pcm), ()), (encoded(pcm, "FLAC"), ()), (pcm.astype(np.float32), ()),
        (np.stack([pcm, pcm], 1), (16000,)))]
    assert all(answer == answers[0] for answer in answers[1:])


def test_other_sample_rates_are_resampled(path):
    assert EdgeModel(path).recognize(tone(0.5, sample_rate=48000), 48000).keyword is not None


def test_wrong_input_says_so(path):
    device = EdgeModel(path)
    with pytest.raises(ValueError, match="shape .2, 800."):
        device.batch_outputs([np.zeros((2, 800), np.float32)])
    with pytest.raises(ValueError, match="no head 'sounds'; it has: "):
        device.batch_outputs([np.zeros(800, np.float32)], ["keyword", "sounds"])
    with pytest.raises(ValueError, match="no head 'intent'"):
        device.recognize(np.zeros(800, np.float32), heads=["intent"])
    with pytest.raises(ValueError, match="not a finite number"):
        device.recognize(np.full(800, np.nan, np.float32))
    with pytest.raises(ValueError, match="threads"):
        EdgeModel(path, threads=0)


def test_a_network_that_can_not_run_says_so(path, tmp_path):
    broken = tmp_path / "broken.tflite"
    write_artifact(broken, b"\x1c\0\0\0TFL3" + bytes(64), read_artifact(path))
    with pytest.raises(ArtifactError, match="LiteRT can't run it") as caught:
        EdgeModel(broken)
    assert "\n" not in str(caught.value)


def test_a_spec_of_another_network_is_refused(path, tmp_path):
    event = {"type": "classifier", "label": "event", "classes": ["a"]}
    spec = {"name": "x", "sample_rate": 16000, "heads": {"event": event}}
    write_artifact(tmp_path / "x.tflite", path.read_bytes(), Artifact(spec))
    with pytest.raises(ArtifactError, match="are not the heads of its spec"):
        EdgeModel(tmp_path / "x.tflite")


@pytest.mark.slow
def test_a_clean_environment_with_the_short_requirements(path, tmp_path):
    """As `export/raspberry_pi/README.md` says; needs a package index."""
    root = Path(__file__).parents[2]
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    try:
        subprocess.run([*pip, "-r", root / "export/raspberry_pi/requirements.txt"], check=True, timeout=300)
        subprocess.run([*pip, "setuptools", "wheel"], check=True, timeout=120)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip("no package index can be reached")
    # From a copy: building leaves folders behind.
    names = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")
    (tmp_path / "source").mkdir()
    for name in names:
        if (root / name).exists():
            shutil.copy(root / name, tmp_path / "source")
    for folder in ("speechzoo", "zoo_configs"):
        shutil.copytree(root / folder, tmp_path / "source" / folder, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", tmp_path / "source"], check=True, timeout=300)
    wav = write_wav(tmp_path / "a.wav", tone(0.6, seed=2))
    command = [python, "-m", "speechzoo", "recognize", path, wav]
    child = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert child.returncode == 0, child.stderr
    assert "keyword" in child.stdout
    there = subprocess.run([python, "-m", "pip", "list"], capture_output=True, text=True).stdout.lower()
    assert "tensorflow" not in there and "keras" not in there
