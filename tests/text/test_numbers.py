import re

import pytest

from speechzoo.text.numbers import cardinal, ordinal, ways_to_say, year_in_words


def value_of(words):
    """Reads a number in words: an independent way back."""
    small = {cardinal(number): number for number in [*range(20), *range(20, 100, 10)]}
    total = group = 0
    for word in re.sub(r"^a ", "one ", words).split():
        if word == "hundred":
            group *= 100
        elif word == "thousand":
            total, group = total + group * 1000, 0
        elif word == "million":
            total, group = (total + group) * 1_000_000, 0
        elif word != "and":
            group += small[word]
    return total + group


def test_small_numbers_are_known():
    assert [cardinal(number) for number in (0, 7, 13, 20, 40, 58, 99)] == [
        "zero", "seven", "thirteen", "twenty", "forty", "fifty eight", "ninety nine"]


@pytest.mark.parametrize("number", [*range(0, 2100, 7), 9999, 10_000, 123_456, 1_000_001, 987_654_321])
def test_every_way_to_say_a_number_reads_back(number):
    ways = ways_to_say(number)
    assert len(set(ways)) == len(ways)
    assert {value_of(way) for way in ways} == {number}


def test_ways_of_both_sides_of_the_atlantic():
    assert {"one hundred and five", "one hundred five", "a hundred and five"} == set(ways_to_say(105))
    assert "fifteen hundred" in ways_to_say(1500) and "ten hundred" not in ways_to_say(1000)


def test_ordinals():
    assert [ordinal(number) for number in (1, 2, 3, 5, 8, 9, 12, 20, 21, 30, 100, 112)] == [
        "first", "second", "third", "fifth", "eighth", "ninth", "twelfth", "twentieth", "twenty first", "thirtieth",
        "one hundredth", "one hundred twelfth"]


def test_the_first_way_is_that_of_figures():
    assert [ways_to_say(number)[0] for number in (105, 1205)] == ["one hundred five", "one thousand two hundred five"]


def test_years():
    assert [year_in_words(year) for year in (1100, 1905, 1984, 2000, 2009, 2010, 2099)] == [
        "eleven hundred", "nineteen oh five", "nineteen eighty four", "two thousand", "two thousand nine", "twenty ten",
        "twenty ninety nine"]
