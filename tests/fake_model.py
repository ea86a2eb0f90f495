"""A model without a network, for tests of what stands around models."""

import numpy as np

from speechzoo.decoding.recognizer import Recognizer

TEXTS = ["go up", "stop", "go left now", "yes"]
VOICES = np.array([[1, 0], [1, 0.2], [0, 1], [0.2, 1]], np.float32)


class FakeModel(Recognizer):
    """Answers by loudness: a recording that peaks at 0.2, 0.4, 0.6 or 0.8 is number 0, 1, 2 or 3.

    Args:
        silent: Numbers in which it hears nobody speak.
    """

    spec = {"name": "fake", "sample_rate": 16000, "heads": {
        "transcript": {"type": "ctc", "label": "transcript", "units": list("abcdefghijklmnopqrstuvwxyz' "),
                       "kind": "characters", "frame_seconds": 0.04},
        "phones": {"type": "ctc", "label": "phones", "units": ["G", "OW", "AH", "P"], "kind": "phones",
                   "frame_seconds": 0.04},
        "keyword": {"type": "classifier", "label": "keyword", "classes": ["yes", "no", "_unknown_"]},
        "event": {"type": "classifier", "label": "event", "classes": ["rain", "dog_bark"]},
        "slots": {"type": "slots", "label": "slots", "slots": {"size": ["small", "large"]}},
        "speaker": {"type": "speaker", "label": "speaker", "embedding_size": 2},
        "speech": {"type": "frame_classifier", "label": "speech", "classes": ["none", "speech"], "frame_seconds": 0.1},
    }}

    def __init__(self, silent=()):
        self.calls, self.silent = 0, silent

    def batch_outputs(self, audios, heads=None):
        return [self.answer(audio) for audio in audios]

    def answer(self, audio):
        self.calls += 1
        number = int(round(float(np.abs(audio).max()) * 5)) - 1
        units = self.spec["heads"]["transcript"]["units"]
        path = [index for letter in TEXTS[number] for index in (units.index(letter) + 1, 0)]
        return {"transcript": 20 * np.eye(len(units) + 1)[path], "phones": 20 * np.eye(5)[[1, 2, 3, 4]],
                "keyword": 9 * np.eye(3)[number % 3], "event": 9 * np.eye(2)[number % 2],
                "slots": 9 * np.eye(3)[number % 3], "speaker": VOICES[number],
                "speech": 3 * np.eye(2)[[0] if number in self.silent else [0, 1, 1, 0][:number + 2]]}
