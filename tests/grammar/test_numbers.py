import sys

import pytest

from speechzoo.grammar.nodes import Grammar, Slot
from speechzoo.grammar.numbers import BUILT_IN, _engine, durations, number_slot, spelled
from speechzoo.grammar.sampling import enumerate_sentences


def spoken(node):
    """Words -> the value they mean, which must be one."""
    found = {}
    for sentence in enumerate_sentences(Grammar("numbers", {"say": Slot("value", node)})):
        assert found.setdefault(sentence.text, sentence.slots["value"]) == sentence.slots["value"], sentence.text
    return found


def test_ranges():
    assert spoken(number_slot(range(-1, 2))) == {"minus one": "-1", "zero": "0", "one": "1"}
    assert spoken(number_slot(range(5, 6), halves=True)) == {
        "five": "5", "five point five": "5.5", "five and a half": "5.5"}
    assert spoken(number_slot(range(-1, 0), tenths=True))["minus zero point two"] == "-0.2"
    assert spoken(number_slot(range(-2, 0), halves=True)) == {
        "minus two": "-2", "minus one point five": "-1.5", "minus one and a half": "-1.5", "minus one": "-1",
        "minus zero point five": "-0.5", "minus a half": "-0.5"}
    assert spoken(number_slot(range(0, 2), multiplier=-0.5)) == {"zero": "0", "one": "-0.5"}
    assert spoken(number_slot(range(2, 3), multiplier=-1)) == {"two": "-2"}
    assert {"one hundred five and a half", "one hundred and five point five"} <= set(
        spoken(number_slot(range(105, 106), halves=True)))
    large = spoken(number_slot(range(1234567, 1234568)))
    assert large["one million two hundred and thirty four thousand five hundred and sixty seven"] == "1234567"


@pytest.mark.parametrize("start, stop, step, fractions, multiplier", [
    (-2, 0, 1, "halves", None), (-3, 3, 2, "tenths", -1), (0, 10, 5, None, 0.5), (15, 25, 1, "halves", 0.1),
    (-1, 100_000, 33_333, "tenths", 1.5),
])
def test_ranges_count_as_hassils(start, stop, step, fractions, multiplier):
    hassil_intents = pytest.importorskip("hassil.intents", reason="the extra [dev]")
    theirs = hassil_intents.RangeSlotList("r", start, stop, step, fraction_type=fractions and
                                          hassil_intents.RangeFractionType(fractions)).get_numbers()
    ours = number_slot(range(start, stop + 1, step), fractions == "halves", fractions == "tenths", multiplier or 1)
    values = [float(value.value) for value in ours.options]
    assert values == pytest.approx([number * (multiplier or 1) for number in theirs])


@pytest.mark.parametrize("language, number, words", [
    ("de", 21, "einundzwanzig"), ("fr", -71, "moins soixante et onze"), ("pt-BR", 16, "dezesseis"),
    ("sr-Latn", 4, "četiri"), ("zh-TW", 2, "二"), ("nb", 5, "fem"), ("ru", 2, "двумя"), ("en-IN", 30, "thirty"),
])
def test_numbers_of_other_languages(language, number, words):
    assert spoken(number_slot(range(number, number + 1), language=language))[words] == str(number)


def test_numbers_of_other_languages_need_a_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "unicode_rbnf", None)
    _engine.cache_clear()
    spelled.cache_clear()
    with pytest.raises(ValueError, match=r"unicode-rbnf; pip install speechzoo\[grammars\]"):
        number_slot(range(3), language="de")


@pytest.mark.parametrize("words, seconds", [
    ("five minutes", 300), ("thirty seconds", 30), ("an hour", 3600), ("an hour and a half", 5400),
    ("half an hour", 1800),
    ("ninety minutes", 5400), ("two and a half hours", 9000), ("a quarter of an hour", 900),
    ("one hour and ten minutes", 4200),
    ("two minutes thirty seconds", 150), ("a minute and a half", 90), ("half a minute", 30),
    ("twenty four hours", 86400),
])
def test_durations(words, seconds):
    assert spoken(BUILT_IN["duration"]())[words] == str(seconds)


def test_durations_before_a_noun():
    found = spoken(BUILT_IN["duration_adjective"]())
    assert found["five minute"] == "300" and found["half hour"] == "1800" and found["one and a half hour"] == "5400"
    assert all(word not in way.split() for ways in durations(adjective=True).values() for way in ways
               for word in ("minutes", "hours", "seconds"))


@pytest.mark.parametrize("words, value", [
    ("half past seven", "7:30"), ("seven thirty p m", "7:30 pm"), ("seven", "7:00"), ("seven o'clock", "7:00"),
    ("quarter to eight in the morning", "7:45 am"), ("five past twelve", "12:05"), ("twenty five to one", "12:35"),
    ("noon", "12:00 pm"), ("midnight", "12:00 am"), ("nine oh five a m", "9:05 am"),
    ("ten o'clock at night", "10:00 pm"),
    ("twelve thirty in the afternoon", "12:30 pm"),
])
def test_times_of_day(words, value):
    assert spoken(BUILT_IN["time"]())[words] == value


def test_times_cover_the_day():
    values = set(spoken(BUILT_IN["time"]()).values())
    assert {f"{hour}:{minute:02}{half}" for hour in range(1, 13) for minute in range(0, 60, 5)
            for half in ("", " am", " pm")} == values


def test_percentages():
    found = spoken(BUILT_IN["percentage"]())
    assert found["twenty five percent"] == "25" and found["a hundred percent"] == "100"
    assert len(set(found.values())) == 101
