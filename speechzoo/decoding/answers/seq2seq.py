"""Text from a decoder that attends to frames: heads of type `seq2seq`."""

import numpy as np

from speechzoo.decoding.answers.answer import Answer
from speechzoo.text.normalize import normalize_transcript


class Seq2SeqAnswer(Answer):
    """Words with times, and their language; output (frames, channels), the memory that the decoder attends to.

    `read` and `answer` take the AttentionHypothesis that a search has made of the memory: only who has the decoder's
    steps can read it.
    """

    fields = ("transcript",)
    framewise = True
    stepwise = True
    labels_recordings = True

    def read(self, result, label, output, head_spec):
        hypothesis = _decoded(output)
        self._keep(result, label, hypothesis.text, hypothesis.confidence)
        if label == "transcript":
            result.words = hypothesis.words
        if hypothesis.language is not None and "language" not in result.labels:
            self._keep(result, "language", hypothesis.language, hypothesis.language_confidence)

    def writes_words(self, head_spec):
        return True

    def answer(self, output, head_spec):
        """The words as `reference` writes them: decoders write capitals, signs and figures."""
        hypothesis = _decoded(output)
        return normalize_transcript(hypothesis.text, hypothesis.language or "en"), hypothesis.confidence

    def reference(self, value, head_spec, language="en", corpus=""):
        """Words in lower case letters, apostrophe and space."""
        return normalize_transcript(value, language)

    def errors(self, reference, answer):
        from speechzoo.metrics.error_rate import edit_counts

        errors, units = edit_counts([reference], [normalize_transcript(answer)])[0]
        return float(errors), float(units)

    def score(self, references, answers, confidences, groups, head_spec, confusions=False):
        from speechzoo.metrics.scores import score_texts

        return score_texts({"wer": "word", "cer": "character"}, references, answers, groups)

    def labels(self, head_spec):
        return []

    def describe(self, head_spec):
        return f"{len(head_spec['units'])} values"

    def raw_output(self, head):
        return f"{head}_memory"

    def served_outputs(self, head, head_spec):
        """The memory alone: a graph that answers at once runs no steps."""
        return [self.raw_output(head)]

    def distance(self, pairs, head_spec):
        """One minus the cosine of a frame's memory, in the mean over frames."""
        def cosines(expected, got):
            lengths = np.sqrt((expected ** 2).sum(axis=-1) * (got ** 2).sum(axis=-1))
            return 1.0 - (expected * got).sum(axis=-1) / (lengths + 1e-20)

        return "cosine distance", float(np.mean(np.concatenate([cosines(*pair) for pair in pairs])))

    def changed(self, pairs, head_spec):
        return 0.0


def _decoded(output):
    if isinstance(output, np.ndarray):
        raise ValueError("a decoder's memory says nothing by itself; read it with an AttentionDecoder")
    return output
