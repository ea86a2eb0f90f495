"""Corpora that TensorFlow Datasets has prepared."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from speechzoo.config import nearest
from speechzoo.corpora.corpus import Corpus, CorpusError
from speechzoo.corpora.tfds_sources import TFDS_SOURCES


class TfdsCorpus(Corpus):
    """A corpus of TensorFlow Datasets -> utterances with their audio in memory (`_audio`, `_sample_rate`).

    `source` of `read` is the TFDS data folder, such as ~/tensorflow_datasets.

    Args:
        name: Name in `TFDS_SOURCES`, with a builder config where the dataset has several: "common_voice/fr",
            "fleurs/af_za".
        splits: Splits to read, named as in the utterances, a list or separated by commas; all by default.
        download: Let TFDS download and prepare what isn't in the folder yet.
    """

    def __init__(self, name: str, splits: Iterable[str] | str | None = None, download: bool = False):
        self.name, _, config = name.partition("/")
        if self.name not in TFDS_SOURCES:
            raise CorpusError(f"no reader for the TFDS dataset '{self.name}'; {nearest(self.name, TFDS_SOURCES)}")
        self._dataset = TFDS_SOURCES[self.name]
        self.config = config or self._dataset.default_config
        if config and not self._dataset.default_config:
            raise CorpusError(f"the TFDS dataset '{self.name}' has no config '{config}'; leave '/{config}' out")
        splits = splits.split(",") if isinstance(splits, str) else splits
        self.splits = {split: ours for split, ours in self._dataset.splits.items() if splits is None or ours in splits}
        if not self.splits:
            raise CorpusError(f"'{self.name}' has none of the splits {', '.join(splits)}; "
                              f"known: {', '.join(self._dataset.splits.values())}")
        self.download = download

    def read(self, source: str | Path) -> Iterator[dict]:
        import tensorflow_datasets as tfds

        name = self._dataset.builder.format(config=self.config)
        try:
            builder = tfds.builder(name, data_dir=str(source))
        except (ValueError, tfds.core.DatasetNotFoundError) as error:
            raise CorpusError(f"tfds: {name}: {str(error).strip().splitlines()[0]}") from None
        if self.download:
            builder.download_and_prepare()
        # A builder that knows its splits says which of them were prepared.
        prepared = set(builder.info.splits) or set(self.splits)
        for split, ours in self.splits.items():
            if split in prepared:
                yield from self._read_split(tfds, builder, split, ours, source)

    def _read_split(self, tfds, builder, split, ours, source) -> Iterator[dict]:
        try:
            examples = builder.as_dataset(split=split, shuffle_files=False)
        except AssertionError:
            raise CorpusError(f"{source}: TFDS hasn't prepared '{builder.name}' there; run `tfds build "
                              f"{self._dataset.builder.format(config=self.config)} --data_dir {source}`") from None
        corpus = self._dataset.corpus or self.name
        for number, example in enumerate(tfds.as_numpy(examples)):
            yield {"id": f"{corpus}/{self.config}{'/' if self.config else ''}{ours}/{number}", "corpus": corpus,
                   "split": ours, **self._dataset.labels(example, builder.info, self.config),
                   "_audio": _samples(example[self._dataset.audio]), "_sample_rate": self._dataset.sample_rate}


def _samples(audio: np.ndarray) -> np.ndarray:
    """Integers of TFDS, whose type doesn't tell their full scale -> int16, or float32 in [-1, 1]."""
    if audio.dtype.kind == "f":
        return audio.astype(np.float32)
    # Recordings of 32-bit samples come as they are; one that stays below 16 bits would be 90 dB down: silence.
    if audio.size and (audio.max() > 32767 or audio.min() < -32768):
        return (audio / 2.0 ** 31).astype(np.float32)
    return audio.astype(np.int16)
