"""Words are learnt inside the exported file, whatever its weights are stored in, and what is learnt can be kept."""

import subprocess
import sys

import numpy as np
import pytest

from speechzoo.audio import AudioError
from speechzoo.cli import main
from speechzoo.decoding.recognition import select_heads
from speechzoo.edge import signatures
from speechzoo.edge.artifact import read_artifact, write_artifact
from speechzoo.edge.custom_words import CustomWords, word_window
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.edge.learnt_file import LearntFileError
from speechzoo.exporters.network.flatbuffer import custom_operators
from speechzoo.exporters.network.quantization import quantize_weights
from speechzoo.exporters.signatures.custom_words import (LEARNING_RATE, LOGIT_SCALE, MAXIMUM_WORDS, WordLearner,
                                                        word_head)
from speechzoo.exporters.tflite import export_tflite
from tests.exporters.tiny_tflite import SOUNDS, tiny_tflite
from tests.helpers import tone, write_wav
from tests.tiny_models import tiny_model


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    written = export_tflite(tiny_model(), tmp_path_factory.mktemp("learn"), representative=SOUNDS,
                            heads=["phones", "keyword"], signatures=["learn"])
    return written.path


def chirp(low, high, seed, seconds=0.6):
    """A "word" of two tones, spoken differently by every seed."""
    factor = 1 + 0.02 * np.random.default_rng(seed).standard_normal()
    return np.concatenate([tone(seconds / 2, low * factor, seed=seed), tone(seconds / 2, high * factor, seed=seed + 1)])


def examples(low, high, count=5):
    return [chirp(low, high, seed) for seed in range(count)]


def learnt(path, **options):
    words = CustomWords(EdgeModel(path), **options)
    words.add("up", examples(300, 2500))
    words.add("down", examples(3000, 400))
    return words


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def test_words_are_learnt_and_forgotten(path):
    words = learnt(path)
    assert words.names == ["up", "down"]
    for seed in range(20, 24):
        assert words.recognize(chirp(300, 2500, seed))[0] == "up"
        assert words.recognize(chirp(3000, 400, seed))[0] == "down"
    for sound in SOUNDS:  # the background
        assert words.recognize(sound)[0] is None
    both = words.scores(chirp(300, 2500, 30))
    words.forget("down")
    assert words.recognize(chirp(300, 2500, 20))[0] == "up" and list(words.scores(SOUNDS[0])) == ["up"]
    words.add("down", examples(3000, 400))
    assert words.scores(chirp(300, 2500, 30)) == pytest.approx(both)  # nothing of before is left
    words.forget("up"), words.forget("down")
    assert words.recognize(SOUNDS[0]) == (None, 0.0) and not words.weights["kernel"].any()


def test_training_is_gradient_descent_on_the_logistic_loss(path):
    model, random = EdgeModel(path), np.random.default_rng(5)
    teacher = tiny_model_with(["phones", "keyword"])
    learner = WordLearner(teacher, teacher.spec, SOUNDS)
    embedding = random.standard_normal((4, learner.kernel.shape[1])).astype(np.float32)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    kernel = 0.1 * random.standard_normal(learner.kernel.shape).astype(np.float32)
    bias = 0.1 * random.standard_normal(MAXIMUM_WORDS).astype(np.float32)
    target = np.eye(MAXIMUM_WORDS, dtype=np.float32)[[0, 0, 1, 1]]
    assert model.run("restore", kernel=kernel, bias=bias)["words"] == MAXIMUM_WORDS

    def loss(kernel, bias):
        inputs, wanted = np.concatenate([embedding, learner._background]), np.zeros((4 + len(learner._background), 2))
        wanted[:4] = target[:, :2]
        p = sigmoid(LOGIT_SCALE * (inputs.astype(float) @ kernel[:2].T + bias[:2]))
        return sum(-0.5 * (np.log(p[wanted[:, word] > 0, word]).mean() + np.log(1 - p[wanted[:, word] == 0, word]).mean())
                   for word in range(2)) / 2

    first = model.run("learn", embedding=embedding, target=target)["loss"]
    assert first == pytest.approx(loss(kernel, bias), rel=1e-4)
    after = model.run("save")
    np.testing.assert_array_equal(after["kernel"][2:], kernel[2:])  # words that weren't taught
    step = 1e-5
    for row, column in ((0, 3), (1, 7)):
        moved = kernel.astype(float)
        moved[row, column] += step
        slope = (loss(moved, bias) - loss(kernel.astype(float), bias)) / step
        change = kernel[row, column] - after["kernel"][row, column]
        assert change == pytest.approx(2 * LEARNING_RATE * slope, rel=0.02, abs=1e-5)
    assert model.run("learn", embedding=embedding, target=target)["loss"] < first


def tiny_model_with(heads):
    from speechzoo.exporters.selection import keep_heads

    return keep_heads(tiny_model(), heads)


@pytest.mark.parametrize("mode", ["float16", "dynamic"])
def test_files_with_smaller_weights_learn_too(path, mode, tmp_path):
    smaller = quantize_weights(path.read_bytes(), mode)
    assert custom_operators(smaller) == []
    write_artifact(tmp_path / "m.tflite", smaller, read_artifact(path))
    words = learnt(tmp_path / "m.tflite")
    assert words.recognize(chirp(300, 2500, 20))[0] == "up" and words.recognize(chirp(3000, 400, 21))[0] == "down"
    words.save(tmp_path / "words.npz")
    CustomWords(EdgeModel(path)).load(tmp_path / "words.npz")  # the same model, in other numbers


def test_a_word_fills_its_window():
    short, long = word_window(tone(0.5), 16000), word_window(np.concatenate([0.1 * tone(2), tone(1), 0.1 * tone(1)]), 16000)
    assert len(short) == len(long) == 19200
    np.testing.assert_allclose(short[5600:13600], tone(0.5), atol=1e-3)
    assert np.abs(short[:5600]).max() < 1e-3 and np.square(long).sum() > 0.95 * np.square(tone(1)).sum()


def test_the_signatures_agree_and_share_what_is_learnt(path):
    words = learnt(path)
    assert set(words.model.signatures) == {signatures.RECOGNIZE, *signatures.CUSTOM_WORDS}
    sound = chirp(300, 2500, 40)[None]
    embedding = words.model.run("embed_word", audio=sound)["embedding"]
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)
    logits = LOGIT_SCALE * (embedding @ words.weights["kernel"].T + words.weights["bias"])
    np.testing.assert_allclose(words.model.run("infer_custom", audio=sound)["scores"], sigmoid(logits), atol=1e-4)
    other = CustomWords(words.model)  # two of one file don't touch each other
    other.add("noise", [SOUNDS[0]])
    assert words.recognize(sound[0])[0] == "up" and other.names == ["noise"]


def test_saved_words_are_the_same_and_whole(path, tmp_path):
    words, file = learnt(path), tmp_path / "words.npz"
    words.save(file)
    again = CustomWords(EdgeModel(path))
    again.load(file)
    assert again.names == ["up", "down"] and again.scores(SOUNDS[0]) == words.scores(SOUNDS[0])
    again.add("third", examples(900, 900, 1))  # it goes on learning
    assert again.recognize(chirp(3000, 400, 20))[0] == "down"
    for content in (file.read_bytes()[:500], b""):
        file.write_bytes(content)
        with pytest.raises(LearntFileError, match="no file of words, or a damaged one"):
            again.load(file)
    assert again.names == ["up", "down", "third"]
    CustomWords(EdgeModel(path)).save(file)
    again.load(file)
    assert again.names == []


def test_wrong_input_says_so(path, tmp_path, tmp_path_factory):
    words = learnt(path)
    with pytest.raises(AudioError, match="longer than 5 s"):
        words.add("long", [tone(6)])
    with pytest.raises(AudioError, match="not a finite number"):
        words.recognize(np.full(8000, np.nan, np.float32))
    with pytest.raises(ValueError, match="'ups' hasn't been learnt; learnt are: up, down"):
        words.forget("ups")
    with pytest.raises(ValueError, match="give a list of 1 to 10 recordings, got 11"):
        words.add("up", examples(300, 2500, 11))
    assert words.recognize(tone(0.6, sample_rate=48000), 48000)[1] < 1  # any rate
    words.steps = 0
    for number in range(MAXIMUM_WORDS - 2):
        words.add(f"word {number}", [SOUNDS[0]])
    with pytest.raises(ValueError, match="no room for 'eleventh': 10 words are learnt; forget one of up, down, word 0"):
        words.add("eleventh", [SOUNDS[0]])
    with pytest.raises(ValueError, match="has no signature 'save'; it has: recognize"):
        CustomWords(EdgeModel(tiny_tflite(tmp_path_factory).path))
    with pytest.raises(ValueError, match="leave out the signature 'learn', or use quantize 'dynamic'"):
        export_tflite(tiny_model(), tmp_path, "int8", signatures=["learn"])


@pytest.mark.parametrize("heads, chosen", [(["letters", "phones", "keyword"], "phones"), (["keyword", "letters"], "letters"),
                                           (["language", "keyword"], "keyword"), (["language", "speaker"], None)])
def test_which_head_hears_words(heads, chosen):
    assert word_head(select_heads(tiny_model().spec, heads)) == chosen


def test_commands_on_a_device_without_tensorflow(path, tmp_path, capsys):
    recordings = [str(write_wav(tmp_path / f"{seed}.wav", sound)) for seed, sound in enumerate(examples(300, 2500))]
    file = str(tmp_path / "words.npz")
    code = ("import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\nfrom speechzoo.cli import main\n"
            f"main({['learn', str(path), 'up', *recordings, '--keywords', file]!r})")
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.returncode == 0 and child.stdout == f"{file}: up\n", child.stderr
    with pytest.raises(SystemExit) as ended:
        main(["recognize", str(path), recordings[0], "--keywords", file, "--heads", "keyword"])
    out = capsys.readouterr().out
    assert ended.value.code == 0 and out.split()[-1] == "up"
    with pytest.raises(SystemExit):
        main(["listen", str(path), recordings[0], "--keywords", file, "--partial"])
    assert "so nothing is partial" in capsys.readouterr().err
