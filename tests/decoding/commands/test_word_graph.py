import itertools
import math

import pytest
from hypothesis import given, settings, strategies as st

from speechzoo.decoding.commands import word_graph
from speechzoo.decoding.commands.word_graph import grammar_graph, node_graph
from speechzoo.grammar.nodes import NOTHING, Choice, Grammar, Sequence, Slot, Value, Words
from speechzoo.grammar.reading import load_grammar
from tests.decoding.grammars import LIGHTS, ROOMS, random_grammar, sentences


def paths(graph, state=None, weight=0.0):
    """Every (symbols, weight) that the graph accepts."""
    state = graph.start if state is None else state
    if state == graph.end:
        yield (), weight
    for symbol, more, target in graph.spoken[state] + graph.silent[state]:
        for symbols, total in paths(graph, target, weight + more):
            yield (symbol, *symbols), total


def meaning(symbols):
    """What a path says, as `sentences` writes it."""
    words, slots, intent = [], {}, None
    for symbol in symbols:
        if isinstance(symbol, str):
            words.append(symbol)
        elif symbol[0] == "slot":
            assert symbol[3] <= len(words)
            slots[symbol[1]] = symbol[2]
        else:
            intent = symbol[1]
    return " ".join(words), intent, tuple(sorted(slots.items()))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 100_000))
def test_the_graph_accepts_exactly_the_sentences_of_the_grammar(seed):
    grammar = random_grammar(seed)
    assert {meaning(symbols) for symbols, _ in paths(grammar_graph(grammar))} == set(sentences(grammar))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 100_000))
def test_it_is_deterministic_and_has_no_state_too_many(seed):
    graph = grammar_graph(random_grammar(seed))
    for spoken, silent in zip(graph.spoken, graph.silent):
        symbols = [symbol for symbol, _, _ in spoken + silent]
        assert len(symbols) == len(set(symbols))
    # Myhill and Nerode: as many states as there are different sets of ways to go on after some beginning.
    accepted = {symbols for symbols, _ in paths(graph)}
    beginnings = {symbols[:length] for symbols in accepted for length in range(len(symbols) + 1)}
    endings = {frozenset(symbols[len(start):] for symbols in accepted if symbols[:len(start)] == start)
               for start in beginnings}
    assert len(graph.spoken) == len(endings)


def test_a_label_counts_the_words_that_speak_its_value():
    slots = {symbol for symbols, _ in paths(grammar_graph(LIGHTS)) for symbol in symbols if symbol[0] == "slot"}
    assert slots == {("slot", "room", "kitchen", 1), ("slot", "room", "living_room", 2),
                     ("slot", "room", "living_room", 1)}
    # Words of the slot around the value are not the value's; a slot inside another takes its own values.
    inner = Slot("inner", Value("v", Sequence((Words("x"), Choice((NOTHING, Words("y")))))))
    outer = Slot("outer", Sequence((Words("the"), inner, Value("w", Words("z")))))
    labels = {symbol for symbols, _ in paths(node_graph(outer, "g")) for symbol in symbols if symbol[0] == "slot"}
    assert labels == {("slot", "inner", "v", 1), ("slot", "inner", "v", 2), ("slot", "outer", "w", 1)}


def test_weights_are_the_probabilities_of_equally_probable_ways_on():
    letters = Choice(tuple(map(Words, "abc")))
    grammar = Grammar("g", {"play": Choice((Words("go on"), Sequence((Words("go"), letters))))})
    weights = {symbols[:-1]: weight for symbols, weight in paths(grammar_graph(grammar, weighted=True))}
    assert weights == {("go", way): pytest.approx(-math.log(4)) for way in ("on", "a", "b", "c")}
    total = sum(math.exp(weight) for _, weight in paths(grammar_graph(LIGHTS, weighted=True)))
    assert total == pytest.approx(1)
    assert {weight for _, weight in paths(grammar_graph(LIGHTS))} == {0.0}


def test_a_node_may_be_spoken_as_nothing():
    graph = node_graph(Choice((NOTHING, ROOMS)), "g")
    assert {meaning(symbol for symbol in symbols if symbol) for symbols, _ in paths(graph)} == {
        ("", None, ()), ("kitchen", None, (("room", "kitchen"),)), ("living room", None, (("room", "living_room"),)),
        ("lounge", None, (("room", "living_room"),))}


def test_ten_million_sentences_are_a_small_graph():
    names = Choice(tuple(Words("".join(letters)) for letters in itertools.product("abcdefgh", repeat=3)))
    grammar = Grammar("many", {"call": Sequence((Words("call"), names, Words("and"), names, Words("and"), names))})
    graph = grammar_graph(grammar)  # 512 ** 3 sentences
    assert len(graph.spoken) == 8 and sum(map(len, graph.spoken)) == 3 * 512 + 3


def test_a_grammar_that_grows_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(word_graph, "MAXIMUM_STATES", 20)
    with pytest.raises(ValueError, match="grammar 'lights' is too large: more than 20 states; split it"):
        grammar_graph(LIGHTS)


def test_the_sentences_of_home_assistant_become_a_graph():
    pytest.importorskip("home_assistant_intents")
    graph = grammar_graph(load_grammar("home_assistant"))
    assert 1000 < len(graph.spoken) < 50_000  # of some 10^10 sentences
