"""Parts of manifests, as several benchmarks take them: `MANIFEST[:SPLIT]`, or some utterances of a source."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechzoo.config import SourceConfig
from speechzoo.data.manifest import read_manifest, with_absolute_paths, write_manifest
from speechzoo.data.utterance_audio import read_utterance_audio


@dataclass
class Part:
    """A manifest, or one split of it.

    Attributes:
        name: Of the corpus: its folder's name.
        folder: Where the manifest lies.
        utterances: As the manifest says them.
    """

    name: str
    folder: Path
    utterances: list[dict]

    def audio(self, utterance: dict, sample_rate: int) -> np.ndarray:
        """float32 (samples,) of one of the utterances."""
        return read_utterance_audio(utterance, self.folder, sample_rate)


def read_part(source: str) -> Part:
    """The utterances of `MANIFEST` or `MANIFEST:SPLIT`."""
    path, _, split = source.partition(":")
    folder = Path(path).parent
    return Part(folder.name, folder, [item for item in read_manifest(path) if split in ("", item.get("split"))])


def evenly(items: list, maximum: int) -> list:
    """At most so many of the items, evenly over all of them."""
    return items[::max(1, -(-len(items) // maximum))]


def write_source(source: SourceConfig, utterances: list[dict], path: Path) -> SourceConfig:
    """Some utterances of a source as a source of their own, with the same labels.

    Args:
        source: With a manifest that can be read.
        utterances: As its manifest says them.
        path: JSONL file to write; their audio stays where it is.
    """
    home = Path(source.manifest).resolve().parent
    write_manifest(path, [with_absolute_paths(utterance, home) for utterance in utterances])
    return dataclasses.replace(source, manifest=str(path), split=None)
