"""Characters of any script in the few forms that the rules for words are written in."""

import functools
import re
import unicodedata

APOSTROPHES = "’‘‛ʼʹ′＇"
# Between letters they are meant as apostrophes.
GRAVES = "`´"
# Signs beyond ASCII that are spoken; `english` has their words.
SIGNS = "°£€¥₹¢−±×÷²³–"
_REPLACED = {
    **dict.fromkeys(APOSTROPHES, "'"), **dict.fromkeys(SIGNS), "″": '"', "º": "°", "˚": "°", "№": " number ",
    "‐": "-", "‑": "-", "‒": "–", "\u200b": " ", "٫": ".", "٬": ",", "⁄": "/", "∕": "/", "·": " ",
    **dict.fromkeys("™®©℠", " "),
    "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "ß": "ss", "ẞ": "SS", "ł": "l", "Ł": "L", "đ": "d",
    "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i",
}
_UNSPEAKABLE = "§‰‱"
_UNSPACED = ("\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
             "\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff")
_MARKS = "".join(chr(code) for code in (*range(0x0e00, 0x10a0), *range(0x1780, 0x1800), *range(0x3040, 0x3100))
                 if unicodedata.category(chr(code)) in ("Mn", "Mc", "Lm"))
UNSPACED = re.compile(f"[{_UNSPACED}][{_MARKS}]*")
"""`UNSPACED` is a letter, with its marks, of a script without blanks between words: Thai, Lao, Burmese, Khmer, kana,
Han."""
# Inside words these stand for no sign: they are what is left of letters that were decoded wrongly.
_BETWEEN_LETTERS = re.compile(r"(?<=[^\W\d_])(?:[°º¼½¾]|[±×÷²³](?=[^\W\d_]))")


def straighten_apostrophes(text: str) -> str:
    """Writes every apostrophe as '."""
    for apostrophe in APOSTROPHES:
        text = text.replace(apostrophe, "'")
    return text


def is_letter(character: str) -> bool:
    """Whether it is a letter or a mark on one; in Arabic and Devanagari, say, marks are parts of letters."""
    return unicodedata.category(character)[0] in "LM"


def plain_english(text: str) -> tuple[str, list[str]]:
    """Text in ASCII as far as English can write it.

    Accents fall away from a to z, ligatures and wide forms become the letters they stand for, figures of every script
    0 to 9, curly apostrophes straight ones; what can't be seen is left out. Letters of other scripts stay.

    Returns:
        The text, beyond ASCII only `SIGNS`, letters and marks; and the characters that were left out although they
        mean something, each once.
    """
    if text.isascii():
        return text, []
    characters = unicodedata.normalize("NFC", text)
    lost = _BETWEEN_LETTERS.findall(characters)
    characters = _BETWEEN_LETTERS.sub(" ", characters)
    plain = [_plain(character) for character in characters]
    lost += [character for character, written in zip(characters, plain, strict=True) if written is None]
    text = "".join(" " if written is None else written for written in plain)
    decomposed = unicodedata.normalize("NFD", text)
    kept = []
    for character in decomposed:
        if unicodedata.combining(character) and kept and kept[-1].isascii():
            continue
        kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept)), list(dict.fromkeys(lost))


@functools.lru_cache(maxsize=4096)
def _plain(character):
    """What is written for a character: None where it means something that can't be spoken."""
    if character.isascii():
        return character
    if character in _REPLACED:
        return _REPLACED[character] or character
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Cf" or "\ufe00" <= character <= "\ufe0f":  # soft hyphens, joiners, variation selectors
        return ""
    decomposition = unicodedata.decomposition(character)
    if decomposition.startswith("<fraction>"):
        return " " + unicodedata.normalize("NFKC", character).replace("⁄", "/")
    if category in ("Zs", "Zl", "Zp", "Sk") or character in GRAVES:
        return " "
    if decomposition.startswith("<super>") and category == "No":
        return None
    compatible = unicodedata.normalize("NFKC", character)
    if compatible != character:
        parts = [_plain(part) for part in compatible]
        return None if None in parts else "".join(parts)
    if category[0] in "LM":
        return character
    return " " if category[0] == "P" and character not in _UNSPEAKABLE else None
