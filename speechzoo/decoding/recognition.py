"""What a person gets: everything that the heads of a model say about one recording."""

from dataclasses import asdict, dataclass, field, fields

import numpy as np

from speechzoo.decoding.commands.decoder import NO_INTENT, CommandDecoder
from speechzoo.decoding.commands.parse import Parse
from speechzoo.decoding.ctc.greedy import greedy_decode
from speechzoo.decoding.ctc.hypothesis import Hypothesis
from speechzoo.decoding.ctc.paths import log_softmax
from speechzoo.decoding.ctc.segments import Segment, read_segments, segments_text
from speechzoo.decoding.ctc.word import Word

MAXIMUM_SECONDS = 120.0
"""What `recognize` takes at once. Attention needs memory by the square of the length: 2 minutes take some 500 MB, an
hour would take the machine down."""

CLASSIFIER_FIELDS = ("intent", "keyword", "gender", "age_group", "event")
"""Classifiers' labels that have a field of their own in a Recognition; any other goes into `labels`."""

ANSWER_FIELDS = ("transcript", "phones", "slots", "speaker", "speech", *CLASSIFIER_FIELDS)


@dataclass
class Recognition:
    """The answers of one model to one recording; what the model has no head for is None or empty.

    Attributes:
        transcript: What was said, in lower case.
        words: The transcript's words with times.
        phones: ARPAbet phones joined by spaces.
        phone_times: The phones with times.
        intent: What the person wants done.
        slots: Slot name -> value, for the slots that were filled.
        keyword: Command or wake word.
        speaker: float32 (embedding size,), L2-normalised voice embedding; the cosine of two compares voices.
        gender: `male` or `female`.
        age_group: `child` or `adult`.
        event: Sound event.
        speech: When somebody speaks; an empty list when nobody does.
        labels: Answers of any other head, by label.
        confidence: Label -> 0 to 1, for every answer but the speaker's. For slots it is that of all of them together.
        slot_confidence: Slot name -> 0 to 1, for the filled slots.
    """

    transcript: str | None = None
    words: list[Word] = field(default_factory=list)
    phones: str | None = None
    phone_times: list[Word] = field(default_factory=list)
    intent: str | None = None
    slots: dict[str, str] | None = None
    keyword: str | None = None
    speaker: np.ndarray | None = None
    gender: str | None = None
    age_group: str | None = None
    event: str | None = None
    speech: list[Segment] | None = None
    labels: dict[str, str] = field(default_factory=dict)
    confidence: dict[str, float] = field(default_factory=dict)
    slot_confidence: dict[str, float] = field(default_factory=dict)

    def answer(self, label: str):
        """The answer to a label, wherever it is kept: text, a dict of slots, an embedding, segments, or None."""
        return getattr(self, label) if label in ANSWER_FIELDS else self.labels.get(label)

    def to_dict(self) -> dict:
        """The answers as plain values that JSON can hold; fields without an answer are left out."""
        values = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in ("words", "phone_times"):
                value = [{**asdict(word), "confidence": round(word.confidence, 4)} for word in value]
                owner = self.transcript if item.name == "words" else self.phones
                value = value if owner is not None else None
            elif item.name in ("confidence", "slot_confidence"):
                value = {key: round(float(number), 4) for key, number in value.items()} or None
            elif item.name == "speaker" and value is not None:
                value = [round(float(number), 6) for number in value]
            elif item.name == "speech" and value is not None:
                value = [{key: round(number, 4) for key, number in asdict(segment).items()} for segment in value]
            elif item.name == "labels":
                value = dict(value) or None
            if value is not None:
                values[item.name] = value
        return values

    @classmethod
    def from_dict(cls, values: dict) -> "Recognition":
        """The Recognition that `to_dict` wrote.

        Raises:
            ValueError: A key that no Recognition has.
        """
        values = dict(values)
        unknown = set(values) - {item.name for item in fields(cls)}
        if unknown:
            raise ValueError(f"not a recognition: unknown key '{sorted(unknown)[0]}'")
        for key in ("words", "phone_times"):
            values[key] = [Word(**word) for word in values.get(key, [])]
        if "speech" in values:
            values["speech"] = [Segment(**segment) for segment in values["speech"]]
        if "speaker" in values:
            values["speaker"] = np.asarray(values["speaker"], np.float32)
        return cls(**values)

    def __str__(self) -> str:
        """One line an answer, aligned, with its confidence."""
        rows = []
        for label, value in [("transcript", self.transcript), ("phones", self.phones), ("intent", self.intent),
                             ("slots", self.slots), ("keyword", self.keyword), ("gender", self.gender),
                             ("age_group", self.age_group), ("event", self.event),
                             ("speech", None if self.speech is None else segments_text(self.speech)),
                             *self.labels.items()]:
            if value is None:
                continue
            if isinstance(value, dict):
                value = ", ".join(f"{name}: {text}" for name, text in value.items()) or "none"
            rows.append((label, value or "(nothing)", f"{self.confidence.get(label, 0.0):.0%}"))
        if self.speaker is not None:
            rows.append(("speaker", f"voice embedding of {len(self.speaker)} numbers", ""))
        width = max((len(label) for label, _, _ in rows), default=0)
        return "\n".join(f"{label:<{width}}  {share:>4}  {value}" for label, value, share in rows)


def recognize_outputs(outputs: dict[str, np.ndarray], spec: dict, heads: list[str] | None = None,
                      decoder=greedy_decode, commands: CommandDecoder | None = None) -> Recognition:
    """Reads the outputs of a model's heads for one utterance.

    Args:
        outputs: Head -> array without the batch axis: `ctc` (frames, units + 1) logits, `classifier` (classes,)
            logits, `slots` (sum over slots of values + 1,) logits, `speaker` (embedding size,), `frame_classifier`
            (frames, 2) logits.
        spec: What `MultiTaskModel.spec()` gives: `{"heads": {name: head spec}, ...}`.
        heads: Heads to read; all when absent.
        decoder: Callable `(logits, head spec) -> Hypothesis` for heads that write words, such as a `BeamSearch`; or
            one that finds the words in another head's output, which it names in its attribute `head`, such as a
            `LexiconSearch`. Phones are always decoded greedily: word lists and language models are about words.
        commands: Answers `intent` and `slots` from a grammar, in place of heads for them. Speech that is no command
            has the intent "none" and no slots.

    Returns:
        The Recognition. Where several heads answer one label, the field is that of the head named as the label, or of
        the first; the others go into `labels` under their own names.

    Raises:
        ValueError: A head that the model doesn't have, an output of the wrong shape, or one that isn't finite.
    """
    chosen = select_heads(spec, heads)["heads"]
    if commands is not None:
        chosen = {name: head for name, head in chosen.items() if head["label"] not in ("intent", "slots")}
    owner = {}
    for name, head_spec in chosen.items():
        if name == head_spec["label"] or head_spec["label"] not in owner:
            owner[head_spec["label"]] = name
    result = Recognition()
    for name, head_spec in chosen.items():
        if name not in outputs:
            raise ValueError(f"the outputs lack head '{name}'; they have: {', '.join(outputs)}")
        label = head_spec["label"] if owner[head_spec["label"]] == name else name
        try:
            if head_spec["type"] == "ctc":
                read_text(result, label, _decode(outputs, name, head_spec, decoder))
            else:
                _read_head(result, label, np.asarray(outputs[name]), head_spec)
        except ValueError as error:
            raise ValueError(f"head '{name}': {error}") from None
    if commands is not None:
        _read_command(result, commands(outputs))
    return result


def select_heads(spec: dict, heads: list[str] | None) -> dict:
    """The spec with only the heads asked for, in the model's order; all of them for None.

    Raises:
        ValueError: A head that the model doesn't have, or no head at all.
    """
    if heads is None:
        return spec
    if isinstance(heads, str) or not heads:
        raise ValueError(f"heads is a list of names, got {heads!r}; the model has: {', '.join(spec['heads'])}")
    for name in heads:
        if name not in spec["heads"]:
            raise ValueError(f"the model has no head '{name}'; it has: {', '.join(spec['heads'])}")
    return {**spec, "heads": {name: head_spec for name, head_spec in spec["heads"].items() if name in heads}}


def _decode(outputs: dict, name: str, head_spec: dict, decoder) -> Hypothesis:
    if head_spec["kind"] == "phones":
        return greedy_decode(np.asarray(outputs[name]), head_spec)
    if hasattr(decoder, "head"):
        return decoder(np.asarray(outputs[decoder.head]))
    return decoder(np.asarray(outputs[name]), head_spec)


def read_text(result: Recognition, label: str, hypothesis: Hypothesis):
    """Puts what a head has written where a Recognition keeps that label."""
    if label == "transcript":
        result.transcript, result.words = hypothesis.text, hypothesis.words
    elif label == "phones":
        result.phones, result.phone_times = hypothesis.text, hypothesis.words
    else:
        result.labels[label] = hypothesis.text
    result.confidence[label] = hypothesis.confidence


def _read_head(result: Recognition, label: str, output: np.ndarray, head_spec: dict):
    kind = head_spec["type"]
    if kind == "classifier":
        probabilities = class_probabilities(output, head_spec)
        best = int(output.argmax())  # probabilities may be equal where logits hardly differ
        answer = head_spec["classes"][best]
        if label in CLASSIFIER_FIELDS:
            setattr(result, label, answer)
        else:
            result.labels[label] = answer
        result.confidence[label] = float(probabilities[best])
    elif kind == "slots":
        slots, confidence, together = read_slots(output, head_spec)
        result.slots, result.slot_confidence = slots, confidence
        result.confidence[label] = together
    elif kind == "speaker":
        if not np.isfinite(output).all():
            raise ValueError("the embedding has NaN or infinite values; check the weights and that the audio is finite")
        result.speaker = output.astype(np.float32)
    elif kind == "frame_classifier":
        segments, result.confidence[label] = read_segments(output, head_spec)
        if label == "speech":
            result.speech = segments
        else:
            result.labels[label] = segments_text(segments)
    else:
        raise ValueError(f"unknown head type '{kind}'; this version reads ctc, classifier, slots, speaker and "
                         "frame_classifier")


def _read_command(result: Recognition, parse: Parse):
    said = parse.accepted
    result.intent, result.slots = (parse.intent, parse.slots) if said else (NO_INTENT, {})
    result.slot_confidence = parse.slot_confidence if said else {}
    result.confidence["intent"] = result.confidence["slots"] = parse.confidence if said else 1 - parse.confidence


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


def read_slots(logits: np.ndarray, head_spec: dict) -> tuple[dict[str, str], dict[str, float], float]:
    """Filled slots, their confidences, and the confidence that all slots, empty ones too, are right.

    Args:
        logits: (sum over slots of values + 1,), a segment a slot in the spec's order; first in a segment is "none".
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
