"""Files of words: lexicons, language models, word lists and texts, all read by the same rules."""

import re
import unicodedata
from pathlib import Path

from speechzoo.text.characters import straighten_apostrophes

_SYMBOL = re.compile(r"<[^<>\s]*>|![A-Z]+")


def read_words_file(path: str | Path) -> str:
    """The text of a file of words, as `decode_words` gives it.

    Raises:
        ValueError: Not UTF-8; names the file and the line.
        OSError: The file can't be read.
    """
    return decode_words(Path(path).read_bytes(), path)


def decode_words(data: bytes, path: str | Path) -> str:
    """Text of UTF-8 with or without a byte order mark, letters composed and apostrophes straight.

    Args:
        data: The bytes.
        path: The file that they come from, for the message.

    Raises:
        ValueError: Not UTF-8; names the file and the line.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[:error.start].count(b"\n") + 1
        raise ValueError(f"{path}:{line}: not UTF-8; if it is Latin-1: iconv -f LATIN1 -t UTF-8") from None
    return text if text.isascii() else straighten_apostrophes(unicodedata.normalize("NFC", text))


def is_symbol(word: str) -> bool:
    """Whether it stands for no word: `<s>`, `</s>`, `<unk>`, and Kaldi's `!SIL`."""
    return word[0] in "<!" and _SYMBOL.fullmatch(word) is not None


def read_words(path: str | Path) -> list[str]:
    """Reads a word list: any number of words on a line, lower-cased, symbols such as `<unk>` left out.

    Raises:
        ValueError: Not UTF-8 text, or no words in it.
        OSError: The file can't be read.
    """
    words = sorted({word.lower() for word in read_words_file(path).split() if not is_symbol(word)})
    if not words:
        raise ValueError(f"{path}: no words in the file")
    return words
