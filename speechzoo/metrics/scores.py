"""The figures of one head from its references and answers."""

import numpy as np

from speechzoo.metrics.bootstrap import bootstrap_interval
from speechzoo.metrics.calibration import expected_calibration_error
from speechzoo.metrics.classification import (class_counts, confusion_matrix, f1_per_class, macro_f1,
                                              slot_counts, slot_f1)
from speechzoo.metrics.error_rate import edit_counts, error_rate
from speechzoo.metrics.frames import area_under_roc, frame_accuracy, frame_counts, frame_f1, frame_references
from speechzoo.metrics.verification import (eer_interval, equal_error_rate, minimum_detection_cost, rates_from_counts,
                                            trial_counts)


def score_head(head_spec: dict, references: list, answers: list, confidences: list[float], groups: list,
               confusions: bool = False) -> dict | None:
    """The figures of one head; every rate lies between 0 and 1 except error rates, which can exceed 1.

    Args:
        head_spec: Spec of the head.
        references: Label of each utterance, as manifests write them.
        answers: What the head answered: text, class, dict of slots, embedding (size,), or probability of a
            `frame_classifier`'s second class at each frame (frames,).
        confidences: Confidence of each answer.
        groups: Speaker of each utterance: what the 95 % bootstrap intervals resample.
        confusions: Add the table of classes and the confusion matrix of a classifier.

    Returns:
        Metric -> value, `<metric>_interval` -> `[low, high]` where there are two groups at least, and `n`. None where
        nothing can be said: no utterances, or for a speaker head fewer than two speakers with two utterances each.
    """
    if not references:
        return None
    kind = head_spec["type"]
    if kind == "ctc":
        units = {"per": "word"} if head_spec["kind"] == "phones" else {"wer": "word", "cer": "character"}
        scores = {}
        for name, unit in units.items():
            _add(scores, name, error_rate, edit_counts(references, answers, unit), groups)
    elif kind == "classifier":
        scores = _score_classes(head_spec["classes"], references, answers, confidences, groups, confusions)
    elif kind == "slots":
        scores, counts = {}, slot_counts(references, answers)
        _add(scores, "f1", slot_f1, counts, groups)
        _add(scores, "accuracy", _mean, np.stack([counts[:, 3], np.ones(len(counts))], axis=1), groups)
    elif kind == "frame_classifier":
        scores = _score_frames(head_spec["classes"], references, answers, groups)
    elif kind == "speaker":
        scores = _score_speakers(references, np.asarray(answers))
        if scores is None:
            return None
    else:
        raise ValueError(f"head of unknown type '{kind}'")
    return {**scores, "n": len(references)}


def _score_classes(classes, references, answers, confidences, groups, confusions):
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


def _score_frames(classes, labels, probabilities, groups):
    references = [frame_references(label, classes, len(answer)) for label, answer in zip(labels, probabilities)]
    scores, counts = {}, frame_counts(references, probabilities)
    _add(scores, "accuracy", frame_accuracy, counts, groups)
    reference, probability = np.concatenate(references), np.concatenate(probabilities)
    if 0 < reference.sum() < len(reference):  # of one kind alone, such as noises, accuracy says all there is to say
        _add(scores, "f1", frame_f1, counts, groups)
        scores["auc"] = _rounded(area_under_roc(probability[reference == 1], probability[reference == 0]))
    return scores


def _score_speakers(speakers, embeddings):
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
