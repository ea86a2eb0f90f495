"""Pronunciation lexicons: word -> phones."""

import functools
import importlib.util
import re
from pathlib import Path

from speechzoo.text.reading import is_symbol, read_words_file
from speechzoo.text.units import PHONES


class LexiconError(ValueError):
    """A lexicon that can't be used; the message names the file and the line."""


def load_lexicon(name_or_path: str | Path) -> dict[str, list[list[str]]]:
    """Reads a pronunciation lexicon.

    Args:
        name_or_path: "cmudict" for the CMU Pronouncing Dictionary, which the package `pocketsphinx` brings, or the path
            of a text file with a word and its phones on each line, as CMUdict (`HELLO(1)  HH EH0 L OW1`) and Kaldi
            (`hello HH_B EH_I L_I OW_E`) write it, UTF-8.

    Returns:
        Word in lower case -> its pronunciations in the lexicon's order, each a list of ARPAbet phones without stress.

    Raises:
        ImportError: The package `pocketsphinx` is missing.
        LexiconError: No such file, not UTF-8, or a line in it that isn't a word and ARPAbet phones.
    """
    lexicon: dict[str, list[list[str]]] = {}
    for word, phones in _read_file(_cmudict() if str(name_or_path) == "cmudict" else Path(name_or_path)):
        phones = [_bare(phone) for phone in phones]
        pronunciations = lexicon.setdefault(word, [])
        if phones not in pronunciations:  # two that differed in stress only
            pronunciations.append(phones)
    return lexicon


def has_cmudict() -> bool:
    """Whether `load_lexicon("cmudict")` finds its package."""
    return importlib.util.find_spec("pocketsphinx") is not None


def _cmudict() -> Path:
    try:
        import pocketsphinx
    except ImportError:
        message = "the lexicon 'cmudict' needs the package pocketsphinx: pip install 'speechzoo[lexicon]'"
        raise ImportError(message) from None
    return Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"))


def _read_file(path: Path):
    if not path.is_file():
        raise LexiconError(f"{path}: no such lexicon; give 'cmudict' or the path of a file")
    try:
        lines = read_words_file(path).split("\n")
    except ValueError as error:
        raise LexiconError(str(error)) from None
    for number, line in enumerate(lines, 1):
        fields = [] if line.startswith((";;;", "#")) else line.split(" #")[0].split()
        if not fields or is_symbol(fields[0]):
            continue
        word, *phones = fields
        if phones and re.fullmatch(r"[01]?\.\d+|1", phones[0]):  # lexiconp.txt: the pronunciation's probability
            phones = phones[1:]
        wrong = next((phone for phone in phones if _bare(phone) not in PHONES), None)
        if wrong or not phones:
            raise LexiconError(f"{path}:{number}: " + (f"'{wrong}' is not an ARPAbet phone" if wrong else "no phones"))
        yield re.sub(r"\(\d+\)$", "", word).lower(), phones


@functools.cache
def _bare(phone: str) -> str:
    """Without stress ("EH1") and without Kaldi's position in the word ("EH_B")."""
    return re.sub(r"[0-9]?(_[BIES])?$", "", phone)
