"""A model without a network that hears step by step: 10 samples a second, steps of 2, a frame a sample.

A sample is the index of the unit that its frame says; 0.5 more says the keyword.
"""

import numpy as np

from speechzoo.decoding.recognizer import Recognizer
from speechzoo.decoding.streams.stream import Stream

LETTERS = list("abcdefghijklmnopqrstuvwxyz' ")


class FakeStreamModel(Recognizer):
    """What `EdgeModel` is to streams."""

    spec = {"name": "fake_streaming", "sample_rate": 10, "stream": {"step_samples": 2, "utterance_state": ["gathered"]},
            "heads": {
                "letters": {"type": "ctc", "label": "transcript", "units": LETTERS, "kind": "characters",
                            "frame_seconds": 0.1},
                "speech": {"type": "frame_classifier", "label": "speech", "classes": ["none", "speech"],
                           "frame_seconds": 0.1},
                "keyword": {"type": "classifier", "label": "keyword", "classes": ["yes", "_unknown_", "_silence_"]},
                "gathered": {"type": "classifier", "label": "gathered", "classes": [str(n) for n in range(200)]}}}

    def stream(self, **options):
        return Stream(self.stream_step, {"gathered": np.zeros((1, 1), np.float32)}, self.spec, **options)

    def stream_step(self, samples, state):
        assert samples.shape == (1, 2) and samples.dtype == np.float32
        units = np.floor(samples[0]).astype(int)
        said = bool(np.any(samples[0] % 1 > 0.2))
        gathered = state["gathered"] + 1
        outputs = {"letters": 20 * np.eye(len(LETTERS) + 1)[units], "keyword": 9 * np.eye(3)[0 if said else 1],
                   "speech": 9 * np.eye(2)[(units > 0).astype(int)], "gathered": 20 * np.eye(200)[int(gathered[0, 0])]}
        return {name: output[None] for name, output in outputs.items()}, {"gathered": gathered}

    def audio(self, text):
        """Each letter a frame, a blank behind each."""
        units = [index for letter in text for index in (LETTERS.index(letter) + 1, 0)]
        return np.array(units, np.float32)

    def silence(self, seconds):
        return np.zeros(round(10 * seconds), np.float32)

    def keyword(self, seconds):
        return np.full(round(10 * seconds), 0.5, np.float32)
