"""One class for a whole utterance: heads of type `classifier`."""

import numpy as np

from speechzoo.decoding.answers.answer import UnknownLabelError
from speechzoo.decoding.answers.choice import ChoiceAnswer
from speechzoo.decoding.ctc.paths import log_softmax
from speechzoo.text.units import UNKNOWN_CLASS


class ClassifierAnswer(ChoiceAnswer):
    """The most likely class; output (classes,) logits."""

    fields = ("intent", "keyword", "gender", "age_group", "event")
    labels_recordings = True

    def read(self, result, label, output, head_spec):
        """The answer, unless the head is less sure of it than its `threshold`, or the class is among its `weak`."""
        name, confidence = self.answer(output, head_spec)
        if confidence < head_spec.get("threshold", 0.0) or name in head_spec.get("weak", ()):
            result.take_back(label)
        else:
            self._keep(result, label, name, confidence)

    def answer(self, output, head_spec):
        probabilities = class_probabilities(output, head_spec)
        best = int(np.argmax(output))  # probabilities may be equal where logits hardly differ
        return head_spec["classes"][best], float(probabilities[best])

    def reference(self, value, head_spec, language="en", corpus=""):
        """The class; `_unknown_`, where the head has that class, for what has no class of its own."""
        for name in (str(value), UNKNOWN_CLASS):
            if name in head_spec["classes"]:
                return name
        raise UnknownLabelError([str(value)])

    def score(self, references, answers, confidences, groups, head_spec, confusions=False):
        from speechzoo.metrics.scores import score_classes

        return score_classes(head_spec["classes"], references, answers, confidences, groups, confusions)

    def labels(self, head_spec):
        return head_spec["classes"]

    def describe(self, head_spec):
        weak = head_spec.get("weak")
        return f"{len(head_spec['classes'])} values" + (f", {', '.join(weak)} too weak to answer" if weak else "")

    def decisions(self, output, head_spec):
        return [output[None]]


def class_probabilities(logits: np.ndarray, head_spec: dict) -> np.ndarray:
    """Softmax over the classes of a `classifier` head.

    Args:
        logits: (classes,).
        head_spec: Its spec, with `classes`.

    Raises:
        ValueError: Another shape, or values that aren't finite.
    """
    if logits.shape != (len(head_spec["classes"]),):
        raise ValueError(f"logits have shape {logits.shape}; expected ({len(head_spec['classes'])},), one a class")
    return np.exp(log_softmax(logits))
