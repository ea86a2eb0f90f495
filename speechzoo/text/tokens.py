"""The tokens that an attention decoder writes: units of text, and special ones that begin and end it."""

import functools

from speechzoo.text.units import CHARACTERS, UNITS, kind_of
from speechzoo.text.whisper_tokens import END, NO_TIMESTAMPS, START, VOCABULARIES, whisper_vocabulary


class Tokens:
    r"""All tokens of a head, and how text is made of them.

    Args:
        kind: Of `speechzoo.text.units.UNITS`.
        names: All tokens in their order, the special ones among them.

    Attributes:
        kind, names: The same.

    Example:
        >>> tokens = make_tokens(["a", "\u2581", "\u2581a"], "example")
        >>> tokens.names[:3], tokens.encode("aa a")
        (['<|startoftranscript|>', '<|endoftext|>', 'a'], [4, 2, 4])
    """

    def __init__(self, kind: str, names: list[str]):
        self.kind = kind
        self.names = list(names)
        self._units = UNITS[kind](self.names)

    @functools.cached_property
    def index(self) -> dict[str, int]:
        """Name -> its index from 0; what only reads outputs never asks for it."""
        return {name: number for number, name in enumerate(self.names)}

    @property
    def default_start(self) -> list[str]:
        """Names of the tokens that a text begins with, unless a config says otherwise."""
        # Whisper's models for English alone have tokens of languages and tasks, too, which they have never seen.
        english = self.names == whisper_vocabulary("whisper_en")
        wanted = [START, *([] if english else ["<|en|>", "<|transcribe|>"]), NO_TIMESTAMPS]
        return [name for name in wanted if name in self.index]

    def index_of(self, name: str) -> int:
        """The index of a special token.

        Raises:
            ValueError: There is none of this name.
        """
        if name not in self.index:
            raise ValueError(f"the vocabulary has no token '{name}'")
        return self.index[name]

    def encode(self, text: str) -> list[int]:
        """Indices of a text's tokens.

        Raises:
            ValueError: Something in the text has no token.
        """
        # Bytes mark the space before a word, and so a word has the same tokens wherever it stands.
        units = self._units.split(f" {text}" if self.kind == "bytes" and text else text)
        try:
            return [self.index[unit] for unit in units]
        except KeyError as error:
            raise ValueError(f"'{text}' holds {error}, which is not among the units ({self.kind})") from None


def make_tokens(units: str | list[str], where: str) -> Tokens:
    """The tokens that a config names.

    Args:
        units: `characters`, one of Whisper's `VOCABULARIES`, or a list: of all tokens where the one that ends a text,
            `<|endoftext|>`, is among them, of byte-pair-encoding pieces otherwise. All tokens are pieces where one is
            marked as the beginning of a word, characters where one is a space, and byte-level ones otherwise.
        where: For messages.

    Raises:
        ValueError: Nothing of the kind.
    """
    if units in VOCABULARIES:
        return Tokens("bytes", whisper_vocabulary(units))
    if isinstance(units, list | tuple):
        if END not in units:
            return Tokens("pieces", [START, END, *units])
        kind = kind_of(units)  # bytes have a letter of their own for the space
        return Tokens("bytes" if kind == "characters" and " " not in units else kind, units)
    if units != "characters":
        raise ValueError(f"{where}: units '{units}' is not characters, {', '.join(VOCABULARIES)} or a list of pieces "
                         "or tokens")
    return Tokens("characters", [START, END, *CHARACTERS])
