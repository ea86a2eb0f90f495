import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechzoo.grammar.nodes import Grammar, Slot
from speechzoo.grammar.numbers import BUILT_IN, number_slot
from speechzoo.grammar.sampling import enumerate_sentences
from speechzoo.text.normalize import normalize_transcript, normalize_words
from tests.text.cases import REFUSED, SPOKEN

# Texts in which rules meet.
PARTS = st.sampled_from("5 05 3/4 1,205 7:30 1990 100 2.5 .5 - – − + $ £ % ° ' . , / : # ( ) [ ] < > @ & am pm p.m. km "
                        "no. Mr. Dr. a b's é я ½ ² s th st c i mp x.com".split() +
                        [" ", "  ", "\u00ad", '"'])
TEXTS = st.text(max_size=30) | st.lists(PARTS, max_size=12).map("".join)


@pytest.mark.parametrize("text, words", SPOKEN, ids=[text.encode("unicode_escape").decode() for text, _ in SPOKEN])
def test_what_is_spoken(text, words):
    assert normalize_words(text) == words
    assert normalize_transcript(text) == words
    assert normalize_words(words) == words


@pytest.mark.parametrize("text, words, why", REFUSED)
def test_what_can_not_be_spoken(text, words, why):
    assert normalize_transcript(text) == words
    if why is not None:
        with pytest.raises(ValueError, match=re.escape(why)):
            normalize_words(text)


def test_there_are_cases_enough():
    assert len({text for text, _ in SPOKEN}) == len(SPOKEN) >= 200


@given(TEXTS)
def test_words_or_an_error(text):
    try:
        words = normalize_words(text)
    except ValueError as error:
        assert "\n" not in str(error).replace(text, "")
        return
    assert re.fullmatch(r"([a-z]+('[a-z]+)*( [a-z]+('[a-z]+)*)*)?", words)
    assert words == normalize_transcript(text)


@given(TEXTS, st.sampled_from(["en", "de"]))
def test_words_are_their_own_words(text, language):
    once = normalize_transcript(text, language)
    assert normalize_transcript(once, language) == once == " ".join(once.split())


@given(st.text(alphabet="aApPmMdDrRiI ',!?", max_size=20))
def test_text_without_figures_takes_the_short_way_to_the_same_words(text):
    assert normalize_transcript(text) == normalize_transcript(text + " .")


@pytest.mark.parametrize("part", ["a.", "1.", "1,111", "11-", "[a", "<a", "1/", "$1-", "one am ", "'a", "5 ("])
def test_long_texts_take_time_in_proportion(part):
    text = part * (100_000 // len(part))
    start = time.process_time()
    normalize_transcript(text)
    assert time.process_time() - start < 5  # in proportion: some 0.3


@pytest.mark.parametrize("text, words", [
    ("Schalte die Küche an!", "schalte die küche an"), ("l’été, c'est", "l'été c'est"), ("¿Qué?", "qué"),
    ("zwei–drei", "zwei drei"), ("क्या हाल है", "क्या हाल है"), ("مَرحبا،", "مَرحبا"),
    ("ba\u00adu", "bau"), ("e\u0301te\u0301", "été"), ("'ja'", "ja"),
])
def test_other_languages_keep_their_letters(text, words):
    assert normalize_words(text, "xx") == words == normalize_transcript(text, "xx")


def test_other_languages_spell_nothing_out():
    assert normalize_transcript("grün 5, 10 %", "de") == "grün 5 10"
    with pytest.raises(ValueError, match="the number '2,5' must be written in words"):
        normalize_words("grün 2,5", "de")
    with pytest.raises(ValueError, match="'€' can't be spoken"):
        normalize_words("acht €", "de")


def sentences(node):
    return {sentence.text: sentence.slots["value"]
            for sentence in enumerate_sentences(Grammar("numbers", {"say": Slot("value", node)}))}


def test_what_is_written_is_among_what_grammars_understand():
    slots = {"number": number_slot(range(-20, 1100), halves=True), "percentage": BUILT_IN["percentage"](),
             "ordinal": BUILT_IN["ordinal"](), "time": BUILT_IN["time"]()}
    known = {name: sentences(node) for name, node in slots.items()}
    for value in set(known["number"].values()):
        assert known["number"][normalize_words(value)] == value
        assert known["number"][normalize_words(value.replace("-", "−"))] == value
    for value in set(known["percentage"].values()):
        assert known["percentage"][normalize_words(value + "%")] == value
    for value in set(known["ordinal"].values()):
        assert known["ordinal"][normalize_words(value + "th")] == value
    for value in set(known["time"].values()):
        assert known["time"][normalize_words(value)] == value
    assert known["number"][normalize_words("2 1/2")] == known["number"][normalize_words("2½")] == "2.5"
