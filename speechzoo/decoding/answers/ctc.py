"""Text from units at each frame: heads of type `ctc`."""

import re

import numpy as np

from speechzoo.decoding.answers.choice import ChoiceAnswer
from speechzoo.decoding.ctc.greedy import best_path, greedy_decode
from speechzoo.decoding.ctc.hypothesis import Hypothesis
from speechzoo.text.normalize import normalize_transcript
from speechzoo.text.units import units_of

_TIMES = {"transcript": "words", "phones": "phone_times"}  # label -> field of a Recognition for its words with times


class CTCAnswer(ChoiceAnswer):
    """Words or phones with times; output (frames, units + 1) logits, index 0 the blank.

    `read` and `answer` also take the Hypothesis that a decoder has made of the logits; logits are decoded greedily.
    """

    fields = ("transcript", "phones")
    framewise = True
    labels_recordings = True

    def read(self, result, label, output, head_spec):
        hypothesis = _decoded(output, head_spec)
        self._keep(result, label, hypothesis.text, hypothesis.confidence)
        if label in _TIMES:
            setattr(result, _TIMES[label], hypothesis.words)

    def writes_words(self, head_spec):
        return units_of(head_spec).spelt

    def silence(self, output, head_spec):
        hypothesis = _decoded(output, head_spec)
        return None if hypothesis.units else hypothesis.confidence

    def answer(self, output, head_spec):
        hypothesis = _decoded(output, head_spec)
        return hypothesis.text, hypothesis.confidence

    def reference(self, value, head_spec, language="en", corpus=""):
        """Words in lower case letters, apostrophe and space; phones without stress."""
        if units_of(head_spec).spelt:
            return normalize_transcript(value, language)
        return " ".join(re.sub("[0-9]", "", phone) for phone in value.split())

    def errors(self, reference, answer):
        from speechzoo.metrics.error_rate import edit_counts

        errors, units = edit_counts([reference], [answer])[0]
        return float(errors), float(units)

    def score(self, references, answers, confidences, groups, head_spec, confusions=False):
        from speechzoo.metrics.scores import score_texts

        rates = {"wer": "word", "cer": "character"} if units_of(head_spec).spelt else {"per": "word"}
        return score_texts(rates, references, answers, groups)

    def labels(self, head_spec):
        return ["<blank>", *head_spec["units"]]

    def describe(self, head_spec):
        return f"{len(head_spec['units'])} values"

    def decisions(self, output, head_spec):
        return [output]

    def changed(self, pairs, head_spec):
        """Token error rate of the greedy text against that of the first model."""
        from speechzoo.metrics.error_rate import edit_counts, error_rate

        texts = [[" ".join(map(str, best_path(logits)[0])) for logits in pair] for pair in pairs]
        return float(error_rate(edit_counts(*zip(*texts)).sum(axis=0)))

    def _counts(self, expected, got):
        """Frames in which either model writes: blanks would dilute the others."""
        return (expected > 0) | (got > 0)


def _decoded(output, head_spec) -> Hypothesis:
    return output if isinstance(output, Hypothesis) else greedy_decode(np.asarray(output), head_spec)
