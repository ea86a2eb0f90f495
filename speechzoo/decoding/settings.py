"""How recordings are to be decoded, whichever model hears them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from speechzoo.decoding.attention.search import AttentionSearch
from speechzoo.decoding.commands.decoder import CommandDecoder
from speechzoo.decoding.ctc.beam import BeamSearch
from speechzoo.decoding.ctc.boosting import PhraseBoost
from speechzoo.decoding.dictation.lexicon_search import LexiconSearch
from speechzoo.decoding.heads import find_head
from speechzoo.decoding.recognition import select_heads
from speechzoo.text.ngram import NGram
from speechzoo.text.spelling import Lexicon


@dataclass(frozen=True)
class DecoderSettings:
    """What is asked of decoders before the model is known; a model's spec makes them of it.

    Attributes:
        grammar: Spoken commands, as of a `CommandDecoder`; none when None.
        lexicon, threshold: How their words sound, and how well they must match, as of a `CommandDecoder`.
        dictation: Lexicon of the words that may be dictated; transcripts are then searched for among the phones.
        language_model: Of transcripts.
        words: The only words of transcripts; any when None.
        boost: Phrases to favour in transcripts.
        beam_width: Texts that a beam search keeps. It is `BeamSearch`'s own when None, and where nothing else asks
            for a beam search, transcripts are then greedy.
        lm_weight: Factor of the language model; the search's own when None.
        word_bonus: Added for every word, nats; the search's own when None.
        language: Language that is spoken, as of an `AttentionSearch`.
        task: What is written, as of an `AttentionSearch`.

    Example:
        settings = DecoderSettings(grammar="smart_speaker", beam_width=8)
        model.recognize(audio, grammar=settings.commands(model.spec), decoder=settings.transcripts(model.spec))
    """

    grammar: object = None
    lexicon: str | Path | Lexicon | None = None
    threshold: float | None = None
    dictation: Lexicon | None = None
    language_model: NGram | None = None
    words: Iterable[str] | None = None
    boost: Iterable[str] = ()
    beam_width: int | None = None
    lm_weight: float | None = None
    word_bonus: float | None = None
    language: str | None = None
    task: str | None = None

    def commands(self, spec: dict) -> CommandDecoder | None:
        """The decoder of commands for a model's spec, or None; errors are those of `CommandDecoder`."""
        return None if self.grammar is None else CommandDecoder(self.grammar, spec, self.lexicon, self.threshold)

    def transcripts(self, spec: dict, heads: list[str] | None = None) -> (
            LexiconSearch | AttentionSearch | BeamSearch | None):
        """The decoder of transcripts for a model's spec; None for the greedy one.

        Args:
            spec: With all heads of the model.
            heads: Names of those that are asked for; all when None.

        Raises:
            ValueError: The settings don't fit each other, or the model.
        """
        given = {"lm_weight": self.lm_weight, "word_bonus": self.word_bonus}
        weights = {name: value for name, value in given.items() if value is not None}
        if self.dictation is not None:
            return LexiconSearch(spec, self.dictation, self.language_model, **weights)
        if find_head(select_heads(spec, heads), type="seq2seq", label="transcript") is not None:
            if self.language_model is not None or self.words is not None or self.boost:
                other = find_head(spec, type="ctc", label="transcript")
                raise ValueError("language models, lists of words and phrases to boost are for ctc heads; the "
                                 "transcript of this model comes from a decoder, which takes a beam, a language and a "
                                 "task" + (f"; ask for the head '{other}' alone" if other else ""))
            return AttentionSearch(self.beam_width or 1, self.language, self.task)
        if self.language or self.task:
            raise ValueError("a spoken language and a task are for models whose transcript comes from a decoder, a "
                             "seq2seq head")
        if self.beam_width is not None:
            weights["beam_width"] = self.beam_width
        elif self.language_model is None and self.words is None and not self.boost:
            return None
        boost = PhraseBoost(self.boost) if self.boost else None
        return BeamSearch(language_model=self.language_model, words=self.words, boost=boost, **weights)
