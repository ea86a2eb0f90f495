"""When something is heard: heads of type `frame_classifier`."""

from speechzoo.decoding.answers.answer import UnknownLabelError
from speechzoo.decoding.answers.choice import ChoiceAnswer
from speechzoo.decoding.ctc.segments import frame_probabilities, read_segments


class FrameClassifierAnswer(ChoiceAnswer):
    """Segments of time; output (frames, 2) logits, the first class with probability one in the padding."""

    fields = ("speech",)
    framewise = True

    def read(self, result, label, output, head_spec):
        segments, confidence = read_segments(output, head_spec)
        self._keep(result, label, segments, confidence)

    def silence(self, output, head_spec):
        if head_spec["label"] != "speech":
            return None
        segments, confidence = read_segments(output, head_spec)
        return None if segments else confidence

    def answer(self, output, head_spec):
        """Probability of the second class at each frame, float64 (frames,), which is its own confidence."""
        return frame_probabilities(output, head_spec), 0.0

    def reference(self, value, head_spec, language="en", corpus=""):
        """The label as it is: one class, or [class, end in seconds] pairs."""
        names = {value} if isinstance(value, str) else {name for name, _ in value}
        if strangers := names - set(head_spec["classes"]):
            raise UnknownLabelError(sorted(strangers))
        return value

    def score(self, references, answers, confidences, groups, head_spec, confusions=False):
        from speechzoo.metrics.scores import score_frames

        return score_frames(head_spec["classes"], references, answers, groups)

    def labels(self, head_spec):
        return head_spec["classes"]

    def describe(self, head_spec):
        return f"{len(head_spec['classes'])} values"

    def decisions(self, output, head_spec):
        return [output]
