"""Transcripts as phones, by a lexicon."""

from collections import Counter

from speechzoo.text.normalize import normalize_transcript


def phones_of(transcript: str, lexicon: dict[str, list[list[str]]], language: str = "en",
              guessed: Counter | None = None) -> str | None:
    """The phones of a transcript, each word in its first pronunciation, joined by spaces.

    Args:
        transcript: What is said.
        lexicon: Word -> pronunciations; a `GuessingLexicon` knows how any English word may sound.
        language: ISO 639-1 code.
        guessed: Counts the words that the lexicon guessed.

    Returns:
        Phones as a manifest keeps them, or None when a word has no pronunciation.

    Example:
        >>> phones_of("two bears", {"two": [["T", "UW"]], "bears": [["B", "EH", "R", "Z"]]})
        'T UW B EH R Z'
    """
    words = normalize_transcript(transcript, language).split()
    pronunciations = [lexicon.get(word) for word in words]
    if None in pronunciations:
        return None
    if guessed is not None:
        guessed.update(word for word in words if word not in lexicon)
    return " ".join(phone for variants in pronunciations for phone in variants[0])
