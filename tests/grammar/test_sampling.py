import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechzoo.grammar.nodes import NOTHING, Choice, Grammar, Sequence, Slot, Value, Words
from speechzoo.grammar.reading import load_grammar
from speechzoo.grammar.sampling import count_sentences, enumerate_sentences, sample_sentences
from tests.grammar.matching import meanings

words = st.sampled_from(["red", "green light", "a", "turn on"]).map(Words)
values = st.lists(st.tuples(st.sampled_from("xyz"), words), min_size=1, max_size=4).map(
    lambda pairs: Choice(tuple(Value(value, spoken) for value, spoken in pairs)))
slots = st.tuples(st.sampled_from(["room", "color"]), values).map(lambda pair: Slot(*pair))
nodes = st.recursive(words | slots | st.just(NOTHING), lambda inner: (
    st.lists(inner, min_size=1, max_size=3).map(lambda parts: Sequence(tuple(parts)))
    | st.lists(inner, min_size=1, max_size=3).map(lambda options: Choice(tuple(options)))), max_leaves=8)
intents = st.dictionaries(st.sampled_from(["play", "stop"]), nodes, min_size=1)
grammars = intents.map(lambda intents: Grammar("any", intents))


@settings(max_examples=100, deadline=None)
@given(grammars, st.integers(0, 100))
def test_sampled_sentences_mean_what_they_say(grammar, seed):
    for sentence in sample_sentences(grammar, 10, seed):
        assert (sentence.intent, sentence.slots) in meanings(grammar, sentence.text)


@settings(max_examples=100, deadline=None)
@given(grammars)
def test_all_sentences_are_counted_and_mean_what_they_say(grammar):
    number = count_sentences(grammar)
    sentences = list(itertools.islice(enumerate_sentences(grammar), 1000))
    assert len(sentences) == min(number, 1000)
    for sentence in sentences[:50]:
        assert (sentence.intent, sentence.slots) in meanings(grammar, sentence.text)
    if number < 1000:
        known = {(sentence.text, sentence.intent, *sorted(sentence.slots.items())) for sentence in sentences}
        assert {(sentence.text, sentence.intent, *sorted(sentence.slots.items()))
                for sentence in sample_sentences(grammar, 20)} <= known


def test_the_seed_decides():
    grammar = load_grammar("smart_speaker")
    first, again, other = (list(sample_sentences(grammar, 200, seed)) for seed in (1, 1, 2))
    assert first == again
    assert sum(one == two for one, two in zip(first, other)) < 40


def test_a_longer_sample_begins_with_the_shorter():
    grammar = load_grammar("smart_speaker")
    assert list(sample_sentences(grammar, 50, 3)) == list(sample_sentences(grammar, 80, 3))[:50]


def test_even_over_intents_parts_and_values():
    songs = Choice((*(Value("often", Words(f"song {word}")) for word in ("one", "two", "three")),
                    *(Value(name, Words(name)) for name in ("bach", "bolero", "tango"))))
    optional = Choice((NOTHING, Sequence((Words("in the"), Slot("room", Value("kitchen", Words("kitchen")))))))
    play = Sequence((Words("play"), Slot("song", songs), optional))
    grammar = Grammar("music", {"play": play, "stop": Words("stop")})
    sentences = list(sample_sentences(grammar, 80, 5))
    assert Counter(sentence.intent for sentence in sentences) == {"play": 40, "stop": 40}
    played = [sentence for sentence in sentences if sentence.intent == "play"]
    assert set(Counter(sentence.slots["song"] for sentence in played).values()) == {10}
    assert sum("room" in sentence.slots for sentence in played) == 20
    often = {sentence.text.removesuffix(" in the kitchen") for sentence in played if sentence.slots["song"] == "often"}
    assert often == {"play song one", "play song two", "play song three"}


def test_counting_does_not_enumerate():
    node = Choice((Words("a"), Words("b")))
    for _ in range(300):
        node = Sequence((node, node)) if _ < 8 else Choice((node, node))
    assert count_sentences(Grammar("large", {"say": node})) == 2 ** 256 * 2 ** 292


@pytest.mark.parametrize("limit, number", [(0, 0), (3, 3), (None, 4), (10, 4)])
def test_enumeration_stops_at_the_limit(limit, number):
    grammar = Grammar("two", {"a": Choice((Words("x"), Words("y"))), "b": Choice((Words("z"), Words("w")))})
    assert [sentence.text for sentence in enumerate_sentences(grammar, limit)] == ["x", "y", "z", "w"][:number]
