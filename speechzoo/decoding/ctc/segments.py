"""When something is heard: what a head of type `frame_classifier` says of a recording."""

from dataclasses import dataclass

import numpy as np

from speechzoo.decoding.ctc.paths import log_softmax

PADDING_LOGIT = -5e8
"""A frame whose second logit is below `PADDING_LOGIT` is padding: it is -1e9 there, which no network gives."""


@dataclass
class Segment:
    """A stretch of a recording.

    Attributes:
        start: Beginning, seconds from the start of the recording.
        end: End, seconds.
        confidence: 0 to 1: mean probability over its frames.
    """

    start: float
    end: float
    confidence: float

    def __str__(self) -> str:
        return f"{self.start:.2f}-{self.end:.2f}"


def frame_probabilities(logits: np.ndarray, head_spec: dict) -> np.ndarray:
    """Probability of the second class at each frame that is not padding, float64 (frames,).

    Args:
        logits: (frames, 2).
        head_spec: Spec of a `frame_classifier` head.

    Raises:
        ValueError: Another shape, or values that aren't finite.
    """
    logits = np.asarray(logits)
    if logits.ndim != 2 or logits.shape[1] != len(head_spec["classes"]):
        raise ValueError(f"logits have shape {logits.shape}; expected (frames, {len(head_spec['classes'])})")
    probabilities = np.exp(log_softmax(logits))[:, 1]
    return probabilities[logits[:, 1] > PADDING_LOGIT]


def read_segments(logits: np.ndarray, head_spec: dict) -> tuple[list[Segment], float]:
    """Where the second class is likelier than the first: runs of such frames.

    Args:
        logits: (frames, 2).
        head_spec: Spec of a `frame_classifier` head.

    Returns:
        The segments by rising time, and the confidence of all of them together: the mean probability of the frames' own
        answers; 1 without frames.

    Raises:
        ValueError: Another shape, or values that aren't finite.
    """
    probabilities = frame_probabilities(logits, head_spec)
    heard = probabilities > 0.5
    edges = np.flatnonzero(np.diff(np.concatenate([[False], heard, [False]]).astype(np.int8)))
    segments = [Segment(float(start * head_spec["frame_seconds"]), float(end * head_spec["frame_seconds"]),
                        float(probabilities[start:end].mean())) for start, end in edges.reshape(-1, 2)]
    sure = np.maximum(probabilities, 1 - probabilities)
    return segments, float(sure.mean()) if len(sure) else 1.0


def segments_text(segments: list[Segment]) -> str:
    """The segments for people to read, such as "0.31-2.60 s"; empty without any."""
    return f"{', '.join(map(str, segments))} s" if segments else ""
