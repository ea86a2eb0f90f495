import sys

import pytest

from speechzoo.grammar.errors import GrammarError
from speechzoo.grammar.reading import load_grammar, parse_grammar


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "home_assistant_intents", None)
    with pytest.raises(GrammarError, match=r"home_assistant.yaml:4:17: .*pip install speechzoo\[grammars\]"):
        load_grammar("home_assistant")


def test_what_may_be_any_words_needs_examples():
    pytest.importorskip("home_assistant_intents")
    with pytest.raises(GrammarError, match="the slot 'message' takes any words.*give it example values under 'slots'"):
        parse_grammar("home_assistant: en\nslots: {name: [radio], area: [attic], floor: [first]}")


def test_the_sentences_of_the_example_home():
    pytest.importorskip("home_assistant_intents")
    grammar = load_grammar("home_assistant")
    assert "kitchen" in grammar.slots()["area"] and "television" in grammar.slots()["name"]
    assert grammar.slots()["domain"]  # implied by a sentence about lights
