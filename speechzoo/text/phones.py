"""Transcripts as phones, by a lexicon."""

from speechzoo.text.normalize import normalize_transcript


def phones_of(transcript: str, lexicon: dict[str, list[list[str]]]) -> str | None:
    """The phones of an English transcript, each word in its first pronunciation, joined by spaces.

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
