"""A matcher of sentences that shares nothing with the code under test: tries every way through a grammar."""

from speechzoo.grammar.nodes import Choice, Sequence, Slot, Value, Words


def meanings(grammar, text):
    """Every (intent, slots) that a text can have."""
    words = text.split()
    return [(intent, dict(slots)) for intent, node in grammar.intents.items()
            for position, slots in _ends(node, words, 0, None) if position == len(words)]


def _ends(node, words, start, slot):
    """(position after it, slots) of every way to match a node from a position on; slots as a tuple of pairs."""
    if isinstance(node, Words):
        spoken = node.text.split()
        return {(start + len(spoken), ())} if words[start:start + len(spoken)] == spoken else set()
    if isinstance(node, Choice):
        return set().union(*(_ends(option, words, start, slot) for option in node.options))
    if isinstance(node, Slot):
        return _ends(node.spoken, words, start, node.name)
    if isinstance(node, Value):
        own = ((slot, node.value),) if slot else ()
        return {(end, own + slots) for end, slots in _ends(node.spoken, words, start, slot)}
    assert isinstance(node, Sequence)
    ends = {(start, ())}
    for part in node.parts:
        ends = {(after, slots + more) for end, slots in ends for after, more in _ends(part, words, end, slot)}
    return ends
