"""The figures of one head from its references and answers; every rate but an error rate lies between 0 and 1."""

import numpy as np

from speechzoo.metrics.bootstrap import bootstrap_interval
from speechzoo.metrics.calibration import expected_calibration_error
from speechzoo.metrics.classification import (class_counts, confusion_matrix, f1_per_class, macro_f1,
                                              slot_counts, slot_f1)
from speechzoo.metrics.error_rate import edit_counts, error_rate
from speechzoo.metrics.frames import area_under_roc, frame_accuracy, frame_counts, frame_f1, frame_references
from speechzoo.metrics.verification import (eer_interval, equal_error_rate, minimum_detection_cost, rates_from_counts,
                                            trial_counts)


def score_texts(rates: dict[str, str], references: list[str], answers: list[str], groups: list) -> dict:
    """Error rates of texts, which can exceed 1.

    Args:
        rates: Name of a rate -> what it counts, "word" (phones too) or "character".
        references: What was said, one per utterance.
        answers: What was recognised, in the same order.
        groups: Speaker of each utterance: what the 95 % bootstrap intervals resample.

    Returns:
        Metric -> value, and `<metric>_interval` -> `[low, high]` where there are two groups at least.
    """
    scores = {}
    for name, unit in rates.items():
        _add(scores, name, error_rate, edit_counts(references, answers, unit), groups)
    return scores


def score_slots(references: list[dict], answers: list[dict], groups: list) -> dict:
    """F1 of the filled slots, and share of the utterances whose slots are all right; arguments as of `score_texts`."""
    scores, counts = {}, slot_counts(references, answers)
    _add(scores, "f1", slot_f1, counts, groups)
    _add(scores, "accuracy", _mean, np.stack([counts[:, 3], np.ones(len(counts))], axis=1), groups)
    return scores


def score_classes(classes: list[str], references: list[str], answers: list[str], confidences: list[float],
                  groups: list, confusions: bool = False) -> dict:
    """Accuracy, macro F1 and calibration error of classes; arguments and values as of `score_texts`, besides:

    Args:
        classes: All classes.
        confidences: Confidence of each answer.
        confusions: Add the table of classes and the confusion matrix.
    """
    index = {name: number for number, name in enumerate(classes)}
    reference = np.array([index[name] for name in references])
    answer = np.array([index[name] for name in answers])
    right = reference == answer
    counts = class_counts(reference, answer, len(classes))
    scores = {}
    _add(scores, "accuracy", _mean, np.stack([right, np.ones(len(right))], axis=1), groups)
    _add(scores, "macro_f1", macro_f1, counts, groups)
    scores["calibration_error"] = _rounded(expected_calibration_error(confidences, right))
    if confusions:
        matrix, f1 = confusion_matrix(reference, answer, len(classes)), f1_per_class(counts.sum(axis=0))
        scores["classes"] = {name: {
            "f1": _rounded(f1[number]),
            "precision": _rounded(matrix[number, number] / max(matrix[:, number].sum(), 1)),
            "recall": _rounded(matrix[number, number] / max(matrix[number].sum(), 1)),
            "n": int(matrix[number].sum()),
        } for number, name in enumerate(classes) if not np.isnan(f1[number])}
        scores["confusions"] = {"classes": list(classes), "counts": matrix.tolist()}
    return scores


def score_frames(classes: list[str], labels: list, probabilities: list[np.ndarray], groups: list) -> dict:
    """Accuracy, F1 and area under the ROC curve over frames; values as of `score_texts`.

    Args:
        classes: The two classes.
        labels: One class, or [class, end in seconds] pairs, of each utterance.
        probabilities: Probability of the second class at each frame of each utterance, (frames,) each.
        groups: Speaker of each utterance.
    """
    references = [frame_references(label, classes, len(answer)) for label, answer in zip(labels, probabilities)]
    scores, counts = {}, frame_counts(references, probabilities)
    _add(scores, "accuracy", frame_accuracy, counts, groups)
    reference, probability = np.concatenate(references), np.concatenate(probabilities)
    if 0 < reference.sum() < len(reference):  # of one kind alone, such as noises, accuracy says all there is to say
        _add(scores, "f1", frame_f1, counts, groups)
        scores["auc"] = _rounded(area_under_roc(probability[reference == 1], probability[reference == 0]))
    return scores


def score_speakers(speakers: list[str], embeddings: np.ndarray) -> dict | None:
    """Equal error rate and detection cost of all pairs of utterances.

    Args:
        speakers: Who speaks in each utterance.
        embeddings: (utterances, size).

    Returns:
        The figures; None where there are fewer than two speakers with two utterances each.
    """
    _, sizes = np.unique(np.asarray(speakers), return_counts=True)
    if (sizes >= 2).sum() < 2:
        return None
    targets, nontargets = trial_counts(embeddings, speakers)
    rates = rates_from_counts(targets, nontargets)
    return {"eer": _rounded(equal_error_rate(*rates)),
            "eer_interval": [_rounded(bound) for bound in eer_interval(embeddings, speakers)],
            "min_dcf": _rounded(minimum_detection_cost(*rates)),
            "speakers": len(sizes), "trials": int(targets.sum() + nontargets.sum())}


def _add(scores, name, statistic, counts, groups):
    scores[name] = _rounded(statistic(counts.sum(axis=0)[None])[0])
    interval = bootstrap_interval(statistic, counts, groups)
    if interval:
        scores[f"{name}_interval"] = [_rounded(bound) for bound in interval]


def _mean(sums):
    return sums[:, 0] / np.maximum(sums[:, 1], 1)


def _rounded(value):
    return round(float(value), 6)
