"""CTC: loss and gradient against TensorFlow's and against all paths written out; units; error rate."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from speechzoo.heads import CTCHead
from speechzoo.heads.ctc_loss import IMPOSSIBLE, CTCLoss
from speechzoo.heads.error_rate import TokenErrorRate, collapse
from speechzoo.text.units import CHARACTERS, PHONES
from tests.helpers import run_layer


def mask_frames(logits, frames):
    """Padding as the head gives it: blank has probability one."""
    logits = np.array(logits, np.float32)
    for row, count in enumerate(frames):
        logits[row, count:] = IMPOSSIBLE
        logits[row, count:, 0] = 0.0
    return logits


def loss_and_gradient(targets, logits):
    logits = tf.constant(logits, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = CTCLoss(reduction=None)(np.asarray(targets, np.int32), logits)
        total = tf.reduce_sum(loss)
    return loss.numpy(), tape.gradient(total, logits).numpy()


def all_paths(target, logits):
    """-log of the summed probability of every path that collapses to `target`; logits (frames, units + 1)."""
    probability = np.exp(logits - np.log(np.exp(logits).sum(-1, keepdims=True)))
    total = 0.0
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        if [unit for unit, _ in itertools.groupby(path) if unit] == list(target):
            total += np.prod([probability[frame, unit] for frame, unit in enumerate(path)])
    return -np.log(total) if total else None


@pytest.mark.parametrize("target", [[], [1], [2, 1], [1, 1], [1, 2, 1], [2, 2, 1], [1, 2, 1, 2]])
def test_loss_equals_the_sum_over_all_paths(target):
    logits = 2 * np.random.default_rng(len(target)).standard_normal((5, 3))
    padded = np.zeros((1, 6), np.int32)
    padded[0, :len(target)] = target
    loss, gradient = loss_and_gradient(padded, logits[None])
    np.testing.assert_allclose(loss[0], all_paths(target, logits), rtol=1e-5)
    step = 1e-4
    for frame, unit in [(0, 0), (1, 1), (2, 2), (4, 0), (4, 1)]:
        moved = [logits.copy(), logits.copy()]
        moved[0][frame, unit] -= step
        moved[1][frame, unit] += step
        slope = (all_paths(target, moved[1]) - all_paths(target, moved[0])) / (2 * step)
        np.testing.assert_allclose(gradient[0, frame, unit], slope, atol=1e-4)


def test_loss_and_gradient_equal_tensorflow():
    random = np.random.default_rng(0)
    lengths, frames = np.array([4, 1, 0, 6, 3, 5]), np.array([20, 5, 7, 14, 9, 20])
    targets = np.array([np.pad(random.integers(1, 7, length), (0, 6 - length)) for length in lengths], np.int32)
    targets[3] = [2, 2, 2, 5, 5, 1]  # repeats need a blank between them
    logits = (3 * random.standard_normal((6, 20, 7))).astype(np.float32)
    loss, gradient = loss_and_gradient(targets, mask_frames(logits, frames))
    with tf.GradientTape() as tape:
        variable = tf.constant(logits)
        tape.watch(variable)
        expected = tf.nn.ctc_loss(targets, variable, lengths, frames, logits_time_major=False, blank_index=0)
    expected_gradient = tape.gradient(expected, variable).numpy()
    np.testing.assert_allclose(loss, expected, rtol=1e-5, atol=1e-4)
    for row, count in enumerate(frames):
        np.testing.assert_allclose(gradient[row, :count], expected_gradient[row, :count], atol=1e-5)
        assert not gradient[row, count:].any()


def test_examples_that_cannot_be_aligned_count_as_zero():
    targets = np.array([[1, 2, 3, 1], [1, 1, 0, 0], [1, 1, 1, 0], [1, 2, 0, 0]], np.int32)
    frames = [3, 2, 5, 2]  # too few, no room for the blank, just enough, just enough
    logits = np.random.default_rng(0).standard_normal((4, 6, 4))
    loss, gradient = loss_and_gradient(targets, mask_frames(logits, frames))
    assert (loss > 0).tolist() == [False, False, True, True]
    assert not gradient[:2].any() and gradient[2].any() and gradient[3].any()
    assert np.all(np.isfinite(loss)) and np.all(np.isfinite(gradient))


def test_a_batch_of_empty_transcripts_is_all_blank():
    logits = np.random.default_rng(0).standard_normal((2, 5, 4)).astype(np.float32)
    for targets in (np.zeros((2, 3), np.int32), np.zeros((2, 0), np.int32)):
        loss, gradient = loss_and_gradient(targets, logits)
        log_blank = logits[..., 0] - np.log(np.exp(logits).sum(-1))
        np.testing.assert_allclose(loss, -log_blank.sum(1), rtol=1e-5)
        assert np.all(np.isfinite(gradient))


def test_extreme_logits_stay_finite():
    targets = np.array([[1, 2], [1, 1]], np.int32)
    logits = np.zeros((2, 4, 3), np.float32)
    logits[0, :, 0], logits[1, :, 2] = 1e4, 1e4  # nearly impossible, but not quite
    loss, gradient = loss_and_gradient(targets, logits)
    assert np.all(np.isfinite(loss)) and np.all(np.isfinite(gradient)) and np.all(loss > 1e4)
    certain = np.full((1, 3, 3), -50.0, np.float32)
    certain[0, [0, 1, 2], [1, 0, 2]] = 50.0
    loss, gradient = loss_and_gradient(np.array([[1, 2]], np.int32), certain)
    np.testing.assert_allclose(loss, 0, atol=1e-5)
    np.testing.assert_allclose(gradient, 0, atol=1e-5)


def test_loss_works_in_a_graph_with_unknown_shapes():
    function = tf.function(lambda targets, logits: CTCLoss()(targets, logits),
                           input_signature=[tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None, None, 4))])
    random = np.random.default_rng(0)
    for batch, units, frames in ((1, 1, 4), (3, 2, 7), (2, 0, 3), (2, 1, 1)):
        targets = random.integers(1, 4, (batch, units)).astype(np.int32)
        logits = random.standard_normal((batch, frames, 4)).astype(np.float32)
        np.testing.assert_allclose(function(targets, logits), CTCLoss()(targets, logits), rtol=1e-5)


# -- the head ---------------------------------------------------------------------------------------------------------

def test_padded_frames_are_certainly_blank():
    head = CTCHead("characters", name="transcript")
    head.build((None, None, 4))
    (logits,), _ = run_layer(head, np.random.default_rng(0).standard_normal((2, 5, 4)), [5, 2])
    assert (logits[1, 2:, 0] == 0).all() and (logits[1, 2:, 1:] == -1e9).all()
    assert np.abs(logits[0]).max() < 100


def test_units():
    assert CTCHead("characters", name="t").units == CHARACTERS == [" ", "'", *"abcdefghijklmnopqrstuvwxyz"]
    assert len(PHONES) == 39 and all("0" <= phone < "ZZ" and phone.isalpha() for phone in PHONES)
    assert CTCHead("characters", name="t").encode("it's a").tolist() == [11, 22, 2, 21, 1, 3]
    assert CTCHead("phones", name="p").encode("AA ZH").tolist() == [1, 39]
    spec = CTCHead(["b", "\u2581"], name="pieces").spec()
    assert (spec["kind"], spec["units"], spec["label"]) == ("pieces", ["b", "\u2581"], "pieces")


def test_listed_characters():
    head = CTCHead(["b", "<|unk|>", " ", "a"], name="transcript")
    assert head.spec()["kind"] == "characters" and head.encode("a b").tolist() == [4, 3, 1]
    assert CTCHead.from_config(head.get_config()).units == head.units
    assert CTCHead("characters", name="transcript").get_config()["units"] == "characters"


@pytest.mark.parametrize("units, label, message", [
    ("characters", "caf\u00e9", "transcript 'caf\u00e9' holds '\u00e9', which is not among the units of head 'task'"),
    ("phones", "B EH1 R", "holds 'EH1', which is not among the units of head 'task' .phones"),
    (["\u2581", "a"], "ab", "holds 'b'"),
])
def test_a_label_outside_the_units(units, label, message):
    with pytest.raises(ValueError, match=message):
        CTCHead(units, label="transcript", name="task").encode(label)


def test_unknown_units():
    with pytest.raises(ValueError, match="head 'task': units 'letters' is not characters, phones or a list of .*characters"):
        CTCHead("letters", name="task")


# -- token error rate -------------------------------------------------------------------------------------------------

def levenshtein(one, two):
    table = np.zeros((len(one) + 1, len(two) + 1), int)
    table[:, 0], table[0] = range(len(one) + 1), range(len(two) + 1)
    for i, j in itertools.product(range(len(one)), range(len(two))):
        table[i + 1, j + 1] = min(table[i, j + 1] + 1, table[i + 1, j] + 1, table[i, j] + (one[i] != two[j]))
    return table[-1, -1]


def greedy(path):
    return [unit for unit, _ in itertools.groupby(path) if unit]


def test_collapse_drops_repeats_then_blanks():
    units, lengths = collapse(np.array([[0, 1, 1, 0, 1, 2, 2, 0], [0] * 8, [3] * 8, [1, 2] * 4]))
    assert lengths.numpy().tolist() == [3, 0, 1, 8]
    assert units.numpy()[0].tolist() == [1, 1, 2, 0, 0, 0, 0, 0] and units.numpy()[3].tolist() == [1, 2] * 4


@pytest.mark.parametrize("seed", range(4))
def test_token_error_rate_equals_levenshtein(seed):
    random = np.random.default_rng(seed)
    metric, edits, units = TokenErrorRate(), 0.0, 0.0
    for batch, longest, frames in ((5, 7, 12), (3, 1, 4), (2, 9, 3)):
        lengths = random.integers(0, longest + 1, batch)
        targets = np.array([np.pad(random.integers(1, 5, length), (0, longest - length)) for length in lengths])
        path = random.integers(0, 5, (batch, frames))
        weight = random.integers(0, 2, batch).astype(np.float32)
        metric.update_state(targets, np.eye(5, dtype=np.float32)[path], sample_weight=weight)
        for row in np.flatnonzero(weight):
            edits += levenshtein(targets[row, :lengths[row]].tolist(), greedy(path[row]))
            units += lengths[row]
    np.testing.assert_allclose(float(metric.result()), edits / max(units, 1), rtol=1e-6)
    metric.reset_state()
    metric.update_state(np.array([[1, 2, 3]]), np.eye(5, dtype=np.float32)[np.zeros((1, 4), int)])
    assert float(metric.result()) == 1.0
