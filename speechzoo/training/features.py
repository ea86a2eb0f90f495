"""Frames of a frozen backbone, computed once per utterance and kept on disk, from which heads train."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import keras
import numpy as np

from speechzoo.config import ConfigError, RangeConfig, ZooConfig
from speechzoo.data.audio_reader import AudioReader
from speechzoo.data.batching import Batch, BatchPlan
from speechzoo.training.frame_shards import VERSION
from speechzoo.training.frame_store import FrameStore, identify, pad_rows, to_float16

FOLDER = "features"


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
    for name, head in model.heads.items():
        if head.unlabelled:
            raise ConfigError(f"{key}: the backbone doesn't train, and head '{name}' teaches it; leave one of the two "
                              "out")
        if head.clean_target:
            raise ConfigError(f"{key}: head '{name}' learns from the audio; leave one of the two out")
    for penalty in model.penalties:
        if penalty.teacher is not None:
            raise ConfigError(f"{key}: the teacher of penalty '{penalty.name}' needs the audio; leave one of the two "
                              "out")
        if penalty.taps:
            raise ConfigError(f"{key}: the backbone doesn't train, and penalty '{penalty.name}' teaches it; leave one "
                              "of the two out")


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
        outputs = self._model.predict_on_batch(pad_rows(audio, num_samples, rows))
        frames = np.concatenate([np.asarray(outputs[name]) for name in self.channels], axis=-1)
        frames = to_float16(frames)
        return [frames[row, :outputs["frame_length"][row]] for row in range(len(audio))]

    def split(self, frames: np.ndarray) -> dict[str, np.ndarray]:
        """Frames (batch, frames, size) of each block, as the heads' inputs."""
        ends = np.cumsum([0, *self.channels.values()])
        return {name: frames[..., first:last] for name, first, last in zip(self.channels, ends, ends[1:])}

    def _identify(self):
        configs = self._frontend.get_config(), self._backbone.get_config()
        parts = [VERSION, self._precision, list(self.channels), *configs]
        return identify(parts, self._frontend.weights + self._backbone.weights)


class CachedFrames(FrameStore):
    """Batches of a plan with frames in place of audio; see `FrameStore`."""

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

    def _generate(self, batches):
        for batch, frames, lengths, samples in self.read(batches):
            targets, weights = self._plan.targets(batch)
            readable = (samples > 0).astype(np.float32)
            yield ({**self._model.split(frames), "frame_length": lengths}, targets,
                   {head: weight * readable for head, weight in weights.items()})


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
