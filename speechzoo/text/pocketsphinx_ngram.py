"""The language model of English that the package PocketSphinx brings."""

import math

from speechzoo.text.ngram import UNKNOWN


class PocketSphinxNGram:
    """A 3-gram of 72,000 words of general English, used as an `NGram` is.

    Raises:
        ImportError: The package `pocketsphinx` is missing.
    """

    order = 3

    def __init__(self):
        try:
            import pocketsphinx
        except ImportError:
            raise ImportError("the language model 'pocketsphinx' needs the package pocketsphinx: "
                              "pip install 'speechzoo[dictation]'") from None
        self._model = pocketsphinx.NGramModel.readfile(pocketsphinx.get_model_path("en-us/en-us.lm.bin"))
        # The package counts in units of ln 1.0001, and this is what it says of words that it doesn't know.
        self._impossible = self._model.prob([UNKNOWN])

    def known(self, word: str) -> str:
        """The word itself, or `<unk>` where the model doesn't know it."""
        return UNKNOWN if self._model.prob([word]) == self._impossible else word

    def log10(self, word: str, history: tuple[str, ...] = ()) -> float:
        """log10 of the probability of `word` after `history`, the words before it, oldest first."""
        return self._model.prob([word, *history[:-self.order:-1]]) * _LOG10_UNIT


_LOG10_UNIT = math.log10(1.0001)
