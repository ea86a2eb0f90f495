"""Batches as a tf.data pipeline: read, decode, augment and pad, in parallel and in a fixed order."""

import itertools
import os
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from speechzoo.config import AugmentConfig, DataConfig, SourceConfig
from speechzoo.data.audio_reader import AudioReader
from speechzoo.data.augment import SHIFT, Augmenter
from speechzoo.data.augment_graph import GraphAugmenter
from speechzoo.data.batching import BatchPlan
from speechzoo.data.decode_in_graph import read_in_graph, read_with_soundfile
from speechzoo.data.workers import available_cores


def make_dataset(plan: BatchPlan, epoch: int | None = None, step: int = 0, augmenter: Augmenter | None = None,
                 reader: AudioReader | None = None, decoder: str = "soundfile", threads: int | None = None
                 ) -> tf.data.Dataset:
    """The batches of one epoch.

    The state of the pipeline is `(epoch, step)`: started at a step it yields exactly the batches that an uninterrupted
    run would have seen from there on. A recording that can't be read becomes silence with weight 0 for every head;
    `reader` counts and names it.

    Args:
        plan: Which utterances stand in which batch.
        epoch: Number of the epoch, from 0. None: every utterance once, from short to long, for evaluation.
        step: Batches of the epoch to leave out at its beginning.
        augmenter: Augments the waveforms of the epochs that `plan` augments; none when absent.
        reader: Reads the audio; give one to see its `failures` afterwards.
        decoder: `soundfile`, or `graph`: decode prepared records in the graph with tensorflow-io, where it loads. Both
            give the same samples; soundfile is several times faster.
        threads: Threads that read, decode and augment; the cores that this process may use when absent.

    Returns:
        A dataset of `({"audio": float32 (B, T), "audio_length": int32 (B,)}, targets, weights)`; targets are
        `{head: int32 (B, ...)}`, weights `{head: float32 (B,)}`.

    Raises:
        ValueError: `decoder` is neither of the two, or the plan changes the speed and no augmenter is given.
    """
    plan.check_augmenter(epoch, augmenter)
    return _dataset(plan, lambda: _numbered(plan, epoch, step), augmenter, reader, decoder, threads)


def dataset_from_manifest(model, manifest: str | os.PathLike, training: bool = True, seconds_per_batch: float = 96.0,
                          split: str | None = None, augment: AugmentConfig | None = None, seed: int = 0,
                          decoder: str = "soundfile", **options) -> tf.data.Dataset:
    """Batches of a manifest for `model.fit` and `model.evaluate`.

    Args:
        model: A `MultiTaskModel`; its heads say which labels are read and how they are encoded.
        manifest: JSONL file, see `speechzoo.data.manifest`.
        training: Shuffled, and another order in every epoch; otherwise every utterance once, from short to long.
        seconds_per_batch: Budget of padded audio in one batch, seconds.
        split: Keep only utterances of this split.
        augment: Waveform augmentation while training; none when absent.
        seed: Seed of order and augmentation.
        decoder: `soundfile`, or `graph` for tensorflow-io, see `make_dataset`.
        **options: Further fields of `DataConfig`, such as `bucket_seconds`.

    Returns:
        A dataset that `model.fit(dataset)` takes as it is.

    Raises:
        ConfigError: The manifest doesn't exist or nothing of it can be used.
        ManifestError: A line of the manifest breaks the contract.

    Example:
        model.compile("adamw")
        model.fit(dataset_from_manifest(model, "mine.jsonl"), epochs=5)
    """
    source = SourceConfig(os.path.abspath(manifest), split=split)
    config = DataConfig(train=[source], seconds_per_batch=seconds_per_batch, augment=augment or AugmentConfig(),
                        **options)
    frame_seconds = model.frontend.frame_seconds * model.backbone.subsampling
    plan = BatchPlan([source], config, model.heads, seed, frame_seconds, training,
                     sample_rate=model.spec["sample_rate"])
    augmenter = Augmenter(augment, seed, sample_rate=plan.sample_rate) if training and augment else None
    if not training:
        dataset = _dataset(plan, lambda: _numbered(plan, None, 0), None, decoder=decoder)
        return dataset.apply(tf.data.experimental.assert_cardinality(len(plan.sequential())))
    epochs = itertools.count()  # their numbers of batches differ
    return _dataset(plan, lambda: _numbered(plan, next(epochs), 0), augmenter, decoder=decoder)


def _numbered(plan, epoch, step) -> Iterator:
    """(epoch or None, step, batch) of one epoch."""
    batches = plan.sequential() if epoch is None else plan.epoch(epoch)
    return ((epoch, number, batches[number]) for number in range(step, len(batches)))


def _dataset(plan, batches: Callable[[], Iterator], augmenter, reader=None, decoder="soundfile", threads=None):
    if decoder not in ("soundfile", "graph"):
        raise ValueError(f"decoder '{decoder}': choose 'soundfile' or 'graph'")
    reader = reader or AudioReader(plan.examples, plan.sample_rate)
    graph_augmenter = GraphAugmenter(augmenter) if augmenter else None
    threads = threads or available_cores()

    def generate():
        for epoch, step, batch in batches():
            numbers, shifts = np.zeros((len(batch.indices), 0), np.float32), None
            if augmenter is not None:
                on = augmenter.applies_to(plan, epoch)
                numbers = (augmenter.draw(epoch or 0, step, batch.speeds, batch.silences) if on
                           else augmenter.neutral(len(batch.indices)))
                shifts = numbers[:, SHIFT]
            targets, weights = plan.targets(batch, shifts)
            yield batch.indices, batch.crops, numbers, batch.num_samples, targets, weights

    clean_targets = plan.clean_targets()

    def load(index, crop, numbers, num_samples):
        """One row: (float32 (num_samples,), its length, whether it could be read, and where a head needs it the same
        without noise)."""
        audio = read_with_soundfile(reader, index) if decoder == "soundfile" else read_in_graph(reader, index)
        audio = audio[crop[0]:][:crop[1]]
        readable = tf.cast(tf.size(audio) > 0, tf.float32)
        clean = audio if clean_targets else audio[:0]
        if graph_augmenter is not None:
            clean = graph_augmenter(clean, graph_augmenter.without_noise(numbers)) if clean_targets else clean
            audio = graph_augmenter(audio, numbers)
        audio, clean = audio[:num_samples], clean[:num_samples]
        clean = tf.pad(clean, [[0, num_samples - tf.size(clean)]]) if clean_targets else clean
        return tf.pad(audio, [[0, num_samples - tf.size(audio)]]), tf.size(audio), readable, clean

    def load_batch(indices, crops, numbers, num_samples, targets, weights):
        row = (tf.TensorSpec([None], tf.float32), tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.float32),
               tf.TensorSpec([None], tf.float32))
        audio, lengths, readable, clean = tf.map_fn(
            lambda inputs: load(*inputs, num_samples), (indices, crops, numbers), fn_output_signature=row)
        if clean_targets:
            targets = targets | dict.fromkeys(clean_targets, tf.stack([clean, audio], axis=1))
        return ({"audio": audio, "audio_length": lengths}, targets,
                {head: weight * readable for head, weight in weights.items()})

    heads = plan.examples.heads
    signature = (
        tf.TensorSpec([None], tf.int64), tf.TensorSpec([None, 2], tf.int32), tf.TensorSpec([None, None], tf.float32),
        tf.TensorSpec([], tf.int32),
        {name: tf.TensorSpec([None, *head.target_shape], head.target_dtype) for name, head in heads.items()},
        {name: tf.TensorSpec([None], tf.float32) for name in heads})
    dataset = tf.data.Dataset.from_generator(generate, output_signature=signature)
    dataset = dataset.map(load_batch, num_parallel_calls=threads, deterministic=True).prefetch(2)
    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    options.threading.max_intra_op_parallelism = 1
    return dataset.with_options(options)
