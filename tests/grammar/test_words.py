import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechzoo.grammar.words import normalize_words


@pytest.mark.parametrize("text, words", [
    ("Turn on the Light!", "turn on the light"),
    ("I’d like   two", "i'd like two"),
    ("'quoted' rock'n'roll, James'", "quoted rock'n'roll james"),
    ("café crème, naïve", "cafe creme naive"),
    ("living-room", "living room"),
    ("7:30 p.m.", "seven thirty p m"),
    ("at 7pm", "at seven p m"),
    ("at 10:00, 19:05", "at ten nineteen oh five"),
    ("I am here", "i am here"),
    ("the 21st of May", "the twenty first of may"),
    ("25%", "twenty five percent"),
    ("20°", "twenty degrees"),
    ("2.5 km", "two point five km"),
    ("1,205", "one thousand two hundred and five"),
    ("1/2 hour, 3/4, 2/5", "half hour three quarters two over five"),
    ("rock & roll", "rock and roll"),
    ("b52", "b fifty two"),
    ("", ""),
    ("...!?", ""),
])
def test_what_is_spoken(text, words):
    assert normalize_words(text) == words


@pytest.mark.parametrize("text, what", [
    ("привет", "'привет' has letters other than a to z"),
    ("5 €", "'€' can't be spoken"),
    ("1" * 16, "too long"),
    ("grün 5", "number '5' must be written in words"),
])
def test_what_cannot_be_spoken(text, what):
    with pytest.raises(ValueError, match=what):
        normalize_words(text, "de" if "ü" in text else "en")


def test_other_languages_keep_their_letters():
    assert normalize_words("Schalte die Küche an!", "de") == "schalte die küche an"


@given(st.text(max_size=30))
def test_words_or_an_error(text):
    try:
        words = normalize_words(text)
    except ValueError as error:
        assert "\n" not in str(error).replace(text, "")
        return
    assert re.fullmatch(r"([a-z]+('[a-z]+)*( [a-z]+('[a-z]+)*)*)?", words)
    assert normalize_words(words) == words
