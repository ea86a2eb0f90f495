"""Text -> words as they are spoken: lower case letters and apostrophes, numbers spelled out."""

import re
import unicodedata

from speechzoo.grammar.numbers import cardinal, ordinal

_FRACTIONS = {"1/2": "half", "1/4": "quarter", "3/4": "three quarters"}
_SIGNS = {"%": "percent", "°": "degrees", "&": "and", "+": "plus", "=": "equals", "@": "at"}
# What is written between words and not spoken.
_SILENT = ".,;:!?\"()[]{}<>*_/\\|~^`´“”„«»…-–—"
_TOKEN = re.compile(
    r"(?P<hour>[01]?[0-9]|2[0-3]):(?P<minute>[0-5][0-9])(?![0-9])"
    r"|(?P<over>[0-9]+)/(?P<under>[0-9]+)(?![0-9/])"
    r"|(?P<ordinal>[0-9]+)(?:st|nd|rd|th)\b"
    r"|(?P<number>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.(?P<decimals>[0-9]+))?"
    r"|(?P<half>[ap])\.m\b\.?"
    r"|(?P<word>[^\W\d_]+(?:'[^\W\d_]+)*)"
    r"|(?P<other>\S)", re.IGNORECASE)


def normalize_words(text: str, language: str = "en") -> str:
    """The words that are spoken for a text, separated by single spaces.

    English accents fall away (`café`), hyphens separate words, punctuation is not spoken, and numbers, times of day
    and a few signs are spelled out. In other languages letters stay as they are, and numbers are errors.

    Args:
        text: Any text.
        language: ISO 639-1.

    Returns:
        Lower case letters, apostrophes and single spaces; empty when nothing is spoken.

    Raises:
        ValueError: Something that can't be spoken; names it.

    Example:
        >>> normalize_words("Wake me up at 7:30 p.m., it's the 3rd!")
        "wake me up at seven thirty p m it's the third"
    """
    text = unicodedata.normalize("NFC", text).replace("’", "'").replace("ʼ", "'")
    if language == "en":
        decomposed = unicodedata.normalize("NFD", text)
        text = "".join(character for character in decomposed if not unicodedata.combining(character))
    # `am` is a word of its own; only behind a figure does it stand for the morning.
    text = re.sub(r"(?<=[0-9])\s*([ap])\.?m\b\.?", r" \1.m. ", text, flags=re.IGNORECASE)
    words = []
    for match in _TOKEN.finditer(text.lower()):
        words += _spoken(match, language)
    return " ".join(words)


def _spoken(match, language):
    word, other = match["word"], match["other"]
    figures = match["number"] or match["ordinal"] or match["hour"] or match["over"]
    if figures and language != "en":
        raise ValueError(f"the number '{match[0]}' must be written in words")
    if any(len(group) > 15 for group in match.group("number", "ordinal", "over", "under") if group):
        raise ValueError(f"the number '{match[0]}' is too long to be spoken")
    if word:
        if language == "en" and not re.fullmatch("[a-z']+", word):
            raise ValueError(f"'{word}' has letters other than a to z; write the word as English spells it")
        return [word]
    if match["half"]:
        # Only `p.m.` comes here: without points it is a word.
        return [match["half"], "m"]
    if match["hour"]:
        minute = int(match["minute"])
        minutes = [f"oh {cardinal(minute)}" if minute < 10 else cardinal(minute)] if minute else []
        return [cardinal(int(match["hour"])), *minutes]
    if match["over"]:
        return [_FRACTIONS.get(match[0]) or f"{cardinal(int(match['over']))} over {cardinal(int(match['under']))}"]
    if match["ordinal"]:
        return [ordinal(int(match["ordinal"]))]
    if match["number"]:
        decimals = match["decimals"]
        return [cardinal(int(match["number"].replace(",", "")))] + (
            ["point", *(cardinal(int(digit)) for digit in decimals)] if decimals else [])
    if other in _SIGNS and language == "en":
        return [_SIGNS[other]]
    if other in _SILENT or other == "'":
        return []
    raise ValueError(f"'{other}' can't be spoken; write it as a word or leave it out")
