"""Targets and loss of the alignment head, by hand and against NumPy."""

import numpy as np
import pytest

from speechzoo.heads import AlignmentHead
from speechzoo.heads.ctc_loss import IMPOSSIBLE
from speechzoo.heads.frame_labels import frame_targets

# Silence is class 0, then the phones in the order of the alphabet: AA 1, AE 2, AH 3, ...
PAIRS = [["SIL", 0.3], ["AE", 0.4], ["AA", 1.0]]


def logits_of(frames, padded=0, seed=0):
    logits = np.random.default_rng(seed).standard_normal((1, frames + padded, 40)).astype(np.float32)
    logits[:, frames:] = IMPOSSIBLE
    logits[:, frames:, 0] = 0
    return logits


def targets_of(*rows):
    size = max(map(len, rows))
    head = AlignmentHead(name="alignment")
    return np.stack([np.pad(head.encode(row), ((0, size - len(row)), (0, 0))) for row in rows])


def test_a_frame_has_the_phone_of_its_middle():
    target, valid = frame_targets(targets_of(PAIRS), logits_of(10))
    assert np.asarray(target).tolist() == [[0, 0, 0, 2, 1, 1, 1, 1, 1, 1]] and np.asarray(valid).all()
    # Twice as fast is half as many frames: middles at 0.1, 0.3, 0.5, 0.7 and 0.9 s of the alignment.
    target, valid = frame_targets(targets_of(PAIRS), logits_of(5, padded=2))
    assert np.asarray(target)[0, :5].tolist() == [0, 2, 1, 1, 1]
    assert np.asarray(valid).tolist() == [[1, 1, 1, 1, 1, 0, 0]]


def test_loss_and_accuracy_equal_numpy():
    head, logits = AlignmentHead(name="alignment"), logits_of(10, padded=3)
    right = [0, 0, 0, 2, 1, 1, 1, 1, 1, 1]
    log_probabilities = logits[0, :10] - np.log(np.exp(logits[0, :10]).sum(-1, keepdims=True))
    expected = -log_probabilities[range(10), right].mean()
    np.testing.assert_allclose(float(head.loss()(targets_of(PAIRS), logits)), expected, rtol=1e-5)
    (accuracy,) = head.metrics_for_fit()
    logits[0, range(7), right[:7]] = 9
    logits[0, 7:10, 20] = 9
    accuracy.update_state(targets_of(PAIRS), logits)
    np.testing.assert_allclose(float(accuracy.result()), 0.7, rtol=1e-6)


def test_a_batch_without_alignments():
    head = AlignmentHead(name="alignment")
    nothing = np.zeros((1, 0, 2), np.int32)
    assert np.isfinite(float(head.loss()(nothing, logits_of(6))))
    assert float(head.loss()(nothing, logits_of(6), sample_weight=np.zeros(1, np.float32))) == 0
    with pytest.raises(ValueError, match="alignment of head 'alignment': 'QQ' is not among SIL, AA"):
        head.encode([["QQ", 0.1]])
