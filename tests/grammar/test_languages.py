"""Every language of Home Assistant's sentences is read, and means what hassil makes of it."""

import random

import pytest

from speechzoo.grammar.errors import GrammarError
from speechzoo.grammar.reading import parse_grammar
from speechzoo.grammar.sampling import sample_sentences

package = pytest.importorskip("home_assistant_intents", reason="the extra [grammars]")
pytest.importorskip("hassil", reason="the extra [dev]")
home_assistant = pytest.importorskip("benchmarks.quality.home_assistant")


def home(language, **lists):
    """The language's sentences; lists of any words, and those that the home fills in, have one value."""
    lists |= {name: ["xa"] for name in ("name", "area", "floor")}
    lists |= {name: ["xa"] for name, value in package.get_intents(language)["lists"].items() if value.get("wildcard")}
    return parse_grammar(f"home_assistant: {language}\nslots: {lists}", source="my.yaml")


@pytest.mark.slow
@pytest.mark.parametrize("language", package.get_languages())
def test_every_language_is_read(language):
    lists = {}
    if language in home_assistant.UNSPELLED:
        ranges = [name for name, value in package.get_intents(language)["lists"].items() if "range" in value]
        lists = {name: [{"5": "xb"}] for name in ranges}
    grammar = home(language, **lists)
    written = [intent for intent, value in package.get_intents(language)["intents"].items()
               if any(block["sentences"] for block in value["data"])]
    assert grammar.language == language and list(grammar.intents) == written
    assert all(sentence.text for sentence in sample_sentences(grammar, 2 * len(grammar.intents)))


def test_a_region_without_sentences_of_its_own_has_its_languages():
    assert home("pt-BR").language == "pt-BR"
    grammar = parse_grammar("home_assistant: et-EE\nslots: {name: [xa], area: [xa], floor: [xa]}")
    assert grammar.language == "et-EE" and grammar.intents


def test_numbers_that_nobody_spells_are_all_named():
    with pytest.raises(GrammarError) as caught:
        home("gl")
    problems = caught.value.problems
    assert len(problems) > 3 and all(problem.startswith("home_assistant_intents:gl: the slot '")
                                     and "list them as values of a slot" in problem for problem in problems)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["de", "es", "fr", "it", "nl"])
def test_hassils_sentences_mean_the_same_to_us(language):
    """`python -m benchmarks.quality.home_assistant` does it with hundreds."""
    figures, differences = home_assistant.compare(language, 12, seed=2)
    assert figures["accepted"] == figures["same_meaning"] == 1, differences
    assert figures["hassil_accepts"] >= 0.8, differences


def test_a_sentence_of_ours_is_understood_by_hassil():
    small = home_assistant.Home("sw")
    generator = random.Random(1)
    texts = [small.sample(generator) for _ in range(20)]
    assert all(small.our_meanings(text) & small.hassil_meanings(text) for text in texts)
