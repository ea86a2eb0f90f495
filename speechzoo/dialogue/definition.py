"""What a dialogue is made of: its YAML file is read into these classes, and everything else starts from them."""

from dataclasses import dataclass, field

from speechzoo.dialogue.prompt import Prompt
from speechzoo.grammar.nodes import Grammar, Node

END = "end"
"""`END` is where a dialogue leads that is over: back to its first state, with nothing open."""
YES, NO = "yes", "no"
"""`YES` and `NO` may be answers of a state without being intents of the grammar."""


@dataclass(frozen=True)
class Answer:
    """What follows an intent in a state.

    Attributes:
        needs: Slots that are asked for, in this order, as far as nobody has filled them.
        confirm: The question before it is done; never asked when None.
        confirm_below: Confidence below which `confirm` is asked; 1 always asks.
        action: What is done then, by the program that listens; nothing when None.
        say: What is said then.
        next: The state that follows, or `END`.
    """

    needs: tuple[str, ...] = ()
    confirm: Prompt | None = None
    confirm_below: float = 0.7
    action: str | None = None
    say: Prompt | None = None
    next: str = END


@dataclass(frozen=True)
class SlotQuestion:
    """How a slot is asked for and answered.

    Attributes:
        ask: The question; None for a slot that nothing needs.
        answers: Node of the answers, which fill the slot.
    """

    ask: Prompt | None
    answers: Node


@dataclass(frozen=True)
class Dialogue:
    """A dialogue, as `speechzoo.dialogue.reading.load_dialogue` reads it.

    Attributes:
        name: The file's name without its ending.
        grammar: Sentences of all intents.
        start: The state in which nothing is open.
        states: State -> intent -> what follows.
        slots: Slot -> how it is asked for and answered.
        sentences: `yes`, `no`, `cancel`, `repeat`, and the beginnings `correct` and `again` -> node.
        replies: `sorry`, `cancelled`, `gave_up` -> text.
        timeout: Seconds after which a question is asked again.
        attempts: Questions asked in vain after which the dialogue is over.
        memory: Seconds for which the last command can be corrected or referred to.
    """

    name: str
    grammar: Grammar
    start: str
    states: dict[str, dict[str, Answer]]
    slots: dict[str, SlotQuestion] = field(default_factory=dict)
    sentences: dict[str, Node] = field(default_factory=dict)
    replies: dict[str, str] = field(default_factory=dict)
    timeout: float = 8.0
    attempts: int = 3
    memory: float = 60.0
