"""Spoken commands: a grammar, ready for one model, and what the model's outputs mean under it."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from speechzoo.decoding.commands.compile import compile_grammar
from speechzoo.decoding.commands.compiled_grammar import CompiledGrammar
from speechzoo.decoding.commands.decode import grammar_decode
from speechzoo.decoding.commands.parse import Parse
from speechzoo.decoding.decoder import Decoder, output_of
from speechzoo.decoding.gate import silence_of
from speechzoo.decoding.heads import find_head, find_heads
from speechzoo.grammar.nodes import Grammar
from speechzoo.text.letter_to_sound import default_lexicon
from speechzoo.text.lexicon import load_lexicon
from speechzoo.text.spelling import Lexicon
from speechzoo.text.units import WRITTEN_KINDS

NO_INTENT = "none"
"""`NO_INTENT` is the intent of speech that is no command of the grammar."""


class CommandDecoder(Decoder):
    """Understands the commands of a grammar from a model's outputs.

    Phones are matched where the model has a head for them and every word of the grammar a pronunciation, because a
    network hears how a word sounds before it learns how it is spelt. Otherwise it is the letters or pieces of the
    transcript's head.

    Args:
        grammar: Name or path of a grammar, a `Grammar`, a `CompiledGrammar`, or the `.npz` file of one.
        spec: The model's spec: `MultiTaskModel.spec`, `EdgeModel.spec`.
        lexicon: Pronunciations: "cmudict", the path of a lexicon, or word -> pronunciations. By default CMUdict where
            the package `pocketsphinx` is installed, and guesses from the letters for words that it lacks; words that
            aren't written in the letters a to z then mean letters or pieces.
        threshold: Least score of what is accepted, nats per unit, below 0: nearer to it, less noise is taken for a
            command, and more commands are rejected. That of the compiled grammar when None.

    Where the model has a head `speech` and it hears nobody, nothing is accepted: noise isn't read as a command.

    Attributes:
        head: Name of the head that is read.
        speech: Name of the head that hears whether somebody speaks; None where the model has none.
        compiled: The grammar for that head's units; `compiled.save(path)` keeps it for devices.

    Raises:
        GrammarError: The grammar can't be read.
        ValueError: The model has no head that writes words or phones, a word of the grammar has no pronunciation in the
            lexicon given, the grammar was compiled for another model, or a threshold of 0 or more.

    Example:
        commands = CommandDecoder("coffee_maker.yaml", model.spec)
        model.recognize("order.wav", grammar=commands).slots
    """

    labels = ("intent", "slots")

    def __init__(self, grammar, spec: dict, lexicon: str | Path | Lexicon | None = None,
                 threshold: float | None = None):
        heads = {name: spec["heads"][name] for name in find_heads(spec, type="ctc")}
        if not heads:
            raise ValueError("commands need a head that writes words or phones; the model has: "
                             + ", ".join(spec["heads"]))
        if isinstance(grammar, (str, Path)):
            grammar = _load(grammar)
        if isinstance(lexicon, (str, Path)) and isinstance(grammar, Grammar):
            lexicon = load_lexicon(lexicon)
        if isinstance(grammar, CompiledGrammar):
            self.head, self.compiled = _head_of(grammar, heads), grammar
        else:
            self.head, self.compiled = _compile(grammar, heads, lexicon)
        if threshold is not None:
            self.compiled = self.compiled.with_threshold(threshold)
        self.speech = find_head(spec, type="frame_classifier", label="speech")
        self.heads = (self.head,) if self.speech is None else (self.head, self.speech)
        self._speech_spec = spec["heads"].get(self.speech)

    def __call__(self, outputs: dict[str, np.ndarray]) -> Parse:
        """The best command, accepted or not.

        Args:
            outputs: Head -> array without the batch axis, as `Recognizer.batch_outputs` gives them. Without that of
                `speech` somebody is taken to speak.

        Raises:
            ValueError: The output of `head` is missing, an output has another shape, or isn't finite.
        """
        with output_of(outputs, self.head) as logits:
            parse = grammar_decode(logits, self.compiled)
        silence = silence_of(outputs, self.speech, self._speech_spec) if self.speech in outputs else None
        if silence is None:
            return parse
        return replace(parse, accepted=False, confidence=min(parse.confidence, 1 - silence))

    def write(self, result, meaning: Parse):
        """As `Decoder.write`: the command, or the intent "none" and no slots where there was none."""
        parse = meaning
        result.sentence_score = parse.score
        if parse.accepted:
            result.intent, result.slots, result.slot_confidence = parse.intent, parse.slots, parse.slot_confidence
            result.sentence, result.sentence_words = parse.text, parse.words
        else:
            result.intent, result.slots, result.slot_confidence = NO_INTENT, {}, {}
        confidence = parse.confidence if parse.accepted else 1 - parse.confidence
        result.confidence["intent"] = result.confidence["slots"] = confidence


def command_decoder(grammar, spec: dict) -> CommandDecoder:
    """A `CommandDecoder` for whatever names a grammar; one that is given is returned."""
    return grammar if isinstance(grammar, CommandDecoder) else CommandDecoder(grammar, spec)


def _load(path):
    if Path(path).suffix == ".npz":
        return CompiledGrammar.load(path)
    try:
        from speechzoo.grammar.reading import load_grammar  # a device reads compiled grammars only, and has no PyYAML
    except ModuleNotFoundError as error:
        if error.name != "yaml":
            raise
        raise ImportError(f"{path}: to read a grammar takes PyYAML: pip install PyYAML. Or compile it where all of "
                          f"speechzoo is installed: speechzoo grammar {path} --model MODEL --out NAME.npz") from None
    return load_grammar(path)


def _head_of(compiled, heads):
    for name, head in heads.items():
        try:
            compiled.check_head(head)
        except ValueError:
            continue
        return name
    compiled.check_head(next(iter(heads.values())))  # says what doesn't fit


def _compile(grammar: Grammar, heads: dict, lexicon: Lexicon | None) -> tuple[str, CompiledGrammar]:
    written, spoken = find_head({"heads": heads}, kind=WRITTEN_KINDS), find_head({"heads": heads}, kind="phones")
    if spoken:
        words = default_lexicon() if lexicon is None else lexicon
        try:
            return spoken, compile_grammar(grammar, heads[spoken], words)
        except ValueError:
            if lexicon is not None or not written:
                raise
    return written, compile_grammar(grammar, heads[written])
