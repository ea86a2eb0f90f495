"""What every kind of answer can do."""

import abc

import numpy as np


class UnknownLabelError(ValueError):
    """A label that a head has no class for.

    Attributes:
        labels: What it has no class for, as text.
    """

    def __init__(self, labels: list[str]):
        super().__init__(f"no class for: {', '.join(labels)}")
        self.labels = labels


class Answer(abc.ABC):
    """How the outputs of heads of one type become answers, and how these are measured, compared, listed and served.

    An `output` is a head's array for one utterance, without the batch axis; it has one axis at least. A `head_spec` is
    what `Head.spec()` gives. A new kind implements every abstract method, so that nothing takes it for another kind.

    Attributes:
        fields: Labels whose answers have a field of their own in a Recognition; those of others go into its `labels`.
        framewise: The output has one row per frame; `MultiTaskModel.spec` adds `frame_seconds` to the head's spec.
        stepwise: Its output is read by the steps of a decoder (`Recognizer.decode_steps`), under an `AttentionSearch`.
        labels_recordings: Its answers are labels of whole recordings as manifests write them.
        compares_recordings: It is scored by pairs of recordings, which must not be the same one twice.
        metric_units: Unit of each metric of `score` that is no rate; empty text where it has none.
    """

    fields: tuple[str, ...] = ()
    framewise = False
    stepwise = False
    labels_recordings = False
    compares_recordings = False
    metric_units: dict[str, str] = {}

    @abc.abstractmethod
    def read(self, result, label: str, output: np.ndarray, head_spec: dict):
        """Puts an answer into a Recognition.

        Args:
            result: The `speechzoo.decoding.recognition.Recognition`.
            label: What to keep the answer as: the head's label, or its name where another head owns the label.
            output: The head's output.
            head_spec: The head's spec.

        Raises:
            ValueError: An output of another shape, or one that isn't finite.
        """

    def writes_words(self, head_spec: dict) -> bool:
        """Whether a decoder may search for words in the output, and what `read` and `answer` get is its Hypothesis."""
        return False

    def silence(self, output: np.ndarray, head_spec: dict) -> float | None:
        """How sure the output is, 0 to 1, that nobody speaks anywhere; None where somebody does, or it can't say.

        Raises:
            ValueError: As `read`.
        """
        return None

    @abc.abstractmethod
    def answer(self, output: np.ndarray, head_spec: dict) -> tuple[object, float]:
        """What evaluation keeps of an output: the answer that `score` takes, and its confidence, 0 to 1.

        Raises:
            ValueError: As `read`.
        """

    @abc.abstractmethod
    def reference(self, value, head_spec: dict, language: str = "en", corpus: str = ""):
        """A label as a manifest writes it, made comparable to answers.

        Args:
            value: The label.
            head_spec: The head's spec.
            language: Of the utterance, ISO 639-1.
            corpus: Of the utterance.

        Raises:
            UnknownLabelError: The head has no class for it; such a label is counted and not measured.
        """

    def errors(self, reference, answer) -> tuple[float, float]:
        """Errors of an answer, as a Recognition has it, and of how many: words or phones of a text, one decision of all
        else. Arguments: from `reference`; the answer."""
        return float(reference != answer), 1.0

    @abc.abstractmethod
    def score(self, references: list, answers: list, confidences: list[float], groups: list, head_spec: dict,
              confusions: bool = False) -> dict | None:
        """Figures of one head.

        Args:
            references: From `reference`, one per utterance and at least one.
            answers: From `answer`, in the same order.
            confidences: The same.
            groups: Speaker of each utterance: what the 95 % bootstrap intervals resample.
            head_spec: The head's spec.
            confusions: Add tables of classes, where there are classes.

        Returns:
            Metric -> value, and `<metric>_interval` -> `[low, high]` where there are two groups at least. None where
            the utterances are too few to say anything.
        """

    @abc.abstractmethod
    def labels(self, head_spec: dict) -> list[str]:
        """What stands for each number of the output (or of its row for a frame), in order: the lines of a file's
        `labels/<head>.txt`. Empty where the numbers have no names."""

    @abc.abstractmethod
    def describe(self, head_spec: dict) -> str:
        """What the head can answer, in a few words: "12 values"."""

    def raw_output(self, head: str) -> str:
        """Name of the served output that holds what head `head` itself gives."""
        return f"{head}_logits"

    @abc.abstractmethod
    def served_outputs(self, head: str, head_spec: dict) -> list[str]:
        """Names of all outputs that a server gives for head `head`, the raw one first."""

    @abc.abstractmethod
    def distance(self, pairs: list[tuple[np.ndarray, np.ndarray]], head_spec: dict) -> tuple[str, float]:
        """How far the answers of a quantized model are from those of the model itself.

        Args:
            pairs: (expected, got) outputs of each recording, float64.
            head_spec: The head's spec.

        Returns:
            The name of the measure, and its value: 0 where answers are the same, near 1 where they are of no use, NaN
            where an output is. Exports are held to a few hundredths (`speechzoo.exporters.parity.TOLERANCES`).
        """

    @abc.abstractmethod
    def changed(self, pairs: list[tuple[np.ndarray, np.ndarray]], head_spec: dict) -> float:
        """Share of the answers that are not the same, 0 to 1; 0 where answers are never quite the same. Arguments as of
        `distance`."""

    def _keep(self, result, label, value, confidence=None):
        if label in self.fields:
            setattr(result, label, value)
        else:
            result.labels[label] = value
        if confidence is not None:
            result.confidence[label] = confidence
