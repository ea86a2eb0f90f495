"""What a teacher makes of the recordings as they are, without noise, computed once and kept on disk."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from speechzoo.data.batching import Batch
from speechzoo.training.frame_shards import VERSION
from speechzoo.training.frame_store import FrameStore, identify, pad_rows, to_float16

# Types of heads, as their specs have them, whose output is logits of classes at each frame.
FRAME_TYPES = ("ctc", "frame_classifier", "alignment")
# Of all heads that can teach.
TYPES = (*FRAME_TYPES, "classifier", "slots", "speaker")


@dataclass(frozen=True)
class Part:
    """One thing that a teacher answers.

    Attributes:
        size: Numbers of one frame, or of the whole recording.
        by_frame: Which of the two.
        spec: The head's spec; None for frames of a block.
    """

    size: int
    by_frame: bool
    spec: dict | None = None


class TeacherModel:
    """A model that teaches: audio -> log probabilities, embeddings and frames of blocks, as one matrix per recording.

    A matrix is float16 (rows, size): first as many rows as the answers about the whole recording need, end to end, then
    one row per frame with all that there is by frame, side by side. So it lies on disk as frames do.

    Args:
        model: A MultiTaskModel, which from now on doesn't train.
        heads: Those of its heads that are asked, of `TYPES`.
        blocks: Blocks of its backbone (1-based) whose frames are asked.
        precision: Precision of its products, see `training.precision`; part of the key.

    Attributes:
        parts: Name -> `Part`: the heads, and `block_<number>`.
        sample_rate: Hz.
        frame_seconds: Seconds of one frame.
        key: Identifies weights, configs and parts.
        size: Numbers of one row of a matrix.

    Raises:
        ValueError: No such block, or no backbone that all heads read.
    """

    def __init__(self, model: keras.Model, heads: list[str], blocks: list[int], precision: str = "float32"):
        model.trainable = False
        self.sample_rate = model.frontend.sample_rate
        self.frame_seconds = model.frontend.frame_seconds * model.backbone.subsampling
        self._frontend, self._backbone = model.frontend, model.backbone
        self._heads = heads
        self._model = _answering(model, heads, blocks)
        specs = {name: model.heads[name].spec() for name in heads}
        self.parts = {name: Part(tensor.shape[-1], len(tensor.shape) == 3, specs.get(name))
                      for name, tensor in self._model.output.items() if name != "length"}
        by_frame, whole = (sum(part.size for part in self.parts.values() if part.by_frame is kind)
                           for kind in (True, False))
        self.size = by_frame or whole
        self._whole_rows = -(-whole // self.size)
        self._whole = whole
        configs = [part.get_config() for part in (model.frontend, model.backbone)]
        configs += [[name, keras.saving.serialize_keras_object(model.heads[name])] for name in heads]
        asked = {id(weight) for weight in self._model.weights}
        self.key = identify([VERSION, precision, list(self.parts), *configs],
                            [weight for weight in model.weights if id(weight) in asked])

    def num_frames(self, samples: int) -> int:
        """Rows of the matrix of a recording of `samples` samples."""
        if not any(part.by_frame for part in self.parts.values()):
            return self._whole_rows
        return self._whole_rows + int(self._backbone.output_lengths(self._frontend.output_length(samples)))

    def compute(self, audio: list[np.ndarray], num_samples: int, rows: int) -> list[np.ndarray]:
        """Matrices of some recordings, float16 (rows, size) each; arguments as of `FrameModel.compute`."""
        outputs = self._model.predict_on_batch(pad_rows(audio, num_samples, rows))
        outputs = {name: np.asarray(output, None if name == "length" else np.float32)
                   for name, output in outputs.items()}
        for name in self._heads:
            outputs[name] = _log_probabilities(outputs[name], self.parts[name].spec)
        frames, whole = ([outputs[name] for name, part in self.parts.items() if part.by_frame is kind]
                         for kind in (True, False))
        matrices = [np.zeros((0, self.size), np.float32)] * len(audio)
        if frames:
            together = np.concatenate(frames, axis=-1)
            matrices = [together[row, :outputs["length"][row]] for row in range(len(audio))]
        if whole:
            together = np.concatenate(whole, axis=-1)
            together = np.pad(together, ((0, 0), (0, self._whole_rows * self.size - self._whole)))
            together = together.reshape(rows, self._whole_rows, self.size)
            matrices = [np.concatenate([together[row], matrix]) for row, matrix in enumerate(matrices)]
        return [to_float16(matrix) for matrix in matrices]

    def split(self, matrices: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Part -> its numbers, from matrices float32 (batch, rows, size) of which `rows` (batch,) are there; and
        `length`, int32 (batch,), the frames."""
        first = self._whole_rows
        whole = matrices[:, :first].reshape(len(matrices), -1)
        found, place = {"length": np.maximum(rows - first, 0).astype(np.int32)}, {True: 0, False: 0}
        for name, part in self.parts.items():
            start = place[part.by_frame]
            place[part.by_frame] = end = start + part.size
            found[name] = matrices[:, first:, start:end] if part.by_frame else whole[:, start:end]
        return found


class TeacherOutputs(FrameStore):
    """What a teacher says of a plan's utterances, added to the inputs of its batches.

    Args:
        prefix: Of the names of the inputs: `<prefix>/<part>`, `<prefix>/length`, and `<prefix>/weight`, float32
            (batch,): 1 of the rows that teach.
        **arguments: As of `FrameStore`.
    """

    def __init__(self, prefix: str, **arguments):
        super().__init__(**arguments)
        self._prefix = prefix

    def add_to(self, batches: Iterable, plan: list[Batch]) -> Iterator[tuple]:
        """The batches `(inputs, targets, weights)` that a part of the plan makes, with more inputs."""
        for (inputs, targets, weights), (batch, matrices, rows, samples) in zip(batches, self.read(plan)):
            taught = self._model.split(matrices, rows)
            taught["weight"] = (batch.weights * (samples > 0)).astype(np.float32)
            yield ({**inputs, **{f"{self._prefix}/{name}": value for name, value in taught.items()}}, targets, weights)


def store_outputs(prefix: str, folder: Path, model: TeacherModel, gigabytes: float, **arguments) -> TeacherOutputs:
    """The outputs of a teacher for a plan's utterances, in `folder`, in at most `gigabytes` (1e9 bytes).

    What other plans and teachers have left in the folder stays, so that several runs may share one.
    """
    plan, drawn = arguments["plan"], arguments["drawn"]
    name = identify([[plan.examples.ids[index] for index in drawn], plan.config.bucket_seconds,
                     plan.config.seconds_per_batch], [])[:12]
    return TeacherOutputs(prefix, name=name, folder=folder / model.key[:32], frame_model=model,
                          maximum_bytes=int(gigabytes * 1e9), **arguments)


def _answering(model, heads, blocks):
    """A model of the same inputs whose outputs are those of some heads, of blocks, and the number of frames."""
    if blocks and not model.sharing.one_network:
        raise ValueError(f"model '{model.name}' has no frames that all its heads read; only sharing 'hard' teaches "
                          "features")
    for block in blocks:
        if not 1 <= block <= model.backbone.num_blocks:
            raise ValueError(f"model '{model.name}' has blocks 1 to {model.backbone.num_blocks}, and no {block}")
    audio = keras.Input((None,), dtype="float32", name="audio")
    audio_length = keras.Input((), dtype="int32", name="audio_length")
    features, lengths = model.frontend(audio, audio_length, training=False)
    wanted = {f"block_{block}": block for block in blocks}
    asked = {name: model.blocks[name] for name in heads}
    frames, lengths = model.sharing(features, lengths, {**asked, **wanted}, training=False)
    outputs = {name: model.heads[name](frames[name], lengths, training=False) for name in heads}
    return keras.Model({"audio": audio, "audio_length": audio_length},
                       {**outputs, **{name: frames[name] for name in wanted}, "length": lengths},
                       name=f"{model.name}_teacher")


def _log_probabilities(output, spec):
    """Logits as log probabilities, those of each slot for themselves; an embedding as it is."""
    if spec["type"] == "speaker":
        return output
    if spec["type"] != "slots":
        return _log_softmax(output)
    edges = np.cumsum([len(values) + 1 for values in spec["slots"].values()])[:-1]
    return np.concatenate([_log_softmax(segment) for segment in np.split(output, edges, axis=-1)], axis=-1)


def _log_softmax(logits):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
