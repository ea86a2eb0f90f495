"""The same batches as `pipeline`, as a plain generator of NumPy arrays: for machines without TensorFlow."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from speechzoo.data.audio_reader import AudioReader
from speechzoo.data.augment import SHIFT, Augmenter, without_noise
from speechzoo.data.batching import Batch, BatchPlan
from speechzoo.data.workers import available_cores


def make_feed(plan: BatchPlan, epoch: int | None = None, step: int = 0, augmenter: Augmenter | None = None,
              reader: AudioReader | None = None, threads: int | None = None, prefetch: int = 4) -> Iterator[tuple]:
    """The batches of one epoch, prepared by threads ahead of time and yielded in order.

    Args:
        plan: Which utterances stand in which batch.
        epoch: Number of the epoch, from 0. None: every utterance once, from short to long, for evaluation.
        step: Batches of the epoch to leave out at its beginning.
        augmenter: Augments the waveforms of the epochs that `plan` augments; none when absent.
        reader: Reads the audio; give one to see its `failures` afterwards.
        threads: Threads that read, decode and augment; the cores that this process may use when absent.
        prefetch: Batches prepared ahead.

    Yields:
        `({"audio": float32 (B, T), "audio_length": int32 (B,)}, {head: int32 (B, ...)}, {head: float32 (B,)})`.

    Raises:
        ValueError: The plan changes the speed and no augmenter is given.
    """
    plan.check_augmenter(epoch, augmenter)
    return _feed(plan, epoch, step, augmenter, reader or AudioReader(plan.examples, plan.sample_rate),
                 threads, prefetch)


def _feed(plan, epoch, step, augmenter, reader, threads, prefetch):
    batches = plan.sequential() if epoch is None else plan.epoch(epoch)
    augmented = augmenter is not None and augmenter.applies_to(plan, epoch)

    def prepare(number):
        batch = batches[number]
        numbers = augmenter.draw(epoch or 0, number, batch.speeds, batch.silences) if augmented else None
        return _prepare(plan, batch, reader, augmenter, numbers)

    yield from in_order(prepare, range(step, len(batches)), threads, prefetch)


def in_order(function: Callable, items: Iterable, threads: int | None = None, prefetch: int = 4) -> Iterator:
    """`function(item)` of each item, computed by threads ahead of time and yielded in order; see `make_feed`."""
    with ThreadPoolExecutor(threads or available_cores()) as pool:
        waiting = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > prefetch:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _prepare(plan: BatchPlan, batch: Batch, reader, augmenter, numbers):
    rows = len(batch.indices)
    audio, lengths = np.zeros((rows, batch.num_samples), np.float32), np.zeros(rows, np.int32)
    readable = np.zeros(rows, np.float32)
    clean = audio.copy() if plan.clean_targets() else None
    for row, (index, (first, count)) in enumerate(zip(batch.indices, batch.crops)):
        samples = reader.read(index)[first:][:count]
        readable[row] = len(samples) > 0
        if clean is not None:
            alone = samples if numbers is None else augmenter(samples, without_noise(numbers[row]))
            clean[row, :len(alone)] = alone[:batch.num_samples]
        if numbers is not None:
            samples = augmenter(samples, numbers[row])
        lengths[row] = min(len(samples), batch.num_samples)
        audio[row, :lengths[row]] = samples[:batch.num_samples]
    targets, weights = plan.targets(batch, None if numbers is None else numbers[:, SHIFT])
    targets |= dict.fromkeys(plan.clean_targets(), None if clean is None else np.stack([clean, audio], axis=1))
    weights = {head: weight * readable for head, weight in weights.items()}
    return {"audio": audio, "audio_length": lengths}, targets, weights
