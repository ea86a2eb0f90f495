"""Values of the slots of a command: heads of type `slots`."""

import numpy as np

from speechzoo.decoding.answers.choice import ChoiceAnswer
from speechzoo.decoding.ctc.paths import log_softmax


class SlotsAnswer(ChoiceAnswer):
    """The filled slots; output (sum over slots of values + 1,) logits, a segment per slot, "none" first in each."""

    fields = ("slots",)
    labels_recordings = True

    def read(self, result, label, output, head_spec):
        slots, confidence, together = read_slots(output, head_spec)
        self._keep(result, label, slots, together)
        if label in self.fields:
            result.slot_confidence = confidence

    def answer(self, output, head_spec):
        slots, _, together = read_slots(output, head_spec)
        return slots, together

    def reference(self, value, head_spec, language="en", corpus=""):
        """Slot -> value, as text; a value that the head doesn't have is measured as one that it misses."""
        return {str(name): str(filled) for name, filled in value.items()}

    def score(self, references, answers, confidences, groups, head_spec, confusions=False):
        from speechzoo.metrics.scores import score_slots

        return score_slots(references, answers, groups)

    def labels(self, head_spec):
        return [f"{slot}={value}" for slot, values in head_spec["slots"].items() for value in ("", *values)]

    def describe(self, head_spec):
        return f"{len(head_spec['slots'])} values"

    def served_outputs(self, head, head_spec):
        """The logits, the confidence of all slots together, and value and confidence of each slot."""
        each = [name for slot in head_spec["slots"] for name in (f"{head}_{slot}", f"{head}_{slot}_score")]
        return [self.raw_output(head), f"{head}_score", *each]

    def decisions(self, output, head_spec):
        edges = np.cumsum([len(values) + 1 for values in head_spec["slots"].values()])[:-1]
        return [part[None] for part in np.split(output, edges)]


def read_slots(logits: np.ndarray, head_spec: dict) -> tuple[dict[str, str], dict[str, float], float]:
    """Filled slots, their confidences, and the confidence that all slots, empty ones too, are right.

    Args:
        logits: (sum over slots of values + 1,), a segment per slot in the spec's order; first in a segment is "none".
        head_spec: Spec of a `slots` head.

    Raises:
        ValueError: Another shape, or values that aren't finite.
    """
    size = sum(len(values) + 1 for values in head_spec["slots"].values())
    if logits.shape != (size,):
        raise ValueError(f"slot logits have shape {logits.shape}; expected ({size},)")
    slots, confidence, together, offset = {}, {}, 1.0, 0
    for slot, values in head_spec["slots"].items():
        segment = logits[offset:offset + len(values) + 1]
        probabilities = np.exp(log_softmax(segment))
        offset += len(values) + 1
        best = int(segment.argmax())
        together *= float(probabilities[best])
        if best > 0:
            slots[slot] = values[best - 1]
            confidence[slot] = float(probabilities[best])
    return slots, confidence, together
