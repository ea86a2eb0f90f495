"""Which utterances stand together in which batch: NumPy only, and a pure function of the seed and the epoch."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechzoo.config import ConfigError, DataConfig, SourceConfig
from speechzoo.data.examples import Examples
from speechzoo.data.manifest import read_manifest
from speechzoo.data.retiming import ADDED_PAIRS, TIMED, retime

# Independent streams of random numbers under one seed.
_DRAW, _ORDER, _SPEED, _FILL, _BATCHES, _CROP, _SILENCE = range(7)
# Samples: more than any recording has.
_ALL = np.iinfo(np.int32).max
# Sequence labels are padded to a multiple of this many units, so that few distinct shapes exist.
LABEL_MULTIPLE = 8


@dataclass(frozen=True)
class Batch:
    """One batch before its audio is read.

    Attributes:
        indices: Utterances, int64 (rows,).
        weights: 1, or 0 for a row that only fills the batch, float32 (rows,).
        speeds: Playing speed of each row, float32 (rows,).
        silences: Seconds of silence that follow each row's recording, float32 (rows,).
        crops: First sample and number of samples of the part of each recording that is heard, int32 (rows, 2).
        num_samples: Samples that the audio is padded to.
        bucket: Number of the length bucket.
        waiting: Heads that have not joined the training yet: their labels have weight 0.
    """

    indices: np.ndarray
    weights: np.ndarray
    speeds: np.ndarray
    silences: np.ndarray
    crops: np.ndarray
    num_samples: int
    bucket: int
    waiting: tuple[str, ...] = ()


class BatchPlan:
    """Batches of every epoch, known before any audio is read.

    Utterances of similar length share a batch. Each length bucket has one batch size, one padded length and one padded
    label length, so that only as many shapes exist as buckets, and memory is bounded by `config.seconds_per_batch`.
    The speed augmentation, the silence behind a recording and the part of a long one that is heard are drawn here,
    because they decide in which bucket an utterance falls.

    Args:
        sources: Manifests to read: `config.train`, `config.dev`, or others.
        config: Root folder, budget, buckets and augmentation.
        heads: Head name -> head.
        seed: Seed of everything random.
        frame_seconds: Seconds of one output frame, see `Examples`.
        training: Whether epochs are shuffled, the speed changed and silence added.
        sort_first_epoch: Epoch 0 runs from short to long without augmentation.
        sample_rate: Hz.
        labelled_only: Leave out utterances without a label of any head.
        first_epochs: Head -> epoch (1-based) in which it joins; the first for those not named. Until then it has no
            labels, and utterances that have labels of heads that wait alone are left out.
        epochs: How many there will be, for what changes from the first to the last.
        read: Reads a manifest, see `Examples`.
        fields: Fields that `examples` keeps the values of.

    Attributes:
        examples: The utterances and their labels.
        epochs: How many epochs there will be.
    """

    def __init__(self, sources: Sequence[SourceConfig], config: DataConfig, heads: dict, seed: int = 0,
                 frame_seconds: float | None = None, training: bool = True, sort_first_epoch: bool = False,
                 sample_rate: int = 16000, labelled_only: bool = False, first_epochs: dict[str, int] | None = None,
                 epochs: int = 1, read: Callable[[Path], list[dict]] = read_manifest, fields: Iterable[str] = ()):
        self.config, self.seed, self.sample_rate = config, seed, sample_rate
        self.sort_first_epoch = sort_first_epoch
        self._first_epochs, self.epochs = first_epochs or {}, epochs
        self._edges = np.asarray(sorted(config.bucket_seconds), np.float64)
        self._crop = config.crop_seconds if training else 0.0
        self._check_crop(heads)
        self._speed = config.augment.speed if training and config.augment.speed.probability > 0 else None
        self._silence = config.augment.silence if training and config.augment.silence.probability > 0 else None
        fastest = max(1.0, self._speed.maximum) if self._speed else 1.0
        self.examples = Examples(sources, heads, config.root, config.minimum_seconds,
                                 np.inf if self._crop else float(self._edges[-1]), frame_seconds, fastest,
                                 labelled_only, read, fields)
        self._draws = self._plan_draws()
        self._label_lengths = {name: self._longest_labels(name, fastest) for name, head in heads.items()
                               if None in head.target_shape and not head.clean_target}
        self._latest = (None, None)

    def epoch(self, number: int) -> list[Batch]:
        """The batches of epoch `number` (from 0), in order."""
        if self._latest[0] != number:
            self._latest = (number, self._make_epoch(number))
        return self._latest[1]

    def augmented(self, number: int) -> bool:
        """Whether the waveforms of epoch `number` are augmented."""
        return not (self.sort_first_epoch and number == 0)

    def check_augmenter(self, number: int | None, augmenter):
        """Raises ValueError when epoch `number` counts on another speed or on silence, and no augmenter makes them."""
        if augmenter is None and number is not None and (self._speed or self._silence) and self.augmented(number):
            raise ValueError("the plan's batches count on another playing speed or on silence: give an Augmenter, or "
                             "leave augment.speed and augment.silence out")

    def sequential(self, indices: np.ndarray | None = None) -> list[Batch]:
        """Every utterance exactly once, from short to long; the last batch of a bucket is filled up with weight 0.

        Args:
            indices: The utterances, int (utterances,); all when absent.
        """
        indices = np.arange(len(self.examples)) if indices is None else indices
        order = indices[np.argsort(self.examples.seconds[indices], kind="stable")]
        nothing = np.zeros(len(order), np.float32)
        return self._cut(order, nothing + 1, nothing, nothing, None)

    def targets(self, batch: Batch, shifts: np.ndarray | None = None) -> tuple[dict, dict]:
        """Labels and weights of a batch: ({head: int32 (rows, ...)}, {head: float32 (rows,)}).

        Of a head with `clean_target` the waveforms are still empty, (rows, 2, 0): who reads the audio has them.

        Args:
            batch: The batch; labels with times follow its speeds and silences.
            shifts: Seconds by which the augmenter moves each row, which such labels follow too; not at all when None.
        """
        targets, weights = {}, {}
        for name, head in self.examples.heads.items():
            length = int(self._label_lengths[name][batch.bucket]) if name in self._label_lengths else 0
            targets[name] = self.examples.targets(name, batch.indices, length)
            if head.target_shape == TIMED:
                self._retime(targets[name], batch, shifts)
            weights[name] = self.examples.labelled[name][batch.indices] * batch.weights * (name not in batch.waiting)
        return targets, weights

    def clean_targets(self) -> list[str]:
        """Names of the heads whose targets are waveforms."""
        return [name for name, head in self.examples.heads.items() if head.clean_target]

    def ids(self, batch: Batch) -> list[str]:
        """Names of a batch's utterances, for reports."""
        return [self.examples.ids[index] for index in batch.indices]

    def report(self) -> dict:
        """What is used and what was left out: plain counts, ready for a table or JSON."""
        examples = self.examples
        return {
            "utterances": len(examples),
            "hours": round(float(examples.seconds.sum()) / 3600, 3),
            "labels": {name: int(labelled.sum()) for name, labelled in examples.labelled.items()},
            "left_out": dict(examples.left_out),
            "unused_labels": {name: dict(reasons) for name, reasons in examples.unused_labels.items() if reasons},
        }

    def class_counts(self, head: str) -> dict[str, float]:
        """How many examples of each class an epoch draws on average, of a head whose targets are numbers of `classes`.

        Heads that wait count as joined, rows that fill batches don't count.
        """
        amounts = np.mean([self._amounts(epoch) for epoch in range(self.epochs)], axis=0)
        classes, examples = self.examples.heads[head].classes, self.examples
        counts = np.zeros(len(classes))
        for members, share, (place, _) in self._draws:
            labelled = members[examples.labelled[head][members]]
            found = np.bincount(examples.targets(head, labelled), minlength=len(classes))
            counts += amounts[place] * share / max(len(members), 1) * found
        return dict(zip(classes, counts.tolist()))

    def batch_shapes(self) -> list[tuple[int, int]]:
        """(rows, samples) of each bucket's batches."""
        return [(self._batch_size(bucket), self._num_samples(bucket)) for bucket in range(len(self._edges))]

    def _check_crop(self, heads):
        """Raises ConfigError where parts of recordings can't be trained on."""
        if self._crop > self._edges[-1]:
            raise ConfigError(f"data.crop_seconds: {self._crop:g} is longer than the last of data.bucket_seconds, "
                              f"{self._edges[-1]:g}")
        sequences = [name for name, head in heads.items()
                     if self._crop and None in head.target_shape and not head.clean_target]
        if sequences:
            raise ConfigError(f"data.crop_seconds: head '{sequences[0]}' learns what is said in a whole recording; "
                              "leave crop_seconds out, or the head")

    def _batch_size(self, bucket):
        return max(1, int(self.config.seconds_per_batch / self._edges[bucket] + 1e-9))

    def _num_samples(self, bucket):
        return int(np.ceil(self._edges[bucket] * self.sample_rate - 1e-6))

    def _random(self, *key):
        return np.random.default_rng([self.seed, *key])

    def _plan_draws(self):
        """[(members, their share of their source's draws, (number of the source, of the class))]."""
        return [(members, share, (place, kind)) for place, source in enumerate(self.examples.sources)
                for kind, (members, share) in enumerate(self._split_classes(*source))]

    def _amounts(self, epoch):
        """How many utterances of each source an epoch draws."""
        amounts = [source.repeat * len(indices) for source, indices, _ in self.examples.sources]
        power = last = 1.0 / self.config.source_temperature
        if self.config.last_source_temperature is not None:
            last = 1.0 / self.config.last_source_temperature
        power += (last - power) * min(epoch / max(self.epochs - 1, 1), 1.0)
        if power != 1.0:
            shares = np.asarray(amounts) ** power
            amounts = (sum(amounts) * shares / shares.sum()).tolist()
        return amounts

    @staticmethod
    def _split_classes(source, indices, classes):
        """[(members, share of the source's draws)], one entry per class; one entry in all without balancing."""
        if classes is None:
            return [(indices, 1.0)]
        counts = Counter(classes)
        powered = {name: count ** (1.0 - source.balance_power) for name, count in counts.items()}
        total = sum(powered.values())
        classes = np.asarray(classes)
        return [(indices[classes == name], powered[name] / total) for name in sorted(counts)]

    def _retime(self, targets, batch, shifts):
        """Makes labels with times, int32 (rows, pairs, 2), follow the augmentation of their rows."""
        shifts = np.zeros(len(targets)) if shifts is None else shifts
        for row in np.flatnonzero((batch.silences > 0) | (shifts != 0)):
            pairs = retime(targets[row][targets[row, :, 0] > 0], self.examples.seconds[batch.indices[row]],
                           batch.speeds[row], batch.silences[row], shifts[row])
            targets[row] = np.pad(pairs, ((0, len(targets[row]) - len(pairs)), (0, 0)))

    def _longest_labels(self, name, fastest):
        lengths = self.examples.label_lengths(name)
        if self.examples.heads[name].target_shape == TIMED:
            lengths = lengths + ADDED_PAIRS
        shortest = self.examples.seconds / fastest
        longest = [lengths[shortest <= edge].max(initial=1) for edge in self._edges]
        return np.ceil(np.asarray(longest) / LABEL_MULTIPLE).astype(int) * LABEL_MULTIPLE

    def _make_epoch(self, number):
        amounts, parts = [self._amounts(epoch) for epoch in range(number + 1)], []
        for members, share, (place, kind) in self._draws:
            taken = [amount[place] * share for amount in amounts]
            parts.append(self._draw(members, math.fsum(taken[:-1]), math.fsum(taken), place, kind))
        drawn = np.concatenate(parts)
        waiting = tuple(name for name in self.examples.heads if self._first_epochs.get(name, 1) > number + 1)
        if waiting:  # what has labels for these alone waits, too
            labelled = {name: column[drawn] for name, column in self.examples.labelled.items()}
            now = [column for name, column in labelled.items() if name not in waiting]
            drawn = drawn[np.any([*now, ~np.any(list(labelled.values()), axis=0)], axis=0)]
        drawn = drawn[self._random(_ORDER, number).permutation(len(drawn))]
        speeds, shares = np.ones(len(drawn), np.float32), self._random(_CROP, number).random(len(drawn))
        silences = np.zeros(len(drawn), np.float32)
        if self._speed and self.augmented(number):
            random = self._random(_SPEED, number)
            chosen = random.random(len(drawn)) < self._speed.probability
            factors = random.uniform(self._speed.minimum, self._speed.maximum, len(drawn))
            if not self._crop:  # what is cropped has its length at every speed
                # Never so slow that the utterance outgrows the last bucket.
                factors = np.maximum(factors, self.examples.seconds[drawn] / self._edges[-1])
            speeds = np.where(chosen, factors, 1.0).astype(np.float32)
        if self._silence and self.augmented(number):
            random = self._random(_SILENCE, number)
            chosen = random.random(len(drawn)) < self._silence.probability
            silences = chosen * random.uniform(self._silence.minimum, self._silence.maximum, len(drawn))
        if not self.augmented(number):
            order = np.argsort(self.examples.seconds[drawn], kind="stable")
            return self._cut(drawn[order], speeds, silences, shares, self._random(_FILL, number), waiting)
        batches = self._cut(drawn, speeds, silences, shares, self._random(_FILL, number), waiting)
        return [batches[place] for place in self._random(_BATCHES, number).permutation(len(batches))]

    def _draw(self, members, start, stop, *key):
        """Items `start:stop` of an endless sequence of permutations of `members`, so that epochs that draw a fraction
        draw each member once before they draw any again."""
        first, last, size = int(start + 1e-9), int(stop + 1e-9), len(members)
        parts = []
        for lap in range(first // size, -(-last // size)):
            order = self._random(_DRAW, *key, lap).permutation(size)
            parts.append(members[order[max(first - lap * size, 0):last - lap * size]])
        return np.concatenate(parts) if parts else members[:0]

    def _crops(self, whole, speeds, shares):
        """`Batch.crops` of recordings of `whole` seconds; a share of 0 is their beginning, one of 1 their end."""
        crops = np.tile(np.int32([0, _ALL]), (len(whole), 1))
        if self._crop:
            heard = self._crop * speeds  # their speed hasn't been changed yet
            longer = whole > heard
            parts = np.stack([shares * (whole - heard), heard], axis=1) * self.sample_rate
            crops[longer] = parts[longer].round()
        return crops

    def _cut(self, indices, speeds, silences, shares, random, waiting=()):
        """Batches of the utterances, bucket by bucket, in the order given; `random` fills the last one of a bucket."""
        whole = self.examples.seconds[indices]
        crops = self._crops(whole, speeds, shares)
        seconds = np.minimum(whole / speeds, self._crop) if self._crop else whole / speeds
        silences = np.maximum(np.minimum(silences, self._edges[-1] - seconds), 0).astype(np.float32)
        seconds = seconds + silences
        buckets = np.minimum(np.searchsorted(self._edges, seconds - 1e-6), len(self._edges) - 1)
        batches = []
        for bucket in range(len(self._edges)):
            places = np.flatnonzero(buckets == bucket)
            size = self._batch_size(bucket)
            for start in range(0, len(places), size):
                chosen = places[start:start + size]
                weights = np.ones(size, np.float32)
                if len(chosen) < size and random is not None:
                    chosen = self._fill(chosen, places[:start], np.flatnonzero(buckets < bucket), size, random)
                if len(chosen) < size:
                    # Too few utterances: repeating one with weight 0 keeps the shape and changes no mean.
                    weights[len(chosen):] = 0.0
                    chosen = np.concatenate([chosen, np.repeat(chosen[:1], size - len(chosen))])
                batches.append(Batch(indices[chosen], weights, speeds[chosen], silences[chosen], crops[chosen],
                                     self._num_samples(bucket), bucket, waiting))
        return batches

    @staticmethod
    def _fill(chosen, same, shorter, size, random):
        """More rows for a last batch: other utterances of the bucket, then of shorter ones, none twice."""
        for pool in (same, shorter):
            missing = min(size - len(chosen), len(pool))
            chosen = np.concatenate([chosen, random.choice(pool, missing, replace=False)]) if missing else chosen
        return chosen
