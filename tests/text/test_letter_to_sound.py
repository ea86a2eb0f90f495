"""Guessed pronunciations: the way through a table by hand, and the table of the package."""

import pytest

from speechzoo.text.letter_to_sound import GuessingLexicon, context, pronounce

# After its own letter a context holds the next letter, the one before, the second next, ...
TABLE = {"c": ["K"], "ce": ["S"], "h": ["HH"], "ht": [], "htg": [], "e": ["EH"], "e#": [], "a": ["AE"], "as": ["AE"],
         "asp": ["EY"], "p": ["P"], "s": ["S"], "x": ["K", "S"]}


def test_neighbours_in_their_order():
    assert context("abcdefghij", 4) == "e" + "fd" + "gc" + "hb" + "ia"
    assert context("at", 0) == "at" + "#######"


def test_the_longest_known_context_decides():
    assert pronounce("space", TABLE) == ["S", "P", "AE", "S"]  # c before e, and e at the end
    assert pronounce("hex", TABLE) == ["HH", "EH", "K", "S"]
    # "as" is only a step on the way to "asp", s after a and p before it.
    assert pronounce("pas", TABLE) == ["P", "EY", "S"]
    assert pronounce("cas", TABLE) == ["K", "AE", "S"]
    assert pronounce("zoo", TABLE) == []  # letters that it has never seen


@pytest.mark.parametrize("word, phones", [
    ("kitchen", "K IH CH AH N"), ("phone", "F OW N"), ("lights", "L AY T S"), ("spotify", "S P AO T AH F AY"),
    ("gwynplaine", "G W IH N P L EY N"), ("computer's", "K AH M P Y UW T ER Z")])
def test_the_table_of_the_package(word, phones):
    assert pronounce(word) == phones.split()


@pytest.mark.parametrize("word", ["", "'", "caf\u00e9", "two words", "A", "r2d2"])
def test_what_is_no_english_word_is_not_guessed(word):
    with pytest.raises(ValueError, match="is not written in the letters a to z"):
        pronounce(word)
    assert GuessingLexicon().get(word) is None


def test_a_lexicon_that_guesses_knows_its_own_words_best():
    lexicon = GuessingLexicon({"phone": [["X"], ["Y"]]})
    assert lexicon.get("phone") == [["X"], ["Y"]] and lexicon.get("phones") == [["F", "OW", "N", "Z"]]
