"""What a frozen network makes of recordings, computed once per recording and kept on disk."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from speechzoo.audio import AudioError
from speechzoo.data.records import RecordError
from speechzoo.data.utterance_audio import read_utterance_audio
from speechzoo.files import write_arrays_atomically
from speechzoo.layers.pooling import AttentiveStatisticsPooling
from speechzoo.training.frame_store import identify, pad_rows, to_float16

MAXIMUM_SECONDS = 3.0
"""Of a recording longer than `MAXIMUM_SECONDS`, the loudest part of that length counts."""
SILENCES = 20
"""`SILENCES` recordings of faint noise stand for silence where a manifest has none."""
# Recordings per file, which is what an interruption can lose, and per batch.
_PART, _BATCH = 256, 16


class Features:
    """Inputs for learning from recordings, by number.

    Args:
        frames: float16 (recordings, frames, channels) of one block, zero in the padding; or audio (recordings,
            samples).
        lengths: int32 (recordings,), frames or samples that are no padding.
        pooled: Block -> float32 (recordings, 2 x channels), mean and deviation over time; empty for audio.
        name: Of the network's input: `frames_<block>`, or `audio`.
    """

    def __init__(self, frames: np.ndarray, lengths: np.ndarray, pooled: dict[int, np.ndarray], name: str):
        self.frames, self.lengths, self.pooled, self.name = frames, lengths, pooled, name

    def inputs(self, numbers: np.ndarray) -> dict[str, np.ndarray]:
        """Inputs of the network for some recordings, padded alike whichever they are."""
        length = "audio_length" if self.name == "audio" else "frame_length"
        return {self.name: self.frames[numbers].astype(np.float32), length: self.lengths[numbers]}


def make_features_model(model: keras.Model, block: int) -> keras.Model:
    """Audio -> the frames of a block, their number, and mean and deviation over time of each block.

    Returns:
        A model with outputs `frames` (batch, frames, channels), `frame_length` (batch,), and `pooled_<block>` (batch,
        2 x channels) of each block: what a head's attentive pooling gives when all frames count the same.
    """
    frames, lengths = model.features(model.input)
    outputs = {"frames": frames[block - 1], "frame_length": lengths}
    for number, each in enumerate(frames, 1):
        pooling = AttentiveStatisticsPooling(1, name=f"pooling_{number}")
        pooling.build(each.shape)
        pooling.score.kernel.assign(keras.ops.zeros_like(pooling.score.kernel))
        outputs[f"pooled_{number}"] = pooling(each, lengths)
    return keras.Model(model.input, outputs, name=f"{model.name}_features")


def compute_features(model: keras.Model, block: int, utterances: list[dict | None], folder: Path | None,
                     on_progress: Callable[[str], None] | None = None) -> tuple[Features, np.ndarray]:
    """Features of recordings, and of silence where asked for.

    Args:
        model: A `MultiTaskModel` whose front end and backbone stay as they are.
        block: Whose frames are kept.
        utterances: Lines of a manifest with absolute paths; None stands for silence that is made here.
        folder: Where they are kept, in files of 256 recordings; what is there of the same model and recordings is read.
            None keeps nothing.
        on_progress: Called with a line after each file.

    Returns:
        The features, and bool (recordings,), which can be read; the features of others are zeros.
    """
    network = make_features_model(model, block)
    key = identify([block, model.frontend.get_config(), model.backbone.get_config()],
                   model.frontend.weights + model.backbone.weights)
    parts = []
    for first in range(0, len(utterances), _PART):
        chosen = utterances[first:first + _PART]
        path = folder and folder / f"{identify([key, first, chosen], [])[:32]}.npz"
        if path and path.is_file():
            with np.load(path, allow_pickle=False) as arrays:
                parts.append(dict(arrays))
        else:
            parts.append(_compute(model, network, chosen, first))
            if path:
                write_arrays_atomically(path, **parts[-1])
        if on_progress:
            on_progress(f"frames of {min(first + _PART, len(utterances))} of {len(utterances)} recordings")
    longest = max(part["frames"].shape[1] for part in parts)
    frames = np.concatenate([np.pad(part["frames"], ((0, 0), (0, longest - part["frames"].shape[1]), (0, 0)))
                             for part in parts])
    pooled = {int(name.partition("_")[2]): np.concatenate([part[name] for part in parts])
              for name in parts[0] if name.startswith("pooled_")}
    lengths, readable = (np.concatenate([part[name] for part in parts]) for name in ("lengths", "readable"))
    return Features(frames, lengths, pooled, f"frames_{block}"), readable


def read_all_audio(model: keras.Model, utterances: list[dict | None]) -> tuple[Features, np.ndarray]:
    """The recordings themselves, for a network of which all trains; otherwise as `compute_features`."""
    audio = [_read(utterance, model.frontend.sample_rate, number) for number, utterance in enumerate(utterances)]
    longest = max(model.minimum_samples, *(len(samples) for samples in audio))
    inputs = pad_rows(audio, longest, len(audio))
    return (Features(to_float16(inputs["audio"]), inputs["audio_length"], {}, "audio"),
            np.array([len(samples) > 0 for samples in audio]))


def _compute(model, network, utterances, first):
    """Arrays of one file."""
    rate = model.frontend.sample_rate
    audio = [_read(utterance, rate, first + number) for number, utterance in enumerate(utterances)]
    shortest = model.minimum_samples
    rows = [{} for _ in audio]
    order = sorted(range(len(audio)), key=lambda number: len(audio[number]))
    for start in range(0, len(order), _BATCH):
        batch = order[start:start + _BATCH]
        # To whole quarters of a second, so that there are few shapes to compile.
        longest = max(shortest, *(len(audio[number]) for number in batch))
        outputs = network.predict_on_batch(pad_rows([audio[number] for number in batch],
                                                    -(-longest // (rate // 4)) * (rate // 4), _BATCH))
        for row, number in enumerate(batch):
            rows[number] = {name: np.asarray(output[row]) for name, output in outputs.items()}
            rows[number]["frames"] = to_float16(rows[number]["frames"][:rows[number]["frame_length"]])
    lengths = np.array([row["frame_length"] for row in rows], np.int32)
    frames = np.zeros((len(rows), lengths.max(), rows[0]["frames"].shape[1]), np.float16)
    for number, row in enumerate(rows):
        frames[number, :lengths[number]] = row["frames"]
    return {"frames": frames, "lengths": lengths, "readable": np.array([len(samples) > 0 for samples in audio]),
            **{name: np.stack([row[name] for row in rows]) for name in rows[0] if name.startswith("pooled_")}}


def _read(utterance, sample_rate, number):
    """float32 (samples,); empty where it can't be read."""
    if utterance is None:
        random = np.random.default_rng([7, number])
        return (10 ** random.uniform(-4.5, -2) * random.standard_normal(sample_rate)).astype(np.float32)
    try:
        return loudest(read_utterance_audio(utterance, "", sample_rate), round(MAXIMUM_SECONDS * sample_rate))
    except (AudioError, RecordError, OSError):
        return np.zeros(0, np.float32)


def loudest(samples: np.ndarray, size: int) -> np.ndarray:
    """The `size` samples with the most energy, or all there are."""
    if len(samples) <= size:
        return samples
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    start = int(np.argmax(energy[size:] - energy[:-size]))
    return samples[start:start + size]
