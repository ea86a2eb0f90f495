"""Word, character and phone error rates."""

import jiwer
import numpy as np


def edit_counts(references: list[str], hypotheses: list[str], unit: str = "word") -> np.ndarray:
    """Edit distance of every pair and the length of its reference, counted with jiwer.

    Args:
        references: What was said; words or phones have single spaces between them.
        hypotheses: What was recognised, in the same order.
        unit: "word" (phones too) or "character".

    Returns:
        int64 (pairs, 2): substitutions + deletions + insertions, and units of the reference.

    Raises:
        ValueError: Lists of different lengths, or another unit.
    """
    if len(references) != len(hypotheses):
        raise ValueError(f"{len(references)} references but {len(hypotheses)} hypotheses")
    if unit not in ("word", "character"):
        raise ValueError(f"unit is '{unit}'; expected 'word' or 'character'")
    split = str.split if unit == "word" else lambda text: list(text.strip())
    process = jiwer.process_words if unit == "word" else jiwer.process_characters
    counts = np.array([[len(split(hypothesis)), len(split(reference))]
                       for reference, hypothesis in zip(references, hypotheses)], np.int64).reshape(-1, 2)
    spoken = np.flatnonzero(counts[:, 1])  # jiwer refuses empty references; there, every hypothesised unit is wrong
    if len(spoken):
        alignments = process([references[i] for i in spoken], [hypotheses[i] for i in spoken]).alignments
        for index, chunks in zip(spoken, alignments):
            counts[index, 0] = sum(max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)
                                   for chunk in chunks if chunk.type != "equal")
    return counts


def error_rate(counts: np.ndarray) -> np.ndarray:
    """Errors over reference units, of sums (..., 2) of `edit_counts`; without any reference unit, the errors."""
    counts = np.asarray(counts, np.float64)
    return counts[..., 0] / np.maximum(counts[..., 1], 1)


def word_error_rate(references: list[str], hypotheses: list[str]) -> float:
    """Word errors over reference words, of all pairs together.

    Example:
        >>> word_error_rate(["turn on the light"], ["turn the lights"])
        0.5
    """
    return float(error_rate(edit_counts(references, hypotheses).sum(axis=0)))
