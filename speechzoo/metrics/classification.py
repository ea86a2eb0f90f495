"""Accuracy, F1 and confusions of answers that come from a closed set, and of slots."""

import numpy as np

WEAK_RECALL = 0.5
"""A class is weak where less than `WEAK_RECALL` of its recordings are right."""


def confusion_matrix(references: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts int64 (class that was right, class that was answered).

    Args:
        references: int (examples,), class indices.
        predictions: int (examples,), class indices.
        num_classes: Number of classes.
    """
    references, predictions = np.asarray(references, np.int64), np.asarray(predictions, np.int64)
    if references.shape != predictions.shape:
        raise ValueError(f"{len(references)} references but {len(predictions)} predictions")
    flat = np.bincount(references * num_classes + predictions, minlength=num_classes**2)
    return flat.reshape(num_classes, num_classes)


def accuracy(references, predictions) -> float:
    """Share of examples answered right; 0 when there are none."""
    references, predictions = np.asarray(references), np.asarray(predictions)
    return float((references == predictions).mean()) if len(references) else 0.0


def weak_classes(references: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """Which classes are hardly ever recognised.

    Args:
        references, predictions, num_classes: As of `confusion_matrix`.

    Returns:
        bool (num_classes,): under half of its recordings are right; False of a class without recordings.
    """
    matrix = confusion_matrix(references, predictions, num_classes)
    total = matrix.sum(axis=1)
    return matrix.diagonal() < WEAK_RECALL * total


def class_counts(references: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """One row per example whose sum over examples is what F1 needs.

    Returns:
        int64 (examples, 3 * num_classes): right answers, references and answers, of each class.
    """
    references, predictions = np.asarray(references, np.int64), np.asarray(predictions, np.int64)
    rows = np.arange(len(references))
    counts = np.zeros((len(references), 3, num_classes), np.int64)
    counts[rows, 0, references] = references == predictions
    counts[rows, 1, references] = 1
    counts[rows, 2, predictions] = 1
    return counts.reshape(len(references), -1)


def f1_per_class(counts: np.ndarray) -> np.ndarray:
    """F1 of each class from sums (..., 3 * classes) of `class_counts`; NaN for a class that never occurs."""
    right, reference, answered = np.split(np.asarray(counts, np.float64), 3, axis=-1)
    total = reference + answered
    return np.where(total > 0, 2 * right / np.maximum(total, 1), np.nan)


def macro_f1(counts: np.ndarray) -> np.ndarray:
    """Mean F1 over the classes that occur as a reference or an answer, as scikit-learn averages.

    Args:
        counts: (..., 3 * classes), sums of `class_counts`.
    """
    per_class = f1_per_class(counts)
    occurs = ~np.isnan(per_class)
    return np.where(occurs, per_class, 0).sum(axis=-1) / np.maximum(occurs.sum(axis=-1), 1)


def slot_counts(references: list[dict], predictions: list[dict]) -> np.ndarray:
    """Counts of filled slots; a slot is right when both its name and its value are.

    Args:
        references: Slot name -> value of each utterance.
        predictions: The same, as answered.

    Returns:
        int64 (utterances, 4): right slots, slots in the reference, slots answered, 1 where everything is right.
    """
    if len(references) != len(predictions):
        raise ValueError(f"{len(references)} references but {len(predictions)} predictions")
    return np.array([[len(reference.items() & prediction.items()), len(reference), len(prediction),
                      reference == prediction]
                     for reference, prediction in zip(references, predictions)], np.int64).reshape(-1, 4)


def slot_f1(counts: np.ndarray) -> np.ndarray:
    """Micro-averaged slot F1 of sums (..., 4) of `slot_counts`; 1 when there was nothing to fill and nothing filled."""
    counts = np.asarray(counts, np.float64)
    total = counts[..., 1] + counts[..., 2]
    return np.where(total > 0, 2 * counts[..., 0] / np.maximum(total, 1), 1.0)
