"""Public corpora and a user's own recordings, one per file, all read into the same utterances.

`read_corpus("librispeech", "LibriSpeech/")` yields them; `CORPORA` holds the reader classes by name.
"""

from collections.abc import Iterator
from pathlib import Path

from speechzoo.config import check_options, nearest
from speechzoo.corpora.arabic_speech_commands import ArabicSpeechCommands
from speechzoo.corpora.coffee_orders import CoffeeOrders
from speechzoo.corpora.corpus import CORPORA, Corpus, CorpusError, TextCorpus
from speechzoo.corpora.emodb import EmoDb
from speechzoo.corpora.esc10 import Esc10
from speechzoo.corpora.esc50 import Esc50
from speechzoo.corpora.folder import Folder
from speechzoo.corpora.fsdd import FreeSpokenDigits
from speechzoo.corpora.hwu64 import Hwu64
from speechzoo.corpora.kitchen20 import Kitchen20
from speechzoo.corpora.librispeech import LibriSpeech
from speechzoo.corpora.manifest import Manifest
from speechzoo.corpora.snips import Snips
from speechzoo.corpora.speech_commands import SpeechCommands
from speechzoo.corpora.speechocean762 import SpeechOcean762
from speechzoo.corpora.tfds_corpus import TfdsCorpus
from speechzoo.corpora.wake_words import WakeWords

__all__ = ["CORPORA", "ArabicSpeechCommands", "CoffeeOrders", "Corpus", "CorpusError", "EmoDb", "Esc10", "Esc50",
           "Folder", "FreeSpokenDigits", "Hwu64", "Kitchen20", "LibriSpeech", "Manifest", "Snips", "SpeechCommands",
           "SpeechOcean762", "TextCorpus", "TfdsCorpus", "WakeWords", "audio_root", "make_reader", "read_corpus"]


def make_reader(name: str, **options) -> Corpus:
    """Makes the reader of a corpus.

    Args:
        name: Name in `CORPORA`, or "tfds:" and a dataset of TensorFlow Datasets, such as "tfds:librispeech" or
            "tfds:fleurs/af_za".
        **options: Arguments of the reader's constructor, such as `label="speaker"` of `folder`.

    Raises:
        CorpusError: No such corpus.
        ConfigError: The reader has no such option.
    """
    if name.startswith("tfds:"):
        check_options(TfdsCorpus, options, f"corpus '{name}'")
        return TfdsCorpus(name.removeprefix("tfds:"), **options)
    if name not in CORPORA:
        raise CorpusError(f"unknown corpus '{name}'; {nearest(name, CORPORA)}")
    check_options(CORPORA[name], options, f"corpus '{name}'")
    return CORPORA[name](**options)


def read_corpus(name: str, source: str | Path, **options) -> Iterator[dict]:
    """Yields the utterances of a corpus: `make_reader(name, **options).read(source)`."""
    return make_reader(name, **options).read(source)


def audio_root(source: str | Path) -> Path:
    """The folder that `audio` of the utterances read from `source` is relative to."""
    return Path(source) if Path(source).is_dir() else Path(source).parent
