"""Answers that are chosen: one class of several, once or many times."""

import abc

import numpy as np

from speechzoo.decoding.answers.answer import Answer


class ChoiceAnswer(Answer):
    """Answers by softmax. Two outputs are compared by the decisions that they lead to.

    "Probability lost" is what the first model thinks of the second model's answers: its probability of its own best
    answer minus its probability of the other's, averaged over decisions. It is 0 where both agree, hardly more where
    the first could not decide, and up to 1 where it was sure.
    """

    @abc.abstractmethod
    def decisions(self, output: np.ndarray, head_spec: dict) -> list[np.ndarray]:
        """Logits as rows of one decision each: arrays (rows, classes), several where their classes differ."""

    def served_outputs(self, head, head_spec):
        """The logits, the answer (of frames: the probability of the second class at each, 0 in the padding), and its
        confidence."""
        return [self.raw_output(head), head, f"{head}_score"]

    def distance(self, pairs, head_spec):
        lost = [self._probability_lost(expected, got) for expected, got in self._rows(pairs, head_spec)]
        lost = np.concatenate(lost)
        return "probability lost", float(lost.mean()) if len(lost) else 0.0

    def changed(self, pairs, head_spec):
        different = [expected.argmax(axis=-1) != got.argmax(axis=-1) for expected, got in self._rows(pairs, head_spec)]
        return float(np.mean(np.concatenate(different)))

    def _rows(self, pairs, head_spec):
        for expected, got in pairs:
            yield from zip(self.decisions(expected, head_spec), self.decisions(got, head_spec))

    def _counts(self, expected, got):
        """Which decisions count, bool (rows,), given the classes chosen; all of them."""
        return np.ones(len(expected), bool)

    def _probability_lost(self, expected, got):
        """Of each decision that counts: (decisions,), NaN where `got` isn't finite."""
        probability = np.exp(expected - expected.max(axis=-1, keepdims=True))
        probability /= probability.sum(axis=-1, keepdims=True)
        best, answer = expected.argmax(axis=-1), got.argmax(axis=-1)
        rows = np.arange(len(expected))
        lost = probability[rows, best] - probability[rows, answer]
        lost[~np.isfinite(got).all(axis=-1)] = np.nan  # argmax would hide it
        return lost[self._counts(best, answer) | np.isnan(lost)]
