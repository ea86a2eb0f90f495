"""Which sentences are open: the grammar of each point of a dialogue."""

from typing import NamedTuple

from speechzoo.dialogue.conversation import Conversation
from speechzoo.dialogue.definition import NO, YES, Dialogue
from speechzoo.dialogue.slots import SlotTable
from speechzoo.grammar.nodes import NOTHING, Choice, Grammar, Node, Sequence, choice

# Names of the intents that every dialogue has; none of a file begins with a dot.
ANSWER, CORRECT, AGAIN, CANCEL, REPEAT = ".answer", ".correct", ".again", ".cancel", ".repeat"


class Opening(NamedTuple):
    """A point of a dialogue, as far as it matters for what may be said.

    Attributes:
        state: The state.
        intent: The command under way; None where none is.
        asking: The slot that was asked for; None where none was.
        referring: Slots that may be said of the last command: "and in the kitchen?", "no, ten minutes".
        waiting: Whether an answer is awaited, so that there is something to cancel.
        repeatable: Whether something was said that can be said again.
    """

    state: str
    intent: str | None = None
    asking: str | None = None
    referring: tuple[str, ...] = ()
    waiting: bool = False
    repeatable: bool = False


class Openings:
    """The grammars of a dialogue's points; only what is expected there is open.

    Args:
        dialogue: The dialogue.

    Attributes:
        table: What the intents of its grammar fill.
    """

    def __init__(self, dialogue: Dialogue):
        self.dialogue, self.table = dialogue, SlotTable(dialogue.grammar)
        self._grammars: dict[Opening, Grammar] = {}

    def of(self, conversation: Conversation, now: float) -> Opening:
        """Where somebody's dialogue stands.

        Args:
            conversation: The dialogue.
            now: Seconds since 1970: the last command is forgotten after a while.
        """
        task, last = conversation.task, conversation.last
        if task is not None:
            return Opening(task.state, task.intent, task.asking, self.answerable(task.state, task.intent), True, True)
        referring = ()
        if last is not None and last.state == conversation.state and now - last.time <= self.dialogue.memory:
            referring = self.answerable(last.state, last.intent)
        return Opening(conversation.state, None, None, referring, conversation.waiting,
                       conversation.waiting or bool(referring))

    def answerable(self, state: str, intent: str) -> tuple[str, ...]:
        """Slots of a command that can be answered on their own, as the dialogue's `slots` say."""
        filled = self.table.possible.get(intent, frozenset()) | set(self.dialogue.states[state][intent].needs)
        return tuple(slot for slot in self.dialogue.slots if slot in filled)

    def grammar(self, opening: Opening) -> Grammar:
        """The grammar of a point; what stands first counts where two intents have the same sentence."""
        if opening not in self._grammars:
            intents = self._intents(opening)
            self._grammars[opening] = Grammar(self.dialogue.name, intents, self.dialogue.grammar.language)
        return self._grammars[opening]

    def everything(self) -> Grammar:
        """All sentences that are open anywhere, for speech of which nobody knows yet whose dialogue it belongs to."""
        intents: dict[str, list[Node]] = {}
        for state, answers in self.dialogue.states.items():
            openings = [Opening(state, waiting=True, repeatable=True)]
            for intent in answers:
                referring = self.answerable(state, intent)
                openings.append(Opening(state, None, None, referring, True, True))
                openings += [Opening(state, intent, slot, referring, True, True) for slot in (*referring, None)]
            for opening in openings:
                for name, node in self._intents(opening).items():
                    nodes = intents.setdefault(name, [])
                    if node not in nodes:
                        nodes.append(node)
        return Grammar(self.dialogue.name, {name: choice(nodes) for name, nodes in intents.items()},
                       self.dialogue.grammar.language)

    def _intents(self, opening) -> dict[str, Node]:
        sentences, intents = self.dialogue.sentences, {}
        parts = [self.dialogue.slots[slot].answers for slot in opening.referring]
        if opening.intent is None:
            intents |= {intent: self._node(intent) for intent in self.dialogue.states[opening.state]}
        elif opening.asking is not None:
            intents |= {ANSWER: self.dialogue.slots[opening.asking].answers, opening.intent: self._node(opening.intent)}
        else:
            intents |= {YES: sentences["yes"], NO: sentences["no"], opening.intent: self._node(opening.intent)}
        if parts:
            confirming = opening.intent is not None and opening.asking is None
            begin = Choice((NOTHING, sentences["correct"])) if confirming else sentences["correct"]
            intents[CORRECT] = Sequence((begin, choice(parts)))
            if opening.intent is None:
                intents[AGAIN] = Sequence((sentences["again"], choice(parts)))
        if opening.waiting:
            intents[CANCEL] = sentences["cancel"]
        if opening.repeatable:
            intents[REPEAT] = sentences["repeat"]
        return intents

    def _node(self, intent) -> Node:
        grammar = self.dialogue.grammar.intents
        return grammar[intent] if intent in grammar else self.dialogue.sentences[intent]
