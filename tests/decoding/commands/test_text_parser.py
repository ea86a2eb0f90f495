import itertools

import pytest

from speechzoo.decoding.commands.compile import compile_grammar
from speechzoo.decoding.commands.text_parser import TextParser
from tests.decoding.grammars import CHARACTERS, LIGHTS, random_grammar, sentences

PHONES = {"type": "ctc", "units": ["L", "AY", "T", "S"], "kind": "phones", "frame_seconds": 0.04}


def meaning(parse):
    return (parse.intent, tuple(sorted(parse.slots.items()))) if parse.accepted else None


@pytest.mark.parametrize("seed", range(8))
def test_exactly_the_sentences_of_the_grammar_are_understood(seed):
    grammar = random_grammar(seed)
    meanings = {}
    for text, *said in sentences(grammar):
        meanings.setdefault(text, set()).add(tuple(said))
    parser = TextParser(compile_grammar(grammar, CHARACTERS))
    words = {word for text in meanings for word in text.split()} | {"cab"}
    texts = [" ".join(some) for count in range(1, 4) for some in itertools.product(words, repeat=count)]
    for text in {*texts, *meanings}:
        found = meaning(parser(text))
        assert found in meanings[text] if text in meanings else found is None, text


def test_words_that_sound_alike_stay_apart_and_writing_does_not_matter():
    words = {word for text, *_ in sentences(LIGHTS) for word in text.split()}
    parser = TextParser(compile_grammar(LIGHTS, PHONES, {word: [["L", "AY"]] for word in words}))
    for text, *said in sentences(LIGHTS):
        assert meaning(parser(text)) == tuple(said)
    assert parser("Lights, in the LOUNGE -- please!").slots == {"room": "living_room"}
    for text in ("", "lights", "lights kitchen please now", "\u2603", "stop " * 1000):
        parse = parser(text)
        assert (parse.accepted, parse.intent, parse.slots, parse.confidence) == (False, None, {}, 0.0)
