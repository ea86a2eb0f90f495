"""How words are written in the units of a `ctc` head."""

from speechzoo.text.units import units_of

Lexicon = dict[str, list[list[str]]]
"""Word -> its pronunciations, each a list of phones."""


class Spelling:
    """Spells words in the units of one head.

    Args:
        head_spec: Spec of a `ctc` head, with `units` and `kind`.
        lexicon: Needed where the units are phones: word -> pronunciations.
        source: What the words come from, for messages: "grammar 'lights'".

    Attributes:
        separator: Index of the unit between words, or None where there is none.

    Raises:
        ValueError: Phones without a lexicon.
    """

    def __init__(self, head_spec: dict, lexicon: Lexicon | None, source: str):
        self.kind, self.units, self.lexicon, self.source = head_spec["kind"], units_of(head_spec), lexicon, source
        if not self.units.spelt and lexicon is None:
            raise ValueError(f"{source}: to spell words in {self.kind} takes a lexicon, such as CMUdict")
        self.separator = self.units.index.get(self.units.separator)
        self._spelt: dict[str, list[tuple[int, ...]]] = {}

    def spell(self, word: str) -> list[tuple[int, ...]]:
        """The ways to write a word, as unit indices from 1; several where it is pronounced in several ways.

        Raises:
            ValueError: No pronunciation, or a unit that the head doesn't have.
        """
        if word not in self._spelt:
            variants = [self.units.split(word)] if self.units.spelt else self.lexicon.get(word, [])
            if not variants or not all(variants):
                raise ValueError(f"{self.source}: the lexicon has no pronunciation of '{word}'; "
                                 "add the word to the lexicon, or write it in other words")
            for unit in (unit for variant in variants for unit in variant):
                if unit not in self.units.index:
                    raise ValueError(f"{self.source}: '{unit}' in the word '{word}' is not among the "
                                     f"{len(self.units.names)} {self.kind} that the model writes")
            self._spelt[word] = list(dict.fromkeys(tuple(self.units.index[unit] for unit in variant)
                                                   for variant in variants))
        return self._spelt[word]
