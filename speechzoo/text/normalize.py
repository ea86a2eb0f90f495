"""Text -> the words that are spoken for it: lower case letters, apostrophe and single spaces.

One set of rules and two ways with what can't be spoken: `normalize_words` refuses it, for grammars, where an author can
mend the text; `normalize_transcript` leaves it out, for corpora, where nobody can. Where both give words, they give the
same. In English (`speechzoo.text.english`) accents fall away and figures and signs are spelled out; in other languages
letters stay as they are, and nothing is spelled out. Where a script has no blanks between words (Chinese, Japanese,
Thai), each letter is a word, so that an error rate of words is one of characters.
"""

import re
import unicodedata

from speechzoo.text.characters import GRAVES, UNSPACED, is_letter, plain_english, straighten_apostrophes
from speechzoo.text.english import join_words, spell_titles, spoken_english
from speechzoo.text.language import primary_language

_EVENT = re.compile(r"\[[^\[\]]*\]|</?[^\W\d_][^<>]*>")
_GRAVE = re.compile(rf"(?<=[^\W\d_])[{GRAVES}](?=[^\W\d_])")
# Text without a figure or a sign needs no rules: all but a few transcripts.
_PLAIN = re.compile("[A-Za-z ',!?]*")
_WORD = re.compile("[a-z]+(?:'[a-z]+)*")
# Marks that stand inside words without dividing them: Armenian stress and question, Hebrew abbreviation, Catalan ela.
_INSIDE_WORDS = re.compile(r"(?<=[^\W\d_])[՛՜՞״׳·](?=[^\W\d_])")
# Signs with a word of their own in every language, which goes unspoken where nobody spells it.
_SPOKEN_SIGNS = "%‰&@#"


def normalize_words(text: str, language: str = "en") -> str:
    """The words that are spoken for a text, all of which must be such as can be spoken.

    Args:
        text: Any text.
        language: ISO 639 code of the text's language; a region or script behind it (`en-GB`) changes nothing.

    Returns:
        Words, separated by single spaces; empty when nothing is spoken.

    Raises:
        ValueError: Something that can't be spoken; names it.

    Example:
        >>> normalize_words("Wake me up at 7:30 p.m., it's the 3rd!")
        "wake me up at seven thirty p m it's the third"
    """
    return _normalize(text, language, strict=True)


def normalize_transcript(text: str, language: str = "en") -> str:
    """The words that are spoken for a text; what can't be spoken is left out.

    So are marks of what is heard besides words: `[laughter]`, `<noise>`. In another language than English figures stay
    as they are, and so do, in English, words in letters other than a to z.

    Args:
        text: Any text.
        language: ISO 639 code of the text's language; a region or script behind it (`en-GB`) changes nothing.

    Example:
        >>> normalize_transcript("Play track 42, it's MY favourite!")
        "play track forty two it's my favourite"
    """
    return _normalize(text, language, strict=False)


def unspeakable_part(text: str, language: str = "en") -> str | None:
    """What `normalize_transcript` can't write as words although it may have been said; None where it can write all.

    Example:
        >>> unspeakable_part("two [laughter] bears") is None
        True
        >>> unspeakable_part("два bears")
        "'два' has letters other than a to z; write the word as English spells it"
    """
    try:
        normalize_words(_EVENT.sub(" ", text), language)
    except ValueError as error:
        return str(error)
    return None


def _normalize(text, language, strict):
    english = primary_language(language) == "en"
    if english:
        text = spell_titles(text)
        if _PLAIN.fullmatch(text):
            return join_words(_WORD.findall(text.lower()))
    text = _without_events(_GRAVE.sub("'", text), strict)
    if not english:
        return _letters(text, strict)
    text, lost = plain_english(text)
    if strict and lost:
        raise ValueError(_cannot(lost[0]))
    words = []
    for spoken, problem in spoken_english(" ".join(text.split())):
        if strict and problem:
            raise ValueError(problem)
        words.append(spoken)
    return join_words(words)


def _without_events(text, strict):
    event = _EVENT.search(text)
    if event is None:
        return text
    if strict:
        raise ValueError(f"'{event[0]}' stands for what is heard besides words; leave it out")
    return _EVENT.sub(" ", text)


def _letters(text, strict):
    """Text in a language whose figures and signs aren't spelled out."""
    text = unicodedata.normalize("NFC", text).lower()
    text = _INSIDE_WORDS.sub("", straighten_apostrophes(unicodedata.normalize("NFC", text)))
    kept = []
    for character in text:
        category = unicodedata.category(character)
        if character in "'〇" or is_letter(character) and not "\ufe00" <= character <= "\ufe0f":
            kept.append(character)
        elif category == "Nd":
            if strict:
                number = re.search(r"\d[\d.,:/]*", text)[0].rstrip(".,:/")
                raise ValueError(f"the number '{number}' must be written in words")
            kept.append(character)
        elif category != "Cf" and not "\ufe00" <= character <= "\ufe0f":  # soft hyphens, joiners, variation selectors
            silent = character.isspace() or category[0] in "PZ" or category == "Sk" or character in "<>^`|~"
            if strict and (not silent or character in _SPOKEN_SIGNS):
                raise ValueError(_cannot(character))
            kept.append(" ")
    spaced = UNSPACED.sub(r" \g<0> ", re.sub("''+", " ", "".join(kept)))
    words = (word.strip("'") for word in spaced.split())
    return " ".join(word for word in words if word)


def _cannot(character):
    return f"'{character}' can't be spoken; write it as a word or leave it out"
