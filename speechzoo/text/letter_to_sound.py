"""How a word is probably pronounced that no lexicon has: a name, a brand, a word of yours."""

import functools
import gzip
import re
from importlib import resources
from pathlib import Path

from speechzoo.text.lexicon import has_cmudict, load_lexicon

TABLE = "letter_to_sound.txt.gz"
# Places of the letters that decide how a letter sounds, the most telling first.
NEIGHBOURS = (1, -1, 2, -2, 3, -3, 4, -4)


def context(word: str, place: int) -> str:
    """The letter at `place`, followed by its neighbours in the order in which they are asked; # outside of the word."""
    return word[place] + "".join(word[place + step] if 0 <= place + step < len(word) else "#" for step in NEIGHBOURS)


def pronounce(word: str, table: dict[str, list[str]] | None = None) -> list[str]:
    """The phones that the letters of an English word suggest.

    The table that the package brings was made from the CMU Pronouncing Dictionary by `tools/letter_to_sound.py`,
    which says how often it is right.

    Args:
        word: Letters a to z and apostrophes, lower case.
        table: Context -> phones of its letter; the package's own when None.

    Returns:
        ARPAbet phones without stress.

    Raises:
        ValueError: The word has other letters than these.

    Reference: Daelemans and van den Bosch 1996, "Language-independent data-oriented grapheme-to-phoneme conversion": a
        letter sounds as it does in the longest known context, found by extending it one neighbour at a time.

    Example:
        >>> pronounce("spotify")
        ['S', 'P', 'AO', 'T', 'AH', 'F', 'AY']
    """
    if not re.fullmatch("[a-z']*[a-z][a-z']*", word):
        raise ValueError(f"'{word}' is not written in the letters a to z: give a lexicon that says how it sounds")
    table = _table() if table is None else table
    phones = []
    for place in range(len(word)):
        letter, sound = context(word, place), []
        for size in range(1, len(letter) + 1):
            known = table.get(letter[:size])
            if known is None:
                break
            sound = known
        phones += sound
    return phones


class GuessingLexicon(dict):
    """A lexicon, word -> pronunciations, that guesses the pronunciation of a word it doesn't have."""

    def get(self, word, default=None):
        if word in self:
            return self[word]
        try:
            return [pronounce(word)]
        except ValueError:
            return default


@functools.cache
def _table() -> dict[str, list[str]]:
    data = gzip.decompress((resources.files("speechzoo.text") / TABLE).read_bytes()).decode()
    lines = (line.split(" ") for line in data.splitlines())
    return {letters: phones for letters, *phones in lines}


def guessing_lexicon(name_or_path: str | Path) -> GuessingLexicon:
    """`load_lexicon`, and guesses for what it lacks; arguments and errors are its."""
    return GuessingLexicon(load_lexicon(name_or_path))


def default_lexicon() -> GuessingLexicon:
    """CMUdict where the package `pocketsphinx` is installed, and guesses for what it lacks."""
    return GuessingLexicon(load_lexicon("cmudict") if has_cmudict() else {})
