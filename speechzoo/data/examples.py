"""Utterances of manifests as arrays: where the audio lies, how long it is, and every head's encoded label."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from speechzoo.audio import AudioError, audio_info
from speechzoo.config import ConfigError, SourceConfig
from speechzoo.data.manifest import read_manifest
from speechzoo.data.speech_labels import label_of
from speechzoo.data.utterance_audio import locate_audio


class Examples:
    """What batches are made of. Labels are encoded once, here; audio is read later, batch by batch.

    Args:
        sources: Manifests to read, in order.
        heads: Head name -> head (`label`, `encode`, `target_shape`, `target_dtype`, `frame_per_unit`, `unlabelled`), as
            in `MultiTaskModel.heads`.
        root: Folder that the manifests' paths are relative to.
        minimum_seconds: Shorter utterances are left out.
        maximum_seconds: Longer utterances are left out.
        frame_seconds: Seconds of one output frame. A sequence label that can't be aligned to so few frames by CTC (one
            frame a unit and one between equal neighbours) is not used; None keeps all.
        maximum_speed: Fastest playing speed of the augmentation, which shortens what CTC has to align to.
        labelled_only: Leave out utterances without a label of any head.
        read: Reads a manifest; `functools.cache(read_manifest)` of who needs them more than once.
        fields: Fields whose values are kept as they are, whatever labels a source's heads use, such as `corpus`.

    Attributes:
        ids: Name of each utterance, for reports.
        audio: `File` or `Record` of each: where its audio lies.
        seconds: float64 (utterances,), durations.
        sources: (config, int64 indices of its utterances, class of each or None) of each source.
        labelled: Head name -> bool (utterances,).
        values: Field -> value of each utterance, that of the source's `default_labels` or None where it has none.
        left_out: Counter of reasons why utterances were left out.
        unused_labels: Head name -> Counter of reasons why labels were not used.

    Raises:
        ConfigError: A source's manifest doesn't exist, or nothing of it is left.
    """

    def __init__(self, sources: list[SourceConfig], heads: dict, root: str | Path = "", minimum_seconds: float = 0.0,
                 maximum_seconds: float = float("inf"), frame_seconds: float | None = None,
                 maximum_speed: float = 1.0, labelled_only: bool = False,
                 read: Callable[[Path], list[dict]] = read_manifest, fields: Iterable[str] = ()):
        self.heads, self._read = heads, read
        self.values = {field: [] for field in fields}
        self.ids, self.audio, self.sources = [], [], []
        self.left_out = Counter()
        self.unused_labels = {name: Counter() for name in heads}
        self._limits = (minimum_seconds, maximum_seconds)
        self._frame_seconds, self._maximum_speed, self._labelled_only = frame_seconds, maximum_speed, labelled_only
        self._encoded = {name: [] for name in heads}
        self._known = {name: {} for name in heads}
        seconds = []
        for source in sources:
            seconds += self._load(source, Path(root))
        if sources and not seconds:
            raise ConfigError(f"no utterance of {', '.join(source.manifest for source in sources)} has a label of "
                              f"the heads {', '.join(heads)}")
        self.seconds = np.asarray(seconds, np.float64)
        self.labelled = {name: np.array([label is not None for label in column], bool)
                         for name, column in self._encoded.items()}

    def __len__(self):
        return len(self.ids)

    def label_lengths(self, head: str) -> np.ndarray:
        """Units of each utterance's sequence label, int64 (utterances,); 0 without one."""
        return np.array([0 if label is None else len(label) for label in self._encoded[head]], np.int64)

    def targets(self, head: str, indices: np.ndarray, length: int = 0) -> np.ndarray:
        """Encoded labels of some utterances, of the head's `target_dtype` (rows, ...), 0 where there is none.

        Args:
            head: Name of the head.
            indices: Utterances, int (rows,).
            length: Units that sequences are padded to.
        """
        if self.heads[head].clean_target:
            return np.zeros((len(indices), 2, 0), np.float32)  # waveforms, which who reads the audio fills in
        shape = tuple(length if size is None else size for size in self.heads[head].target_shape)
        result = np.zeros((len(indices), *shape), self.heads[head].target_dtype)
        column = self._encoded[head]
        for row, index in enumerate(indices):
            label = column[index]
            if label is not None:
                result[(row, *map(slice, label.shape))] = label
        return result

    def _load(self, source, root):
        path = root / source.manifest
        if not path.is_file():
            raise ConfigError(f"{path}: no such manifest; 'speechzoo prepare' writes one")
        first, found, unlabelled = len(self.ids), [], 0
        for utterance in self._read(path):
            if source.split is not None and utterance.get("split") != source.split:
                continue
            duration, problem = self._duration(utterance, path.parent)
            if problem:
                self.left_out[problem] += 1
                continue
            labels = {name: self._label(name, utterance, source, duration) for name in self.heads}
            if self._labelled_only and all(label is None for label in labels.values()):
                unlabelled += 1
                self.left_out["no label of the heads"] += 1
                continue
            found.append((utterance, duration, labels))
        if source.utterances is not None and source.utterances < len(found):
            chosen = spread(len(found), source.utterances)
            self.left_out[f"beyond {source.utterances} of a source"] += len(found) - source.utterances
            found = [found[place] for place in chosen]
        seconds, classes = [duration for _, duration, _ in found], []
        for utterance, _, labels in found:
            self.ids.append(utterance["id"])
            self.audio.append(locate_audio(utterance, path.parent))
            classes.append(utterance.get(source.balance) if source.balance else None)
            for name, label in labels.items():
                self._encoded[name].append(label)
            for field, values in self.values.items():
                values.append(utterance.get(field, source.default_labels.get(field)))
        if not seconds and not unlabelled:
            chosen = f" of split '{source.split}'" if source.split is not None else ""
            raise ConfigError(f"{path}: no usable utterance{chosen}; left out: {dict(self.left_out) or 'none'}")
        if not seconds:
            return []
        indices = np.arange(first, len(self.ids))
        self.sources.append((source, indices, [str(value) for value in classes] if source.balance else None))
        return seconds

    def _duration(self, utterance, folder):
        """(seconds, None), or (None, why the utterance is left out)."""
        duration = utterance.get("duration")
        if duration is None:
            if "audio" not in utterance:
                return None, "a record without its duration"
            try:
                duration = audio_info(folder / utterance["audio"]).duration - utterance.get("start", 0.0)
            except AudioError:
                return None, "audio can't be read"
            if duration <= 0:
                return None, "start lies behind the end of the recording"
        shortest, longest = self._limits
        if duration < shortest:
            return None, f"shorter than {shortest:g} s"
        if duration > longest:
            return None, f"longer than {longest:g} s"
        return duration, None

    def _label(self, name, utterance, source, duration):
        """The encoded label of head `name`, or None."""
        if self.heads[name].unlabelled:
            return self._encode(name, "", duration)
        value = label_of(source, utterance, self.heads[name].label)
        return None if value is None else self._encode(name, value, duration)

    def _encode(self, name, value, duration):
        known, key = self._known[name], value if isinstance(value, str) else (json.dumps(value, sort_keys=True),)
        if key not in known:
            try:
                known[key] = np.asarray(self.heads[name].encode(value), self.heads[name].target_dtype)
            except ValueError as error:
                known[key] = str(error)
        label = known[key]
        if isinstance(label, str):
            self.unused_labels[name][label] += 1
            return None
        if self._frame_seconds and self.heads[name].frame_per_unit:
            frames = int(duration / self._maximum_speed / self._frame_seconds)
            if len(label) + np.count_nonzero(label[1:] == label[:-1]) > frames:
                self.unused_labels[name]["more units than frames"] += 1
                return None
        return label


def spread(count: int, most: int) -> np.ndarray:
    """At most `most` of `count` places in a list, at even distances: int (places,), rising."""
    return np.unique(np.linspace(0, count - 1, most).round().astype(int))
