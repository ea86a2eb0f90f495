"""Byte-level byte-pair encoding, as GPT-2 and Whisper write text: bytes as characters, merged into units.

Radford et al. 2019, "Language models are unsupervised multitask learners", section 2.2. Every text has an encoding,
because every byte is a unit; a unit may end inside of a letter that takes several bytes.
"""

import re
import unicodedata

_PRINTABLE = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
_OTHERS = [byte for byte in range(256) if byte not in _PRINTABLE]

BYTE_CHARACTERS = {**{byte: chr(byte) for byte in _PRINTABLE},
                   **{byte: chr(256 + number) for number, byte in enumerate(_OTHERS)}}
"""`BYTE_CHARACTERS` are the characters that stand for bytes in units: printable ones for themselves, the others from
U+0100 on, so that a space is "\u0120"."""
_BYTES = {character: byte for byte, character in BYTE_CHARACTERS.items()}

# GPT-2's expression for what is encoded on its own, over the classes of `_classes`, because `re` knows no \p{L}.
_PRE_TOKEN = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[a-zL]+| ?0+| ?[^\s0a-zL]+|\s+(?!\S)|\s+")
_CONTRACTED = frozenset("strevmld")
_NO_WHITE_SPACE = frozenset("\x1c\x1d\x1e\x1f")  # white space to Python, and not to Unicode


def bytes_of(unit: str) -> bytes:
    """The bytes that a unit stands for.

    Raises:
        ValueError: The unit has a character that stands for no byte.

    Example:
        >>> bytes_of("\u0120caf\u00c3")
        b' caf\\xc3'
    """
    try:
        return bytes(_BYTES[character] for character in unit)
    except KeyError as error:
        raise ValueError(f"unit '{unit}' is none of bytes: {error.args[0]!r} stands for no byte") from None


def pre_tokens(text: str) -> list[str]:
    """The pieces of a text that are encoded on their own: words, numbers and signs, each with the space before it.

    Example:
        >>> pre_tokens("I'll be 30, Jos\u00e9!")
        ['I', "'ll", ' be', ' 30', ',', ' Jos\u00e9', '!']
    """
    classes = "".join(_class_of(character) for character in text)
    return [text[match.start():match.end()] for match in _PRE_TOKEN.finditer(classes)]


def split_byte_pairs(text: str, rank: dict[str, int]) -> list[str]:
    """A text as units: of neighbours whose union is a unit, those of the lowest rank are merged first.

    So does openai-whisper. The rule by a list of merges gives the same, where units are ranked as they were learnt.

    Args:
        text: Any text.
        rank: Unit -> its rank; every byte's character is a unit.
    """
    units = []
    for piece in pre_tokens(text):
        parts = [BYTE_CHARACTERS[byte] for byte in piece.encode("utf-8", "surrogatepass")]
        units.extend(merge_pairs(parts, rank))
    return units


def merge_pairs(parts: list[str], rank: dict[str, int]) -> list[str]:
    """Neighbours whose union has a rank, merged, the lowest rank first (Sennrich et al. 2016,
    https://arxiv.org/abs/1508.07909, section 3.2)."""
    parts = list(parts)
    while len(parts) > 1:
        ranks = [rank.get(left + right, len(rank)) for left, right in zip(parts, parts[1:])]
        best = min(ranks)
        if best == len(rank):
            break
        at = ranks.index(best)
        parts[at:at + 2] = [parts[at] + parts[at + 1]]
    return parts


def _class_of(character):
    """What `_PRE_TOKEN` sees in place of a character; always one character, so that spans stay the same."""
    if character in _CONTRACTED or character in " '":
        return character
    category = unicodedata.category(character)[0]
    if category in "LN":
        return "L" if category == "L" else "0"
    return "\n" if character.isspace() and character not in _NO_WHITE_SPACE else "."
