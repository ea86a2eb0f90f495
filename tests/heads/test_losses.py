"""Losses and metrics of the classifier, slots and speaker heads, and their pooling, against NumPy."""

import math

import numpy as np
import pytest

from speechzoo.heads import ClassifierHead, SlotsHead, SpeakerHead
from speechzoo.layers.pooling import AttentiveStatisticsPooling
from tests.helpers import run_layer, spread_weights


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def test_pooling_equals_numpy():
    layer = AttentiveStatisticsPooling(hidden_size=5)
    layer.build((None, None, 3))
    spread_weights(layer)
    weights = {weight.path.split("/", 1)[-1]: np.asarray(weight, np.float64) for weight in layer.weights}
    frames = np.random.default_rng(0).standard_normal((7, 3))
    scores = np.tanh(frames @ weights["hidden/kernel"] + weights["hidden/bias"]) @ weights["score/kernel"]
    share = np.exp(scores[:4]) / np.exp(scores[:4]).sum()
    mean = (share * frames[:4]).sum(0)
    deviation = np.sqrt((share * (frames[:4] - mean) ** 2).sum(0) + 1e-5)
    pooled = layer(frames[None].astype(np.float32), np.array([4], np.int32))
    np.testing.assert_allclose(np.asarray(pooled)[0], np.concatenate([mean, deviation]), atol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_classifier_loss(smoothing):
    head = ClassifierHead(["a", "b", "c"], label_smoothing=smoothing, name="event")
    logits = np.random.default_rng(0).standard_normal((4, 3)) * 3
    right = np.array([0, 2, 2, 1])
    target = np.full((4, 3), smoothing / 3)
    target[range(4), right] += 1 - smoothing
    each = -(target * log_softmax(logits)).sum(-1)
    np.testing.assert_allclose(float(head.loss()(right, logits)), each.mean(), rtol=1e-5)
    (accuracy,) = head.metrics_for_fit()
    accuracy.update_state(right, logits)
    np.testing.assert_allclose(float(accuracy.result()), (logits.argmax(-1) == right).mean())


def test_classifier_labels():
    head = ClassifierHead(["yes", "no", "_unknown_"], label="keyword", name="keyword")
    assert [int(head.encode(word)) for word in ("yes", "no", "_unknown_", "house")] == [0, 1, 2, 2]
    with pytest.raises(ValueError, match="gender 'x' is not among the classes of head 'gender': female, male"):
        ClassifierHead(["female", "male"], name="gender").encode("x")
    for classes in (["one"], ["a", "a"], []):
        with pytest.raises(ValueError, match="head 'task': classes must be at least two different names"):
            ClassifierHead(classes, name="task")


def test_slots_loss_and_accuracy():
    head = SlotsHead({"size": ["small", "large"], "drink": ["tea"]}, name="slots")
    logits = np.random.default_rng(1).standard_normal((3, 5)) * 2
    targets = np.stack([head.encode(value) for value in ({"size": "large"}, {}, {"drink": "tea", "size": "small"})])
    assert targets.tolist() == [[2, 0], [0, 0], [1, 1]]
    each = [-log_softmax(row[:3])[size] - log_softmax(row[3:])[drink] for row, (size, drink) in zip(logits, targets)]
    np.testing.assert_allclose(float(head.loss()(targets, logits)), np.mean(each), rtol=1e-5)
    (accuracy,) = head.metrics_for_fit()
    perfect = np.zeros((3, 5))
    perfect[[0, 1, 2], [2, 0, 1]] = perfect[[0, 1, 2], [3, 3, 4]] = 1
    perfect[2, 3:] = [1, 0]  # one wrong slot makes the utterance wrong
    accuracy.update_state(targets, perfect)
    np.testing.assert_allclose(float(accuracy.result()), 2 / 3, rtol=1e-6)
    with pytest.raises(ValueError, match="slot size: 'huge' is not among the values of head 'slots'"):
        head.encode({"size": "huge"})
    assert head.encode({"minutes": "12", "drink": "tea"}).tolist() == [0, 1]  # it is not asked for the minutes
    with pytest.raises(ValueError, match="slots must map each slot to at least one value"):
        SlotsHead({"size": []}, name="slots")


def speaker_head(margin, scale=30.0):
    head = SpeakerHead(2, speakers=["ann", "bob"], margin=margin, scale=scale, name="speaker")
    head.build((None, None, 4))
    head.prototypes.assign([[2.0, 0.0], [0.0, 0.5]])  # their length does not matter
    return head


def test_angular_margin_worked_example():
    # An embedding 30 degrees from its prototype and 60 from the other; the margin of 15 degrees makes it look 45 away.
    head = speaker_head(margin=math.radians(15), scale=10.0)
    embedding = np.array([[math.cos(math.radians(30)), math.sin(math.radians(30))]])
    own, other = 10 * math.cos(math.radians(45)), 10 * math.cos(math.radians(60))
    expected = math.log(1 + math.exp(other - own))
    np.testing.assert_allclose(float(head.loss()(np.array([0]), embedding)), expected, rtol=1e-4)
    # The other way round: 60 degrees from its own, 30 from the other.
    own, other = 10 * math.cos(math.radians(75)), 10 * math.cos(math.radians(30))
    expected = math.log(1 + math.exp(other - own))
    np.testing.assert_allclose(float(head.loss()(np.array([1]), embedding)), expected, rtol=1e-4)


def test_angular_margin_equals_numpy():
    random = np.random.default_rng(0)
    head = SpeakerHead(6, speakers=list("abcde"), margin=0.3, scale=20.0, name="speaker")
    head.build((None, None, 4))
    prototypes = random.standard_normal((5, 6))
    head.prototypes.assign(prototypes)
    embedding = random.standard_normal((8, 6))
    embedding /= np.linalg.norm(embedding, axis=-1, keepdims=True)
    right = random.integers(0, 5, 8)
    angle = np.arccos(embedding @ (prototypes / np.linalg.norm(prototypes, axis=-1, keepdims=True)).T)
    logits = 20 * np.cos(angle)
    logits[range(8), right] = 20 * np.cos(angle[range(8), right] + 0.3)
    expected = -log_softmax(logits)[range(8), right].mean()
    np.testing.assert_allclose(float(head.loss()(right, embedding)), expected, rtol=1e-4)
    (accuracy,) = head.metrics_for_fit()
    accuracy.update_state(right, embedding)
    np.testing.assert_allclose(float(accuracy.result()), (angle.argmin(-1) == right).mean(), rtol=1e-6)


def test_angular_margin_falls_with_the_angle_all_the_way_round():
    head = speaker_head(margin=0.5, scale=5.0)
    angles = np.linspace(0.01, math.pi - 0.01, 60)
    losses = [float(head.loss()(np.array([0]), np.array([[math.cos(angle), 0.0]]) + [[0.0, 1e-9]])) for angle in angles]
    assert np.all(np.diff(losses) > 0)


def test_margin_zero_is_softmax_over_cosines():
    head = speaker_head(margin=0.0, scale=8.0)
    embedding = np.array([[0.6, 0.8]])
    np.testing.assert_allclose(float(head.loss()(np.array([0]), embedding)), math.log(1 + math.exp(8 * 0.2)), rtol=1e-4)


def test_embeddings_have_length_one_and_need_no_speakers():
    head = SpeakerHead(5, name="speaker")
    head.build((None, None, 4))
    (embedding,), _ = run_layer(head, np.random.default_rng(0).standard_normal((3, 9, 4)), [9, 4, 2])
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=-1), 1, atol=1e-5)
    assert head.metrics_for_fit() == []
    with pytest.raises(ValueError, match="head 'speaker' has no training speakers"):
        head.loss()
    with pytest.raises(ValueError, match="speaker 'eve' is not among the 2 training speakers of head 'speaker'"):
        speaker_head(0.2).encode("eve")
