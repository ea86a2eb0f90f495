"""Who speaks, as an embedding of the voice: heads of type `speaker`."""

import numpy as np

from speechzoo.decoding.answers.answer import Answer


class SpeakerAnswer(Answer):
    """An embedding; output (embedding size,), L2-normalised. The cosine of two compares voices."""

    fields = ("speaker",)
    compares_recordings = True
    metric_units = {"min_dcf": ""}

    def read(self, result, label, output, head_spec):
        self._keep(result, label, self.answer(output, head_spec)[0])

    def answer(self, output, head_spec):
        """The embedding, float32 (embedding size,); it has no confidence of its own."""
        if not np.isfinite(output).all():
            raise ValueError("the embedding has NaN or infinite values; check the weights and that the audio is finite")
        return output.astype(np.float32), 0.0

    def reference(self, value, head_spec, language="en", corpus=""):
        """The speaker's name within the corpus: the names of two corpora are those of different people."""
        return f"{corpus}/{value}"

    def score(self, references, answers, confidences, groups, head_spec, confusions=False):
        """Of all pairs of utterances; None with fewer than two speakers of two utterances each."""
        from speechzoo.metrics.scores import score_speakers

        return score_speakers(references, np.asarray(answers))

    def labels(self, head_spec):
        return []

    def describe(self, head_spec):
        return f"{head_spec['embedding_size']} values"

    def raw_output(self, head):
        return head

    def served_outputs(self, head, head_spec):
        """The embedding alone."""
        return [self.raw_output(head)]

    def distance(self, pairs, head_spec):
        """One minus the cosine, of the recording where it is the greatest."""
        # np.max keeps NaN.
        return "cosine distance", float(np.max([
            1.0 - np.dot(a, b) / np.sqrt(np.dot(a, a) * np.dot(b, b) + 1e-20) for a, b in pairs]))

    def changed(self, pairs, head_spec):
        return 0.0
