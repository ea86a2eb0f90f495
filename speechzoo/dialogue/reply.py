"""What an assistant answers to one utterance."""

from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Action:
    """What is to be done, by the program that listens.

    Attributes:
        name: The intent, or what the dialogue calls it (`do`).
        slots: Slot -> value.
        corrects: Whether it takes the place of the action before, which was misunderstood or regretted.
    """

    name: str
    slots: dict[str, str] = field(default_factory=dict)
    corrects: bool = False


@dataclass(frozen=True)
class Reply:
    """What follows an utterance, or a silence.

    Attributes:
        kind: "done", "ask" (for a slot), "confirm", "next" (another state's question), "sorry" (nothing was
            understood), "repeat", "silence" (asked again because nobody answered), "cancelled", "gave_up", "ignored".
        say: What is said; None where nothing is.
        waiting: Whether an answer is awaited.
        action: What is to be done; None where nothing is.
    """

    kind: str
    say: str | None = None
    waiting: bool = False
    action: Action | None = None

    def to_dict(self) -> dict:
        """Plain values that JSON can hold, without what isn't there."""
        return {name: value for name, value in asdict(self).items() if value is not None}
