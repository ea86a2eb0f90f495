"""Figures over frames against scikit-learn, and by hand."""

import numpy as np
import pytest

from speechzoo.heads.frame_labels import encode_frames, frame_targets
from speechzoo.metrics.frames import area_under_roc, frame_accuracy, frame_counts, frame_f1, frame_references
from speechzoo.metrics.scores import score_frames

CLASSES = ["none", "speech"]


def test_everything_equals_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    for decimals in (1, 8):  # many equal scores, and hardly any
        references = [random.integers(0, 2, size) for size in (30, 1, 50)]
        scores = [np.clip(reference * 0.2 + random.uniform(0, 0.8, len(reference)), 0, 1).round(decimals)
                  for reference in references]
        reference, score = np.concatenate(references), np.concatenate(scores)
        counts = frame_counts(references, scores).sum(axis=0)
        assert frame_accuracy(counts) == pytest.approx(metrics.accuracy_score(reference, score > 0.5))
        assert frame_f1(counts) == pytest.approx(metrics.f1_score(reference, score > 0.5))
        assert area_under_roc(score[reference == 1], score[reference == 0]) == pytest.approx(
            metrics.roc_auc_score(reference, score))


def test_area_by_hand():
    assert area_under_roc([3, 4], [1, 2]) == 1 and area_under_roc([1], [1]) == 0.5 and area_under_roc([1], [2]) == 0
    with pytest.raises(ValueError, match="2 positives and 0 negatives"):
        area_under_roc([1, 2], [])


@pytest.mark.parametrize("label", ["none", "speech", [["speech", 3.0]],
                                   [["none", 0.31], ["speech", 1.1], ["none", 1.5], ["speech", 2.0]]])
@pytest.mark.parametrize("frames", [1, 7, 40])
def test_references_are_the_targets_of_training(label, frames):
    target, _ = frame_targets(encode_frames(label, CLASSES)[None], np.zeros((1, frames, 2), np.float32))
    assert frame_references(label, CLASSES, frames).tolist() == np.asarray(target)[0].tolist()


def test_scores_of_a_head():
    labels = [[["none", 0.5], ["speech", 1.0]], "none"]
    answers = [np.array([0.1, 0.6, 0.7, 0.8]), np.array([0.2, 0.9])]
    scores = score_frames(CLASSES, labels, answers, ["ann", "bob"])
    assert scores["accuracy"] == pytest.approx(4 / 6, abs=1e-6) and scores["f1"] == pytest.approx(2 * 2 / 6, abs=1e-6)
    # 0.7 and 0.8 against 0.1, 0.6, 0.2 and 0.9: six of eight pairs.
    assert scores["auc"] == pytest.approx(6 / 8) and len(scores["accuracy_interval"]) == 2
    assert set(score_frames(CLASSES, labels[1:], answers[1:], ["bob"])) == {"accuracy"}
