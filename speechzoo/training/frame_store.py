"""What a frozen network makes of utterances, computed once per utterance and kept on disk."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import keras
import numpy as np

from speechzoo.data.audio_reader import AudioReader
from speechzoo.data.batching import Batch, BatchPlan
from speechzoo.data.feed import in_order
from speechzoo.files import write_atomically
from speechzoo.training.frame_shards import ShardHeader, ShardReader, pack_shard, read_header

# Bytes of frames in one file: what a kill can lose.
SHARD_BYTES = 1 << 24
# Seconds of audio of one file: how long Ctrl-C may wait where a second takes few bytes.
SHARD_SECONDS = 1800.0
# Greatest number in float16.
_GREATEST = 65504.0


def to_float16(values: np.ndarray) -> np.ndarray:
    """The values as float16, those beyond its range at its ends."""
    return np.clip(values, -_GREATEST, _GREATEST).astype(np.float16)


def pad_rows(audio: list[np.ndarray], num_samples: int, rows: int) -> dict[str, np.ndarray]:
    """Inputs of a model: float32 (samples,) each, padded to `num_samples`, or cut, and to `rows` utterances."""
    batch, lengths = np.zeros((rows, num_samples), np.float32), np.zeros(rows, np.int32)
    for row, samples in enumerate(audio):
        lengths[row] = min(len(samples), num_samples)
        batch[row, :lengths[row]] = samples[:num_samples]
    return {"audio": batch, "audio_length": lengths}


def identify(parts: list, weights: Iterable) -> str:
    """SHA-256 of plain values and of weights, by path and value."""
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode())
    for weight in weights:
        value = np.ascontiguousarray(keras.ops.convert_to_numpy(weight))
        digest.update(f"{weight.path} {value.dtype} {value.shape}\n".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


class FrameStore:
    """What a frozen network makes of a plan's utterances, one matrix (frames, numbers) per utterance.

    Utterances are computed in groups that the plan alone decides, from short to long, so that a run that is cut
    short trains on the same numbers as one that isn't. Those that don't fit are computed anew each time.

    Args:
        name: Beginning of the names of its files.
        folder: Folder of the files.
        plan: Plan of the batches.
        reader: Reads the audio of its examples.
        frame_model: Computes them: `key`, `size`, `num_frames(samples)` and `compute(audio, num_samples, rows)`, as
            `speechzoo.training.features.FrameModel` has them.
        drawn: Utterances that its batches hold, int (utterances,).
        maximum_bytes: Bound of its files.

    Attributes:
        kept, reused, left_out: Utterances in its files; those of them that were there before; those that don't fit.
        computed_anew: How many times one that isn't in a file was computed so far.
        size: Bytes of its files.
        expected_bytes: What they will take at most.
    """

    def __init__(self, name: str, folder: Path, plan: BatchPlan, reader: AudioReader, frame_model,
                 drawn: np.ndarray, maximum_bytes: int):
        self._plan, self._reader, self._model = plan, reader, frame_model
        self._shards = ShardReader(frame_model.size)
        groups, self.expected_bytes, self.left_out = self._group(plan.sequential(drawn), maximum_bytes)
        self._groups = [(folder / f"{name}-{number:05d}.frames", group) for number, group in enumerate(groups)]
        self._places: dict[int, tuple[Path, int]] = {}  # of the utterances in files
        self._samples: dict[int, int] = {}
        self.kept = self.reused = self.computed_anew = self.size = 0

    @property
    def paths(self) -> list[Path]:
        """Its files."""
        return [path for path, _ in self._groups]

    def fill(self) -> Iterator[None]:
        """Computes what isn't there; yields after each file."""
        for path, group in self._groups:
            indices = np.concatenate([batch.indices[batch.weights > 0] for batch in group])
            key = self._key(group)
            header = read_header(path, key, self._model.size)
            self.reused += len(indices) if header else 0
            if header is None:
                header, contents = self._compute(group, key)
                if self.size + len(contents) > self.expected_bytes:  # the manifest's durations said less
                    path.unlink(missing_ok=True)
                    self.left_out += len(indices)
                    continue
                write_atomically(path, contents)
            self.size += path.stat().st_size
            self.kept += len(indices)
            self._reader.failures.update(header.failures)
            for row, index in enumerate(indices):
                self._places[int(index)], self._samples[int(index)] = (path, row), header.samples[row]
            yield

    def read(self, batches: list[Batch]) -> Iterator[tuple[Batch, np.ndarray, np.ndarray, np.ndarray]]:
        """Some batches of the plan, one after another, what isn't on disk computed.

        Yields:
            The batch; frames float32 (batch, frames, size), zero in the padding; their number, int32 (batch,); samples
            of the recordings, int64 (batch,), 0 of those that can't be read.
        """
        for batch, (frames, lengths, samples, missing, audio) in zip(batches, in_order(self._read, batches)):
            if missing:
                self.computed_anew += len(missing)
                rows = _padded_rows(len(missing), len(batch.indices))
                for row, computed in zip(missing, self._model.compute(audio, batch.num_samples, rows)):
                    lengths[row] = len(computed)
                    frames[row, :len(computed)] = computed
            yield batch, frames, lengths, samples

    def report(self) -> dict:
        """Counts of utterances, and gigabytes, for `data.json`."""
        return {"kept": self.kept, "reused": self.reused, "left_out": self.left_out,
                "computed_anew": self.computed_anew, "gigabytes": round(self.size / 1e9, 6)}

    def _group(self, batches, maximum_bytes):
        """Batches by file, as many as fit; their bytes; the number of utterances of the others."""
        groups, used, filled, seconds = [], 0, SHARD_BYTES, 0.0
        for number, batch in enumerate(batches):
            size = self._expected_bytes(batch)
            if used + size > maximum_bytes:
                return groups, used, sum(int(batch.weights.sum()) for batch in batches[number:])
            if filled + size > SHARD_BYTES or seconds > SHARD_SECONDS:
                groups.append([])
                filled, seconds = 0, 0.0
            groups[-1].append(batch)
            used, filled = used + size, filled + size
            seconds += batch.num_samples * len(batch.indices) / self._plan.sample_rate
        return groups, used, 0

    def _expected_bytes(self, batch):
        """What a batch takes at most, by its durations: its frames, and its part of a header."""
        seconds = self._plan.examples.seconds[batch.indices[batch.weights > 0]]
        frames = [self._model.num_frames(round(length * self._plan.sample_rate)) + 1 for length in seconds]
        return 2 * self._model.size * sum(frames) + 64 * len(frames) + 512

    def _key(self, group):
        """Identifies the utterances of a file, by where their audio lies, and how they are computed together."""
        digest, files = hashlib.sha256(), {}
        for batch in group:
            digest.update(f"{len(batch.indices)} {batch.num_samples}\n".encode())
            for index in batch.indices[batch.weights > 0]:
                path, *place = self._plan.examples.audio[index]
                files[path] = files.get(path) or _identity(Path(path))
                digest.update(json.dumps([self._plan.examples.ids[index], files[path], place]).encode())
        return digest.hexdigest()

    def _compute(self, group, key):
        header, rows = ShardHeader(key, self._model.size, [], []), []
        read = in_order(lambda batch: [self._reader.read(index) for index in batch.indices[batch.weights > 0]], group)
        for batch, audio in zip(group, read):
            rows += self._model.compute(audio, batch.num_samples, len(batch.indices))
            header.samples += [min(len(samples), batch.num_samples) for samples in audio]
            names = [self._plan.examples.ids[index] for index in batch.indices]
            header.failures.update({name: self._reader.failures[name] for name in names
                                    if name in self._reader.failures})
        header.frames = [len(row) for row in rows]
        return header, pack_shard(header, rows)

    def _read(self, batch):
        """A batch without the frames that have to be computed, and these rows' numbers and audio."""
        rows = len(batch.indices)
        frames = np.zeros((rows, self._model.num_frames(batch.num_samples), self._model.size), np.float32)
        lengths, samples, missing, audio = np.zeros(rows, np.int32), np.zeros(rows, np.int64), [], []
        for row, index in enumerate(batch.indices):
            if index in self._places:
                kept = self._shards.read(*self._places[index])
                lengths[row], samples[row] = len(kept), self._samples[index]
                frames[row, :len(kept)] = kept
            else:
                missing.append(row)
                audio.append(self._reader.read(index))
                samples[row] = len(audio[-1])
        return frames, lengths, samples, missing, audio


def _identity(path):
    """What a file is known by without reading it: name, bytes, time of its last change."""
    try:
        status = path.stat()
    except OSError:
        return [path.name]
    return [path.name, status.st_size, status.st_mtime_ns]


def _padded_rows(count, most):
    """Rows of a batch of `count`: where shapes are compiled one by one, a power of two."""
    if keras.backend.backend() == "tensorflow":
        return count
    return min(1 << (count - 1).bit_length(), most)
