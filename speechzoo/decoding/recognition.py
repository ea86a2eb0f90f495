"""What a person gets: everything that the heads of a model say about one recording."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields

import numpy as np

from speechzoo.decoding.answers import answer_kind
from speechzoo.decoding.attention.decoder import AttentionDecoder
from speechzoo.decoding.attention.search import AttentionSearch
from speechzoo.decoding.ctc.greedy import greedy_decode
from speechzoo.decoding.ctc.hypothesis import Hypothesis
from speechzoo.decoding.ctc.segments import Segment, segments_text
from speechzoo.decoding.ctc.word import Word
from speechzoo.decoding.decoder import Decoder, naming_head, output_of
from speechzoo.decoding.gate import speaker_gate
from speechzoo.decoding.heads import find_head
from speechzoo.decoding.speakers.turn import Turn, words_of_turns

WORD_FIELDS = {"words": "transcript", "phone_times": "phones", "sentence_words": "sentence"}
"""Fields of words with times -> the text that they are the words of."""

ANSWER_FIELDS = ("transcript", "phones", "slots", "speaker", "speech", "intent", "keyword", "gender", "age_group",
                 "event")
"""`ANSWER_FIELDS` are the labels that have a field of their own in a Recognition; other answers go into `labels`."""


@dataclass
class Recognition:
    """The answers of one model to one recording; what the model has no head for is None or empty.

    Attributes:
        transcript: What was said: in lower case, or with capitals, signs and figures where a `seq2seq` head writes it.
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
        sentence: Under a grammar, the sentence of it that was understood; None where it was no command.
        sentence_words: The sentence's words with times.
        sentence_score: Under a grammar, how well its best sentence matches, nats a unit, at most 0; the sentence is
            rejected below the grammar's threshold. See `grammar_decode`.
        labels: Answers of any other head, by label: text, a number, slots, segments as of `speech`, or an embedding as
            of `speaker`.
        confidence: Label -> 0 to 1, for every answer but the speaker's and numbers. For slots it is that of all of them
            together.
        slot_confidence: Slot name -> 0 to 1, for the filled slots.
        unanswered: Labels whose heads have no answer: they are unsure (a `classifier`'s `threshold`), or about a
            speaker where nobody speaks, or of a class that the head hardly ever recognises (`weak`).
        turns: Who speaks when, of a recording of several people; None where nobody asked
            (`speechzoo.decoding.speakers.find_turns`).
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
    sentence: str | None = None
    sentence_words: list[Word] = field(default_factory=list)
    sentence_score: float | None = None
    labels: dict[str, str | float | dict[str, str] | np.ndarray] = field(default_factory=dict)
    confidence: dict[str, float] = field(default_factory=dict)
    slot_confidence: dict[str, float] = field(default_factory=dict)
    unanswered: list[str] = field(default_factory=list)
    turns: list[Turn] | None = None

    def answer(self, label: str):
        """The answer to a label, wherever it is kept: text, a number, a dict of slots, an embedding, segments, or
        None."""
        return self.labels.get(label, getattr(self, label) if label in ANSWER_FIELDS else None)

    def take_back(self, label: str):
        """Leaves a label unanswered, whatever has been said to it."""
        self.hide(label)
        self.unanswered.append(label)

    def hide(self, label: str):
        """Leaves a label out, as if nobody had asked."""
        if label in ANSWER_FIELDS:
            setattr(self, label, None)
        for field_, text in WORD_FIELDS.items():
            if text == label:
                setattr(self, field_, [])
        if label == "slots":
            self.slot_confidence = {}
        self.labels.pop(label, None)
        self.confidence.pop(label, None)
        self.unanswered = [other for other in self.unanswered if other != label]

    def to_dict(self) -> dict:
        """The answers as plain values that JSON can hold; fields without an answer are left out."""
        values = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in WORD_FIELDS:
                value = [{**asdict(word), "confidence": round(word.confidence, 4)} for word in value]
                value = value if getattr(self, WORD_FIELDS[item.name]) is not None else None
            elif item.name == "sentence_score" and value is not None:
                value = round(value, 4)
            elif item.name in ("confidence", "slot_confidence"):
                value = {key: round(float(number), 4) for key, number in value.items()} or None
            elif item.name == "unanswered":
                value = value or None
            elif item.name == "speaker" and value is not None:
                value = _plain(value)
            elif item.name in ("speech", "turns") and value is not None:
                value = _plain(value)
            elif item.name == "labels":
                value = {label: _plain(answer) for label, answer in value.items() if answer is not None} or None
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
        for key in WORD_FIELDS:
            values[key] = [Word(**word) for word in values.get(key, [])]
        if "speech" in values:
            values["speech"] = _from_plain(values["speech"])
        if "turns" in values:
            values["turns"] = [Turn(**turn) for turn in values["turns"]]
        if "speaker" in values:
            values["speaker"] = np.asarray(values["speaker"], np.float32)
        if "labels" in values:
            values["labels"] = {label: _from_plain(answer) for label, answer in values["labels"].items()}
        return cls(**values)

    def __str__(self) -> str:
        """One line per answer, aligned, with its confidence."""
        rows = []
        for label, value in [("transcript", self.transcript), ("phones", self.phones), ("intent", self.intent),
                             ("slots", self.slots), ("keyword", self.keyword), ("gender", self.gender),
                             ("age_group", self.age_group), ("event", self.event), ("speech", self.speech),
                             *self.labels.items()]:
            if value is None:
                continue
            if isinstance(value, dict):
                value = ", ".join(f"{name}: {text}" for name, text in value.items()) or "none"
            elif isinstance(value, list):
                value = segments_text(value)
            elif isinstance(value, np.ndarray):
                value = _embedding_text(value)
            elif not isinstance(value, str):
                value = f"{value:g}"
            share = self.confidence.get(label)
            rows.append((label, value or "(nothing)", "" if share is None else f"{share:.0%}"))
        if self.sentence_score is not None:
            rows.append(("sentence", f"{self.sentence or '(nothing)'} (score {self.sentence_score:.2f})", ""))
        if self.speaker is not None:
            rows.append(("speaker", _embedding_text(self.speaker), ""))
        rows += [(label, "-", "") for label in self.unanswered]
        for turn, words in self._turns_with_words():
            text = " ".join(word.text for word in words)
            rows.append((turn.speaker, f"{turn.start:.1f}-{turn.end:.1f} s{'  ' if text else ''}{text}", ""))
        width = max((len(label) for label, _, _ in rows), default=0)
        return "\n".join(f"{label:<{width}}  {share:>4}  {value}" for label, value, share in rows)

    def _turns_with_words(self):
        said = {}
        for turn, words in words_of_turns(self.words, self.turns or []):
            said.setdefault(turn, []).extend(words)
        return [(turn, said.get(turn, [])) for turn in self.turns or []]


def _plain(answer):
    """An answer as JSON can hold it."""
    if isinstance(answer, np.ndarray):
        return [round(float(number), 6) for number in answer]
    if isinstance(answer, list):
        return [{key: value if isinstance(value, str) else round(value, 4) for key, value in asdict(each).items()}
                for each in answer]
    # A number's scale is its head's, so that no rounding suits all.
    return answer if isinstance(answer, str | dict) else float(answer)


def _from_plain(answer):
    if isinstance(answer, list) and all(isinstance(item, dict) for item in answer):
        return [Segment(**segment) for segment in answer]
    return np.asarray(answer, np.float32) if isinstance(answer, list) else answer


def _embedding_text(embedding: np.ndarray) -> str:
    return f"voice embedding of {len(embedding)} numbers"


@dataclass
class HeadDecoder(Decoder):
    """Reads the answer of one head.

    Args:
        name: The head's.
        label: Where a Recognition keeps the answer: the head's label, or the head's name where another answers that.
        head_spec: The head's.
        search: Callable `(logits, head spec) -> Hypothesis` for a head that writes words. Phones are always decoded
            greedily: word lists and language models are about words.
    """

    name: str
    label: str
    head_spec: dict
    search: Callable = greedy_decode

    def __post_init__(self):
        self.heads, self.labels = (self.name,), (self.label,)

    def __call__(self, outputs: dict[str, np.ndarray]) -> np.ndarray | Hypothesis:
        """The head's output, or what the search writes of it."""
        with output_of(outputs, self.name) as output:
            writes = answer_kind(self.head_spec).writes_words(self.head_spec)
            return self.search(output, self.head_spec) if writes else output

    def write(self, result: Recognition, meaning: np.ndarray | Hypothesis):
        """As `Decoder.write`; its errors name the head."""
        with naming_head(self.name):
            answer_kind(self.head_spec).read(result, self.label, meaning, self.head_spec)


def head_decoder(spec: dict, name: str, label: str, decoder=None, steps: dict | None = None) -> Decoder:
    """What reads one head.

    Args:
        spec: The model's, with all of its heads.
        name: The head's.
        label: Where a Recognition keeps the answer.
        decoder, steps: As of `make_decoders`; an `AttentionSearch` is for heads of type `seq2seq`, any other search for
            those that it isn't.

    Raises:
        ValueError: A type that this version doesn't know, or no step for a head that is written step by step.
    """
    head_spec = spec["heads"][name]
    with naming_head(name):
        stepwise = answer_kind(head_spec).stepwise
    attends = isinstance(decoder, AttentionSearch)
    if stepwise:
        return AttentionDecoder(spec, name, label, decoder if attends else AttentionSearch(), steps or {})
    return HeadDecoder(name, label, head_spec, greedy_decode if attends or decoder is None else decoder)


def make_decoders(spec: dict, heads: list[str] | None = None, decoder=None, commands: Decoder | None = None,
                  steps: dict | None = None) -> list[Decoder]:
    """What reads the outputs of a model: one decoder per head, or one that answers in place of heads.

    Args:
        spec: The model's; see `Recognizer.spec`.
        heads: Heads to read; all when None.
        decoder: For transcripts: a callable `(logits, head spec) -> Hypothesis`, such as a `BeamSearch`; an
            `AttentionSearch` for heads of type `seq2seq`; or a `Decoder`, such as a `LexiconSearch`, which finds the
            words in another head's output. Greedy when None.
        commands: Answers `intent` and `slots` from a grammar: a `CommandDecoder`.
        steps: Head -> step of its decoder, for heads of type `seq2seq`: `Recognizer.decode_steps`.

    Returns:
        The decoders. Where several heads answer one label, the field is that of the head named as the label, or of the
        first; the others go into `labels` under their own names. Where answers are about a speaker and the model has a
        head `speech`, the last is a `SpeakerGate`.

    Raises:
        ValueError: A head that the model doesn't have or whose type is unknown, or one that nothing here can decode.
    """
    chosen = select_heads(spec, heads)["heads"]
    asked = {head_spec["label"] for head_spec in chosen.values()}
    given = [] if commands is None else [commands]
    if isinstance(decoder, Decoder):
        given += [decoder] if heads is None or asked & set(decoder.labels) else []
        decoder = None
    answered = {label for each in given for label in each.labels}
    chosen = {name: head_spec for name, head_spec in chosen.items() if head_spec["label"] not in answered}
    labels = {head_spec["label"] for head_spec in chosen.values()}
    owner = {label: find_head({"heads": chosen}, label=label) for label in labels}
    kept = {name: head_spec["label"] if owner[head_spec["label"]] == name else name
            for name, head_spec in chosen.items()}
    gate = speaker_gate(spec, kept)
    return [head_decoder(spec, name, label, decoder, steps) for name, label in kept.items()] + given + (
        [gate] if gate else [])


def read_outputs(outputs: dict[str, np.ndarray], decoders: list[Decoder]) -> Recognition:
    """What decoders make of a model's outputs for one utterance: head -> array without the batch axis.

    Raises:
        ValueError: An output that is missing, of the wrong shape, or not finite.
    """
    result = Recognition()
    for decoder in decoders:
        decoder.read(result, outputs)
    return result


def recognize_outputs(outputs: dict[str, np.ndarray], spec: dict, heads: list[str] | None = None, decoder=None,
                      commands: Decoder | None = None, steps: dict | None = None) -> Recognition:
    """Reads the outputs of a model's heads for one utterance.

    Args:
        outputs: Head -> array without the batch axis, of the shape that its kind in `speechzoo.decoding.answers` names.
        spec, heads, decoder, commands, steps: As of `make_decoders`.

    Returns:
        The Recognition. Under `commands`, speech that is no command has the intent "none" and no slots.

    Raises:
        ValueError: A head that the model doesn't have or whose type is unknown, an output of the wrong shape, or one
            that isn't finite.
    """
    return read_outputs(outputs, make_decoders(spec, heads, decoder, commands, steps))


def head_decoders(spec: dict, heads: list[str], decoder=None, among: list[Decoder] = (),
                  steps: dict | None = None) -> dict[str, Decoder]:
    """What decodes each head by itself, whichever head owns its label: for measuring them.

    Args:
        spec: The model's, with all of its heads.
        heads: Names of those that are needed.
        decoder, steps: As of `make_decoders`. A `Decoder` stands for the heads of the labels that it answers.
        among: Decoders that are there already, from `make_decoders`: those that read one of `heads` are taken.

    Returns:
        Head -> a decoder, whose call gives what the head's kind of answer reads.
    """
    given, search = (decoder, None) if isinstance(decoder, Decoder) else (None, decoder)
    own = {each.name: each for each in among if isinstance(each, HeadDecoder | AttentionDecoder)}
    return {name: given if given is not None and spec["heads"][name]["label"] in given.labels
            else own.get(name) or head_decoder(spec, name, name, search, steps) for name in heads}


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
