"""Models that become surer, as docs/domains.md has them: the objectives by hand, what trains and what is forgotten."""

import keras
import numpy as np
import pytest

from speechzoo import load, save
from speechzoo.adaptation import AdaptingRecognizer, minimize_entropy
from speechzoo.adaptation.objective import class_confusion, classifier_objective, ctc_objective
from speechzoo.config import ConfigError
from speechzoo.weights import model_values
from tests.helpers import tone, write_wav
from tests.tiny_models import build, tiny

@pytest.fixture(autouse=True)
def eager():
    """Without graphs, which take longer to make than a few steps; those of tests/cli/test_adapt_domain.py have them."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


SMALL = {"type": "log_mel", "hop_seconds": 0.03, "window_seconds": 0.03}


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


# -- objectives --------------------------------------------------------------------------------------------------------

def test_the_objective_of_ctc_by_hand():
    random = np.random.default_rng(0)
    logits, lengths = 3 * random.standard_normal((2, 7, 4)), [7, 4]
    logits[0, 2] = [9, 0, 1, 0]  # a blank
    valid = np.float32(np.arange(7)[None] < np.array(lengths)[:, None])
    expected = []
    for row, length in zip(logits, lengths):
        frames = softmax(row[:length] / 2.5)
        speaks = row[:length].argmax(-1) != 0
        entropy = np.mean([-np.sum(frame * np.log(frame)) for frame in frames[speaks]])
        confusion = np.array([[frames[:, one] @ frames[:, other] for other in range(4)] for one in range(4)])
        confusion /= confusion.sum(1, keepdims=True)
        expected.append(0.3 * entropy + 0.7 * (confusion.sum() - np.trace(confusion)) / 4)
    np.testing.assert_allclose(np.array(ctc_objective(logits.astype(np.float32), valid)), expected, rtol=1e-5)


def test_the_objective_of_classes_by_hand_and_its_ends():
    logits = np.float32([[0, 0, 0], [1, 2, 3], [50, 0, 0]])
    probabilities = softmax(logits.astype(np.float64))
    expected = [np.log(3), -np.sum(probabilities[1] * np.log(probabilities[1])), 0]
    np.testing.assert_allclose(np.array(classifier_objective(logits, None)), expected, atol=1e-6)
    sure = np.float32(60 * np.eye(3)[[0, 1, 2, 1]])[None]
    ones = np.ones((1, 4), np.float32)
    np.testing.assert_allclose(np.array(class_confusion(sure, ones)), [0], atol=1e-6)
    np.testing.assert_allclose(np.array(class_confusion(0 * sure, ones)), [2 / 3], atol=1e-6)


# -- models ------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def letters():
    """A model that writes and classifies, with normalisations of frames."""
    return build(tiny(frontend=SMALL, backbone="whisper", heads=("letters", "keyword")))


def test_it_adapts_to_each_recording_and_forgets_it(letters):
    before = model_values(letters)
    trainable = [weight.trainable for weight in letters.weights]
    audios = [tone(0.6, 300.0, seed=1), tone(0.9, 700.0, seed=2)]
    plain = letters.batch_outputs(audios)
    adapting = AdaptingRecognizer(letters, steps=3, learning_rate=3e-3)
    assert adapting.heads == ["letters"]
    outputs = adapting.batch_outputs(audios)
    for path, value in model_values(letters).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)
    assert [weight.trainable for weight in letters.weights] == trainable
    # Alone or behind another one, a recording's answer is the same; and it isn't the plain one, but a surer one.
    alone, = AdaptingRecognizer(letters, steps=3, learning_rate=3e-3).batch_outputs(audios[1:])
    np.testing.assert_allclose(outputs[1]["letters"], alone["letters"], atol=1e-5)
    for was, now in zip(plain, outputs):
        frames = len(now["letters"])  # the first batch has the padding of the longer one
        first, second = (float(ctc_objective(each["letters"][None, :frames], np.ones((1, frames), np.float32))[0])
                         for each in (was, now))
        assert second < first - 1e-3
    assert adapting.recognize(audios[0], sample_rate=16000).transcript is not None


def test_it_goes_on_where_it_is_not_episodic(letters):
    before = model_values(letters)
    adapting = AdaptingRecognizer(letters, steps=1, learning_rate=3e-3, episodic=False)
    adapting.batch_outputs([tone(0.6, 300.0, seed=1)])
    after = model_values(letters)
    changed = {path for path in before if not np.array_equal(before[path], after[path])}
    wanted = {path for path in before if path.endswith(("/gamma", "/beta")) or path.startswith("backbone/conv")}
    assert changed and changed == {path for path in wanted if not path.startswith("keyword/")}
    adapting.reset()
    for path, value in model_values(letters).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)


def test_patterns_choose_what_trains(letters):
    adapting = AdaptingRecognizer(letters, patterns=["backbone/norm/*"], episodic=False)
    assert sorted(weight.path for weight in adapting.weights) == ["backbone/norm/beta", "backbone/norm/gamma"]
    with pytest.raises(ConfigError, match=r"patterns: no weight that trains matches 'nothing/\*'"):
        AdaptingRecognizer(letters, patterns=["nothing/*"])


def two_domains(count, shift, seed):
    """Frames of a toy classifier as audio can't be: rows around +-1, moved by `shift`, with their classes."""
    random = np.random.default_rng(seed)
    classes = random.integers(0, 2, count)
    return (2.0 * classes - 1.0 + shift + 0.25 * random.standard_normal(count)).astype(np.float32), classes


def test_entropy_finds_the_gap_between_two_classes():
    """A line between classes that the domain has moved: lowering entropy moves it back to where nothing lies."""
    gamma, beta = keras.Variable(3.0), keras.Variable(0.0)
    values, classes = two_domains(400, 0.9, 1)

    def logits():
        score = gamma * values + beta
        return keras.ops.stack([-score, score], axis=-1)

    def accuracy():
        return float(np.mean(np.argmax(np.array(logits()), -1) == classes))

    class Line(keras.Model):
        def __init__(self):
            super().__init__()
            self.beta = beta

        def call(self, inputs):
            return logits()

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return keras.ops.mean(classifier_objective(y_pred, None))

    assert accuracy() < 0.9
    model = Line()
    model.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    for _ in range(60):
        model.train_on_batch(np.zeros((1, 1), np.float32))
    assert accuracy() > 0.97


def test_a_model_for_a_folder_is_a_model_as_any_other(tmp_path):
    for number in range(4):
        write_wav(tmp_path / "kitchen" / f"{number}.wav", tone(0.5 + 0.1 * number, 300 + 200 * number, seed=number))
    (tmp_path / "kitchen" / "x.wav").write_bytes(b"nothing")
    model = build(tiny(frontend=SMALL, heads=("keyword",)))
    before = model_values(model)
    report = minimize_entropy(model, tmp_path / "kitchen", passes=4, learning_rate=1e-2, batch_seconds=1.5)
    assert report.heads == ["keyword"] and report.recordings == 4 and report.after < report.before
    assert len(report.skipped) == 1 and "x.wav" in report.skipped[0]
    after = model_values(model)
    assert before.keys() == after.keys() and "backbone/norm_1/gamma" in report.weights
    np.testing.assert_array_equal(before["backbone/norm_1/moving_mean"], after["backbone/norm_1/moving_mean"])
    save(model, tmp_path / "saved")
    for path, value in model_values(load(tmp_path / "saved")).items():
        np.testing.assert_array_equal(value, after[path], err_msg=path)


@pytest.mark.parametrize("options, message", [
    ({"heads": ["leters"]}, "has no head 'leters'; did you mean 'letters'"), ({"steps": 0}, "steps 0 must be 1 or more"),
    ({"learning_rate": 0.0}, "learning_rate 0 above 0"),
])
def test_what_is_refused(letters, options, message):
    with pytest.raises(ValueError, match=message):
        AdaptingRecognizer(letters, **options)


def test_models_that_do_not_adapt(tmp_path):
    with pytest.raises(ValueError, match="only models of the zoo and of runs adapt"):
        AdaptingRecognizer(object())
    model = build(tiny(frontend=SMALL, heads=("speaker",)), spread=False)
    with pytest.raises(ValueError, match="has no head of type ctc or classifier"):
        AdaptingRecognizer(model)
    with pytest.raises(ValueError, match="of type 'speaker'; only ctc and classifier"):
        AdaptingRecognizer(model, ["speaker"])
