"""The bundled grammar: as large and as varied as it claims, and no sentence asks for two things."""

import collections

import pytest

from speechzoo.grammar.nodes import NOTHING, Words
from speechzoo.grammar.reading import load_grammar
from speechzoo.grammar.sampling import count_sentences, sample_sentences
from speechzoo.text.lexicon import load_lexicon
from tests.grammar.matching import meanings


@pytest.fixture(scope="module")
def grammar():
    return load_grammar("smart_speaker")


def vocabulary(grammar):
    words, seen, waiting = set(), set(), list(grammar.intents.values())
    while waiting:
        node = waiting.pop()
        if isinstance(node, Words):
            words.update(node.text.split())
        elif id(node) not in seen:
            seen.add(id(node))
            waiting += [*getattr(node, "parts", ()), *getattr(node, "options", ()), getattr(node, "spoken", NOTHING)]
    return words


def test_size(grammar):
    assert len(grammar.intents) >= 25 and len(grammar.slots()) >= 15
    assert count_sentences(grammar) > 1_000_000
    assert all(len(values) >= 2 for values in grammar.slots().values())


def test_every_word_has_a_pronunciation(grammar):
    assert not vocabulary(grammar) - load_lexicon("cmudict").keys()


def test_no_sentence_has_two_meanings(grammar):
    for sentence in sample_sentences(grammar, 4 * len(grammar.intents), seed=7):
        found = meanings(grammar, sentence.text)
        assert found and all(meaning == (sentence.intent, sentence.slots) for meaning in found), (sentence.text, found)


def test_variety(grammar):
    sentences = list(sample_sentences(grammar, 100 * len(grammar.intents), seed=1))
    texts = collections.defaultdict(set)
    for sentence in sentences:
        texts[sentence.intent].add(sentence.text)
    assert min(map(len, texts.values())) >= 6
    assert len({sentence.text for sentence in sentences}) > 0.6 * len(sentences)
    assert sum(len(sentence.text.split()) for sentence in sentences) / len(sentences) > 4
