"""What decoding under a grammar returns."""

from dataclasses import dataclass, field

from speechzoo.decoding.ctc.word import Word


@dataclass
class Parse:
    """The sentence of a grammar that matches a recording best.

    A parse that is not `accepted` is a guess to look at, never to act on.

    Attributes:
        intent: What the person wants done; None where no sentence of the grammar matches at all.
        slots: Slot name -> value, of the slots that the sentence fills.
        words: The sentence's words with times.
        score: How well it matches, nats per unit; at most 0; see `grammar_decode`.
        confidence: 0 to 1; below 0.5 wherever the parse is not accepted.
        accepted: Whether this was said, rather than something outside the grammar.
        slot_confidence: Slot name -> 0 to 1.
    """

    intent: str | None = None
    slots: dict[str, str] = field(default_factory=dict)
    words: list[Word] = field(default_factory=list)
    score: float = 0.0
    confidence: float = 0.0
    accepted: bool = False
    slot_confidence: dict[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The words with single spaces between them."""
        return " ".join(word.text for word in self.words)
