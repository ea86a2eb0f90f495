import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechzoo.data.transcript import normalize_transcript, phones_of


@pytest.mark.parametrize("text, expected", [
    ("MISTER QUILTER", "mister quilter"),
    ("  Don\u2019t,  stop! ", "don't stop"),
    ("rock 'n' roll", "rock n roll"),
    ("low-fi caf\u00e9", "low fi caf\u00e9"),
    ("set it to 21 degrees", "set it to twenty one degrees"),
    ("1,250 and 3000000", "one thousand two hundred fifty and three million"),
    ("room 007", "room zero zero seven"),
    ("the 1st, 2nd, 23rd and 40th", "the first second twenty third and fortieth"),
    ("\u00bd of 10%", "of ten"),
    ("", ""),
])
def test_english(text, expected):
    assert normalize_transcript(text) == expected


def test_other_languages_keep_marks_and_digits():
    word = "\u0645\u064e\u0631\u062d\u0628\u0627"
    assert normalize_transcript(f"{word}\u060c 5", "ar") == f"{word} 5"


@given(st.text())
def test_is_idempotent(text):
    once = normalize_transcript(text)
    assert normalize_transcript(once) == once
    assert once == " ".join(once.split())


def test_phones_of():
    lexicon = {"read": [["R", "EH", "D"], ["R", "IY", "D"]], "it's": [["IH", "T", "S"]]}
    assert phones_of("It's read.", lexicon) == "IH T S R EH D"
    assert phones_of("it's red", lexicon) is None
    assert phones_of("", lexicon) == ""
