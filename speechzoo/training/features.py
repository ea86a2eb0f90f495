"""Frames of a frozen backbone, computed once per utterance and kept on disk, from which heads train."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import keras
import numpy as np

from speechzoo.config import ConfigError, RangeConfig, ZooConfig
from speechzoo.data.audio_reader import AudioReader
from speechzoo.data.batching import Batch, BatchPlan
from speechzoo.data.feed import in_order
from speechzoo.files import write_atomically
from speechzoo.training.frame_shards import VERSION, ShardHeader, ShardReader, pack_shard, read_header

FOLDER = "features"
# Bytes of frames in one file: what a kill can lose.
SHARD_BYTES = 1 << 24
# Greatest number in float16.
_GREATEST = 65504.0


def check_cacheable(config: ZooConfig, model: keras.Model, frozen: set[str]):
    """Raises ConfigError where frames can't be kept, because they change while the heads train."""
    key = "training.cache_features"
    if config.sharing.type != "hard":
        raise ConfigError(f"{key}: needs one backbone, sharing 'hard', not '{config.sharing.type}'")
    for layer in (model.frontend, model.backbone):
        free = [weight.path for weight in layer.weights if weight.path not in frozen]
        if free:
            raise ConfigError(f"{key}: {free[0]} is not frozen; put {layer.name}/* into training.freeze")
    drawn = [name for name, value in vars(config.data.augment).items()
             if isinstance(value, RangeConfig) and value.probability > 0]
    if drawn or config.data.crop_seconds:
        name = f"augment.{drawn[0]}" if drawn else "crop_seconds"
        raise ConfigError(f"{key}: data.{name} changes the audio each time; turn it off")
    masks = model.frontend.spec_augment
    for name, number in (("frequency_masks", masks.frequency_masks), ("time_masks", masks.time_masks)):
        if number:
            raise ConfigError(f"{key}: frontend.{name} changes the features each time; set it to 0")
    for penalty in model.penalties:
        if penalty.teacher is not None:
            raise ConfigError(f"{key}: the teacher of penalty '{penalty.name}' needs the audio; leave one of the two "
                              "out")


class FrameModel:
    """The part of a model before its heads, as it is now: audio -> frames of the blocks that heads read, in float16.

    Args:
        model: A MultiTaskModel whose front end and backbone are frozen.

    Attributes:
        key: Identifies weights, configs and blocks.
        channels: Name of an input of the heads (`frames_<block>`) -> its channels.
        size: Numbers of one frame, of all blocks side by side.
    """

    def __init__(self, model: keras.Model):
        self._model = model.to_frames()
        self._frontend, self._backbone = model.frontend, model.backbone
        self._precision = model.zoo_config.training.precision
        self.channels = {name: tensor.shape[-1] for name, tensor in self._model.output.items()
                         if name != "frame_length"}
        self.size = sum(self.channels.values())
        self.key = self._identify()

    def num_frames(self, samples: int) -> int:
        """Frames that `samples` samples give."""
        return int(self._backbone.output_lengths(self._frontend.output_length(samples)))

    def compute(self, audio: list[np.ndarray], num_samples: int, rows: int) -> list[np.ndarray]:
        """Frames of some utterances: float16 (frames, size) each.

        Args:
            audio: float32 (samples,) each.
            num_samples: Samples that each is padded to, or cut.
            rows: Utterances that the batch is padded to. Neither changes a result by more than rounding.
        """
        batch, lengths = np.zeros((rows, num_samples), np.float32), np.zeros(rows, np.int32)
        for row, samples in enumerate(audio):
            lengths[row] = min(len(samples), num_samples)
            batch[row, :lengths[row]] = samples[:num_samples]
        outputs = self._model.predict_on_batch({"audio": batch, "audio_length": lengths})
        frames = np.concatenate([np.asarray(outputs[name]) for name in self.channels], axis=-1)
        frames = np.clip(frames, -_GREATEST, _GREATEST).astype(np.float16)
        return [frames[row, :outputs["frame_length"][row]] for row in range(len(audio))]

    def split(self, frames: np.ndarray) -> dict[str, np.ndarray]:
        """Frames (batch, frames, size) of each block, as the heads' inputs."""
        ends = np.cumsum([0, *self.channels.values()])
        return {name: frames[..., first:last] for name, first, last in zip(self.channels, ends, ends[1:])}

    def _identify(self):
        configs = self._frontend.get_config(), self._backbone.get_config()
        parts = [VERSION, self._precision, list(self.channels), *configs]
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode())
        for weight in self._frontend.weights + self._backbone.weights:
            value = np.ascontiguousarray(keras.ops.convert_to_numpy(weight))
            digest.update(f"{weight.path} {value.dtype} {value.shape}\n".encode())
            digest.update(value.tobytes())
        return digest.hexdigest()


class CachedFrames:
    """Batches of a plan with frames in place of audio.

    Utterances are computed in groups that the plan alone decides, from short to long, so that a run that is cut
    short trains on the same numbers as one that isn't. Those that don't fit are computed anew each time.

    Args:
        name: Beginning of the names of its files.
        folder: Folder of the files.
        plan: Plan of the batches.
        reader: Reads the audio of its examples.
        frame_model: Computes the frames.
        drawn: Utterances that its batches hold, int (utterances,).
        maximum_bytes: Bound of its files.

    Attributes:
        kept, reused, left_out: Utterances in its files; those of them that were there before; those that don't fit.
        computed_anew: How many times one that isn't in a file was computed so far.
        size: Bytes of its files.
        expected_bytes: What they will take at most.
    """

    def __init__(self, name: str, folder: Path, plan: BatchPlan, reader: AudioReader, frame_model: FrameModel,
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

    def batches(self, batches: list[Batch]) -> Iterable:
        """Some batches of the plan: `({"frames_<block>", "frame_length"}, {head: target}, {head: weight})`."""
        if keras.backend.backend() != "tensorflow":
            return self._generate(batches)
        import tensorflow as tf

        heads = self._plan.examples.heads
        inputs = {name: tf.TensorSpec([None, None, size], tf.float32) for name, size in self._model.channels.items()}
        signature = ({**inputs, "frame_length": tf.TensorSpec([None], tf.int32)},
                     {name: tf.TensorSpec([None, *head.target_shape], head.target_dtype)
                      for name, head in heads.items()},
                     {name: tf.TensorSpec([None], tf.float32) for name in heads})
        dataset = tf.data.Dataset.from_generator(lambda: self._generate(batches), output_signature=signature)
        return dataset.prefetch(2)

    def report(self) -> dict:
        """Counts of utterances, and gigabytes, for `data.json`."""
        return {"kept": self.kept, "reused": self.reused, "left_out": self.left_out,
                "computed_anew": self.computed_anew, "gigabytes": round(self.size / 1e9, 6)}

    def _group(self, batches, maximum_bytes):
        """Batches by file, as many as fit; their bytes; the number of utterances of the others."""
        groups, used, filled = [], 0, SHARD_BYTES
        for number, batch in enumerate(batches):
            size = self._expected_bytes(batch)
            if used + size > maximum_bytes:
                return groups, used, sum(int(batch.weights.sum()) for batch in batches[number:])
            if filled + size > SHARD_BYTES:
                groups.append([])
                filled = 0
            groups[-1].append(batch)
            used, filled = used + size, filled + size
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

    def _generate(self, batches):
        for batch, (frames, lengths, samples, missing, audio) in zip(batches, in_order(self._read, batches)):
            if missing:
                self.computed_anew += len(missing)
                rows = _padded_rows(len(missing), len(batch.indices))
                for row, computed in zip(missing, self._model.compute(audio, batch.num_samples, rows)):
                    lengths[row] = len(computed)
                    frames[row, :len(computed)] = computed
            targets, weights = self._plan.targets(batch)
            readable = (samples > 0).astype(np.float32)
            yield ({**self._model.split(frames), "frame_length": lengths}, targets,
                   {head: weight * readable for head, weight in weights.items()})

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


class FeatureCache:
    """The frames of a run's training and dev utterances, in one bounded folder.

    Args:
        folder: Folder of the run; what other weights have left in its `features` is removed.
        model: The model, after its front end and backbone have the weights that they keep.
        gigabytes: Bound of the folder, 1e9 bytes.
    """

    def __init__(self, folder: Path, model: keras.Model, gigabytes: float):
        self._model = FrameModel(model)
        self._folder = folder / FOLDER / self._model.key[:32]
        self._maximum_bytes = int(gigabytes * 1e9)
        self._parts: dict[str, CachedFrames] = {}
        for old in (folder / FOLDER).glob("*"):
            if old != self._folder:
                shutil.rmtree(old)

    def add(self, name: str, plan: BatchPlan, reader: AudioReader, drawn: np.ndarray) -> CachedFrames:
        """The frames of a plan's utterances `drawn`, within what those added before leave of the bound."""
        left = self._maximum_bytes - sum(part.expected_bytes for part in self._parts.values())
        self._parts[name] = CachedFrames(name, self._folder, plan, reader, self._model, drawn, left)
        return self._parts[name]

    def fill(self) -> Iterator[None]:
        """Computes what isn't there; yields after each file."""
        expected = {path for part in self._parts.values() for path in part.paths}
        for old in set(self._folder.glob("*")) - expected:
            old.unlink()
        for part in self._parts.values():
            yield from part.fill()

    def report(self) -> dict:
        """All parts together: counts of utterances, and gigabytes."""
        reports = [part.report() for part in self._parts.values()]
        return {key: sum(report[key] for report in reports) for key in reports[0]}


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
