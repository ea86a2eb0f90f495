"""What a CTC decoder returns."""

from dataclasses import dataclass, field

from speechzoo.decoding.ctc.word import Word


@dataclass
class Hypothesis:
    """A decoded unit sequence.

    Attributes:
        text: Words with single spaces between them, or phones with single spaces.
        words: The same with times; the phones where the units are phones.
        units: Indices of the units, 1-based as in the head's targets.
        confidence: 0 to 1: the mean of its words; for an empty text, how sure the blank is where it is least sure.
        score: Natural-log score that the decoder ranked it by.
    """

    text: str
    words: list[Word] = field(default_factory=list)
    units: list[int] = field(default_factory=list)
    confidence: float = 0.0
    score: float = 0.0
