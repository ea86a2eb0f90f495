"""Transcripts in the form that manifests keep: lower case letters, apostrophe and space."""

import re
import unicodedata

_ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
         "seventeen eighteen nineteen").split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = ((10 ** 9, "billion"), (10 ** 6, "million"), (1000, "thousand"), (100, "hundred"))
_ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
             "twelve": "twelfth"}


def normalize_transcript(text: str, language: str = "en") -> str:
    """Writes `text` as transcripts are written: lower case letters, apostrophe and single spaces.

    Punctuation separates words, except the apostrophe inside one. In English, whole numbers are spelt out ("42" is
    "forty two", "2nd" is "second"); in another language digits stay as they are.

    Args:
        text: Any text.
        language: ISO 639-1 code of the text's language.

    Example:
        >>> normalize_transcript("Play track 42, it's MY favourite!")
        "play track forty two it's my favourite"
    """
    text = unicodedata.normalize("NFC", text).replace("\u2019", "'").replace("\u2018", "'").lower()
    if language == "en":
        text = re.sub(r"([0-9]+)(st|nd|rd|th)\b", lambda match: f" {_ordinal(match[1])} ", text)
        text = re.sub(r"(?<=[0-9]),(?=[0-9]{3}\b)", "", text)
        text = re.sub(r"[0-9]+", lambda match: f" {_cardinal(match[0])} ", text)
    # Marks (category M) are parts of letters in many scripts, such as Arabic and Devanagari; Nd are the digits.
    text = "".join(c if c == "'" or unicodedata.category(c)[0] in "LM" or unicodedata.category(c) == "Nd" else " "
                   for c in text)
    words = (word.strip("'") for word in text.split())
    return " ".join(word for word in words if word)


def phones_of(transcript: str, lexicon: dict[str, list[list[str]]]) -> str | None:
    """The phones of a transcript, each word in its first pronunciation, joined by spaces.

    Returns:
        Phones as a manifest keeps them, or None when a word isn't in the lexicon.

    Example:
        >>> phones_of("two bears", {"two": [["T", "UW"]], "bears": [["B", "EH", "R", "Z"]]})
        'T UW B EH R Z'
    """
    phones = []
    for word in normalize_transcript(transcript).split():
        if word not in lexicon:
            return None
        phones += lexicon[word][0]
    return " ".join(phones)


def _cardinal(digits: str) -> str:
    # Codes, telephone numbers and numbers beyond a trillion are read digit by digit.
    if len(digits) > 12 or digits[0] == "0" and len(digits) > 1:
        return " ".join(_ONES[int(digit)] for digit in digits)
    return " ".join(_words(int(digits)))


def _ordinal(digits: str) -> str:
    *start, last = _cardinal(digits).split()
    ordinal = _ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return " ".join([*start, ordinal])


def _words(number: int) -> list[str]:
    if number < 20:
        return [_ONES[number]]
    if number < 100:
        return [_TENS[number // 10]] + ([_ONES[number % 10]] if number % 10 else [])
    scale, name = next(item for item in _SCALES if number >= item[0])
    return _words(number // scale) + [name] + (_words(number % scale) if number % scale else [])
