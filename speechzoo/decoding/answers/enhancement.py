"""Gains for a spectrum: heads of type `enhancement`."""

import numpy as np

from speechzoo.decoding.answers.answer import Answer

# Gains that differ by less than this sound alike.
AUDIBLE = 0.1


class EnhancementAnswer(Answer):
    """A gain for each band at each frame, output (frames, bands); what it answers with is audio, and no label.

    `speechzoo.enhancement.Enhancer` makes the audio; a Recognition has nothing of it.
    """

    framewise = True

    def read(self, result, label, output, head_spec):
        self.answer(output, head_spec)

    def answer(self, output, head_spec):
        """The mean gain, 0 to 1, which is how much of the recording is taken for speech."""
        if output.ndim != 2 or output.shape[1] != head_spec["bands"] or not np.isfinite(output).all():
            raise ValueError(f"expected finite gains (frames, {head_spec['bands']}), got shape {output.shape}")
        return float(output.mean()) if output.size else 0.0, 0.0

    def reference(self, value, head_spec, language="en", corpus=""):
        return value

    def score(self, references, answers, confidences, groups, head_spec, confusions=False):
        """None: a manifest has no speech without the noise to measure by; `benchmarks/quality/enhancement.py` has."""

    def labels(self, head_spec):
        return []

    def describe(self, head_spec):
        return f"gains of {head_spec['bands']} bands"

    def raw_output(self, head):
        return f"{head}_gains"

    def served_outputs(self, head, head_spec):
        return [self.raw_output(head)]

    def distance(self, pairs, head_spec):
        return "gain", float(np.max([np.abs(got - expected).mean() for expected, got in pairs]))

    def changed(self, pairs, head_spec):
        return float(np.mean(np.concatenate([(np.abs(got - expected) > AUDIBLE).ravel() for expected, got in pairs])))
