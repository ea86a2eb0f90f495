"""Language models by name."""

from pathlib import Path

from speechzoo.text.ngram import NGram
from speechzoo.text.pocketsphinx_ngram import PocketSphinxNGram


def load_language_model(name_or_path: str | Path) -> NGram | PocketSphinxNGram:
    """Reads an n-gram language model.

    Args:
        name_or_path: "pocketsphinx" for the 3-gram of general English that the package `pocketsphinx` brings, or the
            path of an ARPA file, plain or gzip-compressed.

    Raises:
        ImportError: The package `pocketsphinx` is missing.
        ValueError: Not an ARPA file.
        OSError: The file can't be read.
    """
    return PocketSphinxNGram() if str(name_or_path) == "pocketsphinx" else NGram.load(name_or_path)
