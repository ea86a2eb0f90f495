"""What a device has learnt, added to what a model says."""

import numpy as np

from speechzoo.decoding.recognition import Recognition
from speechzoo.text.units import UNKNOWN_CLASS


def add_learnt(result: Recognition, audio: np.ndarray, voices=None, words=None):
    """Completes a recognition: who spoke in `labels["voice"]`, and a learnt word as its `keyword`.

    Args:
        result: What the model says; changed.
        audio: float32 (samples,) at the model's rate: the recording that `result` describes.
        voices: `edge.voices.Voices`, or None.
        words: `edge.custom_words.CustomWords`, or None. Audio too long for a single word is none.
    """
    if voices is not None:
        name, score = voices.identify(audio) if result.speaker is None else voices.name_of(result.speaker)
        result.labels["voice"], result.confidence["voice"] = name or UNKNOWN_CLASS, max(score, 0.0)
    if words is not None and len(audio) <= words.maximum_seconds * words.sample_rate:
        word, score = words.recognize(audio)
        if word is not None:
            result.keyword, result.confidence["keyword"] = word, score
