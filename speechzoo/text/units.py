"""The units that heads write: characters, ARPAbet phones, pieces, bytes; and the names of what is none."""

import functools
import re

from speechzoo.text.byte_pairs import bytes_of, merge_pairs, split_byte_pairs

BLANK_INDEX = 0
"""`BLANK_INDEX` is the output of a `ctc` head for "no unit here"; its units are numbered from 1."""

CHARACTERS = list(" 'abcdefghijklmnopqrstuvwxyz")
PHONES = "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH".split()
"""`PHONES` are the 39 phones of ARPAbet without stress, as the CMU Pronouncing Dictionary writes them."""
SILENCE_PHONE = "SIL"
"""`SILENCE_PHONE` stands in alignments where nobody speaks."""
WORD_START = "\u2581"
"""`WORD_START` marks the piece that begins a word, as SentencePiece writes it."""

UNKNOWN_CLASS = "_unknown_"
SILENCE_CLASS = "_silence_"
"""`UNKNOWN_CLASS` is any other word (or voice), `SILENCE_CLASS` none at all, as Speech Commands names them."""
NOTHING_CLASSES = frozenset({UNKNOWN_CLASS, SILENCE_CLASS, "none"})
"""`NOTHING_CLASSES` say that a recording holds nothing of what a head is asked for."""

_SPECIAL = re.compile(r"<\|[^|<>]+\|>")


def is_special(unit: str) -> bool:
    """Whether a unit is none of text: such units are written as in `<|endoftext|>`, and write nothing."""
    return _SPECIAL.fullmatch(unit) is not None


class Units:
    """The units that one head writes, and how text is made of them.

    Args:
        names: The units, such as `["h", "i"]`, `["HH", "AY"]` or `["\u2581hi"]`; their indices count from 1.

    Attributes:
        names: The same.
        spelt: Words are spelt in them; otherwise a lexicon says which of them a word sounds like.
        separator: Unit that stands between words, or None where there is none.
    """

    spelt = True
    separator: str | None = None

    def __init__(self, names: list[str]):
        self.names = list(names)

    @functools.cached_property
    def index(self) -> dict[str, int]:
        """Unit -> its index; what only reads outputs never asks for it."""
        return {name: number for number, name in enumerate(self.names, 1)}

    def split(self, text: str) -> list[str]:
        """Text as units, whether or not they are among `names`."""
        return list(text)

    def written(self, unit: str) -> str:
        """A unit as it stands in running text, behind a space where it begins a word; special ones write nothing."""
        return "" if is_special(unit) else self.plain(unit)

    def plain(self, unit: str) -> str:
        """The same of a unit that is not special."""
        return unit

    def starts_word(self, unit: str) -> bool:
        """Whether what is written before it is complete words."""
        return self.written(unit).startswith(" ")

    def text(self, unit: str) -> str:
        """What a unit adds to its word; empty for one that is nothing but a boundary."""
        return self.written(unit).strip()

    def join(self, units: list[str]) -> str:
        """The running text that units write; special ones write nothing."""
        return "".join(map(self.written, units))


class Characters(Units):
    """Letters, with a space between words."""

    separator = " "


class Phones(Units):
    """ARPAbet phones; each is a word of its own, because phones don't say where words begin.

    Example:
        >>> Phones(PHONES).split("B EH R")
        ['B', 'EH', 'R']
    """

    spelt = False

    def split(self, text):
        return text.split()

    def plain(self, unit):
        return f" {unit}"


class Pieces(Units):
    """Byte-pair-encoding pieces, the first of a word marked.

    Example:
        >>> pieces = Pieces(["\u2581", "a", "t", "at", "\u2581at"])
        >>> [pieces.written(unit) for unit in pieces.split("at tat")]
        [' at', ' ', 't', 'at']
    """

    def split(self, text):
        return split_pieces(text, self.names)

    def plain(self, unit):
        return unit.replace(WORD_START, " ")


class Bytes(Units):
    """Byte-level byte-pair encoding, of GPT-2's and Whisper's kind; see `speechzoo.text.byte_pairs`.

    Example:
        >>> units = Bytes(["\u00c3", "\u00a9", "c", "\u0120", "a", "f", "af", "\u0120c", "<|endoftext|>"])
        >>> units.split(" caf\u00e9")
        ['\u0120c', 'af', '\u00c3', '\u00a9']
        >>> units.join(['\u0120c', 'af', '\u00c3', '\u00a9', '<|endoftext|>'])
        ' caf\u00e9'
    """

    @functools.cached_property
    def _rank(self):
        return {unit: number for number, unit in enumerate(self.names) if not is_special(unit)}

    def split(self, text):
        return split_byte_pairs(text, self._rank)

    def written(self, unit):
        """The unit's own text, with U+FFFD for the letters that it holds in part."""
        return self.join([unit])

    def starts_word(self, unit):
        return self.written(unit)[:1].isspace()

    def join(self, units):
        return b"".join(bytes_of(unit) for unit in units if not is_special(unit)).decode("utf-8", "replace")


# Kind in the spec of a head that writes units -> class.
UNITS = {"characters": Characters, "phones": Phones, "pieces": Pieces, "bytes": Bytes}
WRITTEN_KINDS = tuple(kind for kind, units in UNITS.items() if units.spelt)
"""`WRITTEN_KINDS` are the kinds of units that words are spelt in."""


def kind_of(units: list[str]) -> str:
    """The kind of listed units that words are spelt in: pieces where one begins a word, characters otherwise.

    Example:
        >>> kind_of(["\u2581the", "s"]), kind_of([" ", "a", "<|unk|>"])
        ('pieces', 'characters')
    """
    return "pieces" if any(unit.startswith(WORD_START) for unit in units) else "characters"


def units_of(head_spec: dict) -> Units:
    """The units of a head that writes, such as a `ctc` head.

    Raises:
        ValueError: A kind of units that this version doesn't know.
    """
    if head_spec["kind"] not in UNITS:
        raise ValueError(f"unknown kind of units '{head_spec['kind']}'; this version knows {', '.join(UNITS)}")
    return UNITS[head_spec["kind"]](head_spec["units"])


def split_pieces(text: str, pieces: list[str]) -> list[str]:
    """Byte-pair encoding (Sennrich et al. 2016): the pair that was learnt first merges first.

    Args:
        text: Words separated by spaces.
        pieces: Units in the order in which they were learnt.
    """
    rank = {piece: index for index, piece in enumerate(pieces)}
    return [unit for word in text.split() for unit in merge_pairs([WORD_START, *word], rank)]
