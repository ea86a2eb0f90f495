"""English as it is spoken: written figures, signs and abbreviations in words."""

import re
from collections.abc import Iterator

from speechzoo.text.characters import SIGNS
from speechzoo.text.measures import CURRENCIES, SCALES, UNITS, money_in_words
from speechzoo.text.numbers import (
    cardinal, decade_in_words, digit_by_digit, fraction_in_words, number_in_words, ordinal_in_words, year_in_words)

_SIGNS = {"%": "percent", "&": "and", "+": "plus", "=": "equals", "@": "at", "×": "times", "÷": "divided by",
          "±": "plus or minus", "−": "minus", "°": "degrees", "²": "squared", "³": "cubed"}
# What is written between words and not spoken.
_SILENT = ".,;:!?'\"()[]{}<>*_/\\|~^`-–"
# Words that are abbreviations wherever they stand.
_ABBREVIATIONS = {"mr": "mister", "mrs": "missus", "pm": "p m"}
# Words of a time of day; behind them `am` is no form of `be`, unless `I` follows ("which of the two am I").
_PARTS_OF_TIMES = {word for number in range(60) for word in cardinal(number).split()} | {"hundred", "oh", "o'clock"}
_BEFORE_TIMES = {"after", "around", "at", "before", "by", "for", "from", "till", "until"}

_MONTHS = ("jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
           "|nov(?:ember)?|dec(?:ember)?")
_YEAR = "(?:1[1-9]|20)[0-9]{2}"
_NUMBER = r"(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9])|[0-9]+)"
_QUANTITY = rf"(?:{_NUMBER}(?:\.[0-9]+)*|(?<![a-z0-9.])\.[0-9]+)"
_CURRENCY = "[" + "".join(CURRENCIES) + "]"
_LETTER = rf"(?:[a-z]|[^\x00-\x7f{SIGNS}])"


def _longest_first(names):
    return "|".join(sorted(map(re.escape, names), key=len, reverse=True))


_TOKEN = re.compile(
    rf"(?P<time>(?<![0-9:])(?:[01]?[0-9]|2[0-3]|24(?=:00)):[0-5][0-9](?::[0-5][0-9])?(?![0-9:]))"
    rf"|(?P<date>(?<![0-9])(?:[0-9]{{1,2}}(?P<between>[-/.])[0-9]{{1,2}}(?P=between){_YEAR}"
    rf"|{_YEAR}-[0-9]{{1,2}}-[0-9]{{1,2}})(?![0-9]))"
    rf"|(?P<years>(?<![0-9,.-]){_YEAR}[-–](?:{_YEAR}|[0-9]{{2}})(?![0-9]|[-,.][0-9]))"
    # Telephone numbers: with an area, of another country, of a town; and other figures that are joined by hyphens.
    r"|(?P<code>(?<![0-9])(?:(?:1[ -])?\(?[0-9]{3}\)?[ .-][0-9]{3}[ .-][0-9]{4}"
    r"|(?<=\+)[0-9]{1,3}(?:[ -][0-9]{2,}){2,}|[0-9]{3}-[0-9]{4}|[0-9]+(?:-[0-9]+){2,})(?![0-9]))"
    rf"|(?P<fraction>(?<![0-9/,.])(?:(?P<whole>{_NUMBER})[ -])?"
    r"(?P<over>[0-9]{1,3})/(?P<under>[0-9]{1,3})(?![0-9/]))"
    rf"|(?P<ordinal>{_NUMBER})(?:st|nd|rd|th)\b"
    r"|(?P<decade>(?<![a-z0-9,.])(?:1[1-9]|20)?[0-9]0)'?s\b"
    rf"|(?P<money>(?P<sign>{_CURRENCY}) ?(?P<minus_money>[-−])?(?P<amount>{_QUANTITY})"
    rf"(?:[-–](?P<to_amount>{_QUANTITY}))?(?: ?(?P<scale>{_longest_first(SCALES)})\b)?)"
    rf"|(?P<amount_first>{_QUANTITY}) ?(?P<sign_last>{_CURRENCY})"
    r"|(?P<feet>[0-9]+)'(?: ?(?P<inches>[0-9]+)\")?(?![a-z0-9])"
    rf"|(?P<number>{_QUANTITY})"
    r"|(?:(?<=[0-9]) ?(?P<half>[ap])(?:m|\. ?m\.?)(?![a-z0-9']))"
    rf"|(?:(?<=[0-9])(?P<joint>[ -]?)(?P<unit>{_longest_first(UNITS)}|° [cf])(?![a-z0-9'²³]))"
    r"|(?P<to>(?:(?<=[0-9%°])|(?<=[0-9][ap]m)|(?<=[0-9] [ap]m)|(?<=[ap]\.m\.))(?:[-–]| [-–] )"
    rf"(?={_CURRENCY}?\.?[0-9]))"
    rf"|(?P<minus>(?<![a-z0-9)\]\"'%–-])[-–](?={_CURRENCY}?\.?[0-9]))"
    r"|(?P<times>(?<=[0-9]) ?\*(?= ?[0-9]))"
    r"|(?P<than>[<>](?= ?[-−]?[0-9]))"
    r"|(?P<dot>(?<=[a-z0-9])\.(?=(?:[a-z0-9-]{1,63}\.){0,4}(?:com|org|net|edu|gov|uk)(?![a-z0-9])"
    r"|[a-z0-9.]{1,64}@))"
    r"|(?P<count>#(?= ?[0-9])|\bno\. ?(?=[0-9]))"
    r"|(?P<sharp>(?<=\b[a-g])#)"
    r"|(?P<tag>#(?=[a-z]))"
    rf"|(?P<word>{_LETTER}+(?:'{_LETTER}+)*)"
    r"|(?P<other>\S)")
_IN_DATES = re.compile(rf"\b({_MONTHS})\b\.?((?: [0-9]{{1,2}}(?:st|nd|rd|th)?\b)?,? )({_YEAR})\b(?![-/:.,]?[0-9])")
_DOCTOR = re.compile(r"\bDr\.?\s+(?=[A-Z])")
_OPENING_QUOTE = re.compile(r"(?<![^\W_])'(?=[^\W_])")


def spoken_english(text: str) -> Iterator[tuple[str, str | None]]:
    """Words for text that `plain_english` gave, spaces single.

    Yields:
        (words, None) for what can be spoken, and ("", what is wrong) for what can't. A word that has letters other
        than a to z comes with both.
    """
    text = text.lower()
    text = _IN_DATES.sub(lambda match: f"{match[1]}{match[2]}{year_in_words(int(match[3]))}", text)
    before = None
    for match in _TOKEN.finditer(text):
        if match["word"]:
            yield _word(match["word"])
        elif match["other"]:
            yield _sign(match["other"])
        elif match["unit"]:
            single = match["joint"] == "-" or before and (before["number"] == "1" or _is_part(before))
            yield UNITS[match["unit"].replace(" ", "")][0 if single else 1], None
        else:
            yield _SPOKEN[match.lastgroup](match), None
        before = match


def spell_titles(text: str) -> str:
    """Spells out the abbreviations that only capital letters tell from others."""
    return _DOCTOR.sub("doctor ", text) if "Dr" in text else text


def join_words(parts: list[str]) -> str:
    """Single words with their abbreviations in full, separated by spaces."""
    words = " ".join(parts).split()
    if not _ABBREVIATED.isdisjoint(words):
        words = [_abbreviation(words, place) for place in range(len(words))]
    return " ".join(words)


_ABBREVIATED = {*_ABBREVIATIONS, "am"}


def _abbreviation(words, place):
    word = words[place]
    if word == "am":
        return "a m" if _is_behind_time(words, place) else word
    return _ABBREVIATIONS.get(word, word)


def _is_behind_time(words, place):
    first = place
    while first and words[first - 1] in _PARTS_OF_TIMES:
        first -= 1
    before = words[first - 1] if first else ""
    return first < place and (words[place + 1:place + 2] != ["i"] or before in _BEFORE_TIMES)


def _word(word):
    if word.isascii():
        return word, None
    while word and not word[0].isalpha():  # marks that stand on no letter
        word = word[1:]
    return word, f"'{word}' has letters other than a to z; write the word as English spells it"


def _sign(sign):
    if sign in _SIGNS:
        return _SIGNS[sign], None
    if sign in _SILENT:
        return "", None
    return "", f"'{sign}' can't be spoken; write it as a word or leave it out"


def _is_part(match):
    return match["over"] and not match["whole"] and fraction_in_words(int(match["over"]), int(match["under"]))


def _time(match):
    hour, minute, second = [int(part) for part in match["time"].split(":")] + [0] * (match["time"].count(":") == 1)
    parts = [cardinal(hour)]
    if minute or second:
        parts.append(_minutes(minute))
    if second:
        parts.append(_minutes(second))
    return " ".join(parts)


def _minutes(number):
    return f"oh {cardinal(number)}" if 0 < number < 10 else cardinal(number)


def _date(match):
    parts = [int(part) for part in re.split("[-/.]", match["date"])]
    return " ".join(year_in_words(part) if part > 999 else cardinal(part) for part in parts)


def _years(match):
    first, last = re.split("[-–]", match["years"])
    return f"{year_in_words(int(first))} to " + (year_in_words(int(last)) if len(last) == 4 else number_in_words(last))


def _code(match):
    figures = match["code"]
    if re.fullmatch("[0-9]{2}0-[0-9]{3}0", figures):  # 500-1000: a range, no telephone number
        return " to ".join(map(number_in_words, figures.split("-")))
    return digit_by_digit(figures)


def _fraction(match):
    over, under, whole = match["over"], match["under"], match["whole"]
    fraction = fraction_in_words(int(over), int(under))
    if fraction is None:
        return " ".join(map(number_in_words, filter(None, (whole, over, under))))
    if not whole:
        return fraction
    return f"{number_in_words(whole)} and " + ("a " if int(over) == 1 else "") + fraction.removeprefix("one ")


def _money(match):
    words = money_in_words(match["sign"], match["amount"], match["scale"], match["to_amount"])
    return ("minus " if match["minus_money"] else "") + words


def _feet(match):
    feet, inches = match["feet"], match["inches"]
    if not inches and _OPENING_QUOTE.search(match.string, 0, match.start()):
        return number_in_words(feet)  # the end of a quotation
    words = number_in_words(feet) + (" foot" if feet == "1" else " feet")
    return words + (f" {number_in_words(inches)} inch" + "es" * (inches != "1") if inches else "")


_SPOKEN = {
    "time": _time, "date": _date, "years": _years, "code": _code, "fraction": _fraction, "money": _money,
    "ordinal": lambda match: ordinal_in_words(match["ordinal"]),
    "decade": lambda match: decade_in_words(match["decade"]),
    "sign_last": lambda match: money_in_words(match["sign_last"], match["amount_first"]),
    "feet": _feet, "inches": _feet,
    "number": lambda match: number_in_words(match["number"]),
    "half": lambda match: f"{match['half']} m",
    "to": lambda match: "to", "minus": lambda match: "minus", "times": lambda match: "times",
    "than": lambda match: "less than" if match["than"] == "<" else "greater than",
    "dot": lambda match: "dot", "count": lambda match: "number", "sharp": lambda match: "sharp",
    "tag": lambda match: "hashtag",
}
