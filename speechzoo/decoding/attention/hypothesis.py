"""What the search through a decoder returns."""

from dataclasses import dataclass, field

from speechzoo.decoding.ctc.hypothesis import Hypothesis
from speechzoo.decoding.ctc.word import Word


@dataclass
class AttentionHypothesis(Hypothesis):
    """Text from a decoder that attends to frames.

    Attributes:
        units: The tokens written, special ones too, without the start and the end.
        confidence: 0 to 1: the mean of the words; of an empty text, how sure it is that nobody speaks.
        score: Mean log-probability per token, the end included, that the decoder ranked it by, nats.
        language: ISO 639 code of what was spoken, as asked for or as detected; None where the decoder knows one only.
        language_confidence: 0 to 1; 1 where it was asked for.
        no_speech: Probability of the decoder's own token for "nobody speaks"; None where it has none.
        segments: What stands between two timestamps, where they were asked for.
    """

    language: str | None = None
    language_confidence: float = 0.0
    no_speech: float | None = None
    segments: list[Word] = field(default_factory=list)
