"""The answers of `LoudnessHead`, and their twin in TensorFlow's graphs."""

import numpy as np

from speechzoo.decoding.answers import Answer, UnknownLabelError


class LoudnessAnswer(Answer):
    """A level in dB; output (1,)."""

    metric_units = {"mean_absolute_error": "dB"}

    def read(self, result, label, output, head_spec):
        result.labels[label], _ = self.answer(output, head_spec)

    def answer(self, output, head_spec):
        if output.shape != (1,) or not np.isfinite(output).all():
            raise ValueError(f"expected one finite level, got {output}")
        return float(output[0]), 0.0

    def reference(self, value, head_spec, language="en", corpus=""):
        if isinstance(value, str):
            raise UnknownLabelError([value])
        return float(value)

    def score(self, references, answers, confidences, groups, head_spec, confusions=False):
        return {"mean_absolute_error": float(np.abs(np.subtract(references, answers)).mean())}

    def labels(self, head_spec):
        return ["level in dB"]

    def describe(self, head_spec):
        return f"a level within {head_spec['scale']:g} dB"

    def raw_output(self, head):
        return f"{head}_raw"

    def served_outputs(self, head, head_spec):
        return [self.raw_output(head), head]

    def distance(self, pairs, head_spec):
        return "share of the scale", float(np.max([abs(got - expected) for expected, got in pairs])) / head_spec["scale"]

    def changed(self, pairs, head_spec):
        return float(np.mean([abs(got - expected) > 1.0 for expected, got in pairs]))


def answer_in_graph(head, output, head_spec):
    """The level alone, (batch,)."""
    return {head: output[:, 0]}
