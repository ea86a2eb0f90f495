"""A dialogue by written words: the same machine without a model, for tests, terminals and services of text."""

from speechzoo.decoding.commands.decode import WORST_SCORE
from speechzoo.decoding.commands.parse import Parse
from speechzoo.dialogue.machine import SOMEBODY, Machine
from speechzoo.dialogue.reply import Reply
from speechzoo.grammar.nodes import Choice, Grammar, Node, Sequence, Slot, Value, Words
from speechzoo.text.normalize import normalize_words


class TextDialogue:
    """Answers texts.

    Args:
        machine: The dialogue and where everybody is in it.

    Example:
        assistant = TextDialogue(Machine(load_dialogue("home.yaml")))
        assistant.answer("turn on the light", now=time.time()).say  # 'In which room?'
    """

    def __init__(self, machine: Machine):
        self.machine = machine

    def answer(self, text: str, now: float, person: str = SOMEBODY) -> Reply:
        """What follows a text.

        Args:
            text: As people write.
            now: Seconds since 1970.
            person: Who wrote it.
        """
        grammar = self.machine.openings.grammar(self.machine.opening(now, person))
        return self.machine.hear(parse_text(text, grammar), now, person)


def parse_text(text: str, grammar: Grammar) -> Parse:
    """What a text means under a grammar that isn't compiled: its nodes are walked, so that nothing has to be built.

    Args:
        text: As people write: case, punctuation, and figures or number words are all the same.
        grammar: The grammar. Of intents with the same sentence it is the one that stands first in it.

    Returns:
        An accepted parse without times of words, or one that isn't accepted where the text is no sentence of the
        grammar.

    Example:
        >>> level = Slot("level", Choice((Value("10", Words("ten")), Value("20", Words("twenty")))))
        >>> parse_text("Volume 20!", Grammar("radio", {"volume": Sequence((Words("volume"), level))})).slots
        {'level': '20'}
    """
    try:
        words = normalize_words(text, grammar.language).split()
    except ValueError:  # signs that nobody can say are in no grammar
        words = []
    walk = _Walk(words)
    for intent, node in grammar.intents.items() if words else ():
        slots = walk.ends(node, 0, None).get(len(words))
        if slots is not None:
            return Parse(intent, dict(slots), confidence=1.0, accepted=True,
                         slot_confidence={name: 1.0 for name, _ in slots})
    return Parse(score=WORST_SCORE)


class _Walk:
    """Where a node may end in a row of words, and what it means then."""

    def __init__(self, words: list[str]):
        self.words = words
        self.known: dict[tuple, dict[int, tuple]] = {}

    def ends(self, node: Node, start: int, slot: str | None) -> dict[int, tuple]:
        """Index behind the last word -> (slot, value) pairs, of the first way that ends there."""
        if isinstance(node, Words):
            stop = start + node.text.count(" ") + 1
            return {stop: ()} if self.words[start:stop] == node.text.split() else {}
        key = id(node), start, slot
        if key not in self.known:
            self.known[key] = self._ends(node, start, slot)
        return self.known[key]

    def _ends(self, node, start, slot):
        if isinstance(node, Sequence):
            reached = {start: ()}
            for part in node.parts:
                longer = {}
                for place, slots in reached.items():
                    for stop, more in self.ends(part, place, slot).items():
                        longer.setdefault(stop, slots + more)
                reached = longer
            return reached
        if isinstance(node, Choice):
            reached = {}
            for option in node.options:
                for stop, slots in self.ends(option, start, slot).items():
                    reached.setdefault(stop, slots)
            return reached
        if isinstance(node, Slot):
            return self.ends(node.spoken, start, node.name)
        filled = () if slot is None else ((slot, node.value),)
        return {stop: filled + slots for stop, slots in self.ends(node.spoken, start, slot).items()}
