"""The corpora as builders of TensorFlow Datasets, made from their own readers.

Importing this module registers `librispeech_local`, `speech_commands_local`, `speechocean762_local`, ..., for
`tfds.load` and

    tfds build speechocean762_local --imports speechzoo.corpora.tfds_builders --manual_dir FOLDER

(a command that itself needs the package mlcroissant), where FOLDER is the corpus' folder, or holds it under the
reader's name. Recordings become 16 kHz mono int16; a label that an utterance doesn't have is an empty text (-1 in a
number).
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from speechzoo.audio import SAMPLE_RATE, AudioError, load_audio
from speechzoo.corpora import CORPORA, make_reader

logger = logging.getLogger(__name__)


class CorpusBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """What the builders have in common; each only names its reader.

    Attributes:
        reader: Name in `speechzoo.corpora.CORPORA`.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Give the corpus' folder, as it comes out of its archive, as manual_dir."
    reader: str

    def _info(self) -> tfds.core.DatasetInfo:
        reader = CORPORA[self.reader]
        features = {"id": tfds.features.Text(), **{label: _feature(label) for label in reader.labels}}
        if reader.has_audio:
            features["audio"] = tfds.features.Audio(shape=(None,), dtype=np.int16, sample_rate=SAMPLE_RATE)
        return tfds.core.DatasetInfo(builder=self, description=reader.__doc__,
                                     features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        source = Path(dl_manager.manual_dir)
        if (source / self.reader).is_dir():
            source = source / self.reader
        splits = sorted({_split(utterance) for utterance in make_reader(self.reader).read(source)})
        return {split: self._generate_examples(source, split) for split in splits}

    def _generate_examples(self, source: Path, split: str) -> Iterator[tuple[str, dict]]:
        reader = make_reader(self.reader)
        for utterance in reader.read(source):
            if _split(utterance) != split:
                continue
            example = {"id": utterance["id"]}
            for label in reader.labels:
                example[label] = _value(label, utterance.get(label))
            if reader.has_audio:
                try:
                    audio = load_audio(source / utterance["audio"], start=utterance.get("start", 0.0),
                                       duration=utterance.get("duration"), strict=True)
                except AudioError as error:
                    logger.warning("%s is left out: %s", utterance["id"], error)
                    continue
                example["audio"] = np.clip(np.round(audio * 32768), -32768, 32767).astype(np.int16)
            yield utterance["id"], example


def _split(utterance: dict) -> str:
    return utterance.get("split", "train").replace("-", "_")


def _feature(label: str):
    if label == "slots":
        return tfds.features.Sequence({"name": tfds.features.Text(), "value": tfds.features.Text()})
    return tfds.features.Scalar(np.int32) if label == "age" else tfds.features.Text()


def _value(label: str, value):
    if label == "slots":
        return [{"name": name, "value": content} for name, content in (value or {}).items()]
    if label == "age":
        return -1 if value is None else value
    return value or ""


class LibrispeechLocal(CorpusBuilder):
    """LibriSpeech, whatever subsets there are."""

    reader = "librispeech"


class SpeechCommandsLocal(CorpusBuilder):
    """Speech Commands with all its words."""

    reader = "speech_commands"


class Speechocean762Local(CorpusBuilder):
    """speechocean762."""

    reader = "speechocean762"


class ArabicSpeechCommandsLocal(CorpusBuilder):
    """Arabic Speech Commands."""

    reader = "arabic_speech_commands"


class FsddLocal(CorpusBuilder):
    """Free Spoken Digit Dataset."""

    reader = "fsdd"


class WakeWordsLocal(CorpusBuilder):
    """Wake words."""

    reader = "wake_words"


class CoffeeOrdersLocal(CorpusBuilder):
    """Picovoice's recorded coffee orders, for measuring."""

    reader = "coffee_orders"


class EmodbLocal(CorpusBuilder):
    """EmoDB."""

    reader = "emodb"


class Kitchen20Local(CorpusBuilder):
    """Kitchen20."""

    reader = "kitchen20"


class Esc10Local(CorpusBuilder):
    """ESC-10."""

    reader = "esc10"


class Esc50Local(CorpusBuilder):
    """ESC-50."""

    reader = "esc50"


class SnipsLocal(CorpusBuilder):
    """SNIPS, text only."""

    reader = "snips"


class Hwu64Local(CorpusBuilder):
    """HWU64, text only."""

    reader = "hwu64"
