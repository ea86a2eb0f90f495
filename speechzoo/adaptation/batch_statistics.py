"""Statistics of normalisations, taken anew from recordings of another domain."""

from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
from keras import ops

from speechzoo.adaptation.recordings import batches_of, read_recordings
from speechzoo.multitask.resting import layers_of


@dataclass
class StatisticsReport:
    """What was taken anew.

    Attributes:
        layers: Names of the normalisations, in the order in which they run.
        seconds: Seconds of audio that they are from.
        prior_share: Weight of the old statistics, 0 to 1.
        skipped: "id: reason" of recordings that could not be used.
    """

    layers: list[str]
    seconds: float
    prior_share: float
    skipped: list[str] = field(default_factory=list)


def recompute_statistics(model: keras.Model, recordings: str | Path | list, prior_seconds: float = 0.0,
                         split: str | None = None, batch_seconds: float = 30.0) -> StatisticsReport:
    """AdaBN: the mean and variance of each normalisation become those of the recordings; no weight is trained.

    They are the stored statistics of the front end (`log_mel`, `normalization: stored`) and the running ones of all
    batch normalisations of the network. Each is computed over all frames of all recordings, in the order in which they
    run, on what those before it give with their new ones: so the answer doesn't depend on batches, and the recordings
    are heard once per normalisation. With few recordings the old statistics are worth something, and count as
    `prior_seconds` of audio: new = (prior x old + seconds x found) / (prior + seconds), means and variances alike. The
    model changes in place; save it with `speechzoo.save`.

    References: Li et al. 2016, https://arxiv.org/abs/1603.04779, algorithm 1; the prior: Schneider et al. 2020,
    https://arxiv.org/abs/2006.16971, section 2.

    Args:
        model: A MultiTaskModel.
        recordings: Folder, manifest, or paths, see `read_recordings`; labels aren't looked at.
        prior_seconds: What the old statistics count as, seconds of audio.
        split: Of a manifest, only the utterances of this split.
        batch_seconds: Seconds of audio that are computed at once.

    Raises:
        ManifestError: The manifest can't be read.
        ValueError: No recordings that can be used, a negative prior, or a model without such statistics.

    Example:
        recompute_statistics(model, "kitchen", prior_seconds=60)
        speechzoo.save(model, "models/kitchen")
    """
    if not prior_seconds >= 0:
        raise ValueError(f"prior_seconds {prior_seconds:g} must be 0 or more")
    frontend = model.frontend if model.frontend.needs_adaptation else None
    norms = [layer for layer in layers_of(model) if hasattr(layer, "observer") and layer.built]
    if not norms and frontend is None:
        raise ValueError(f"model '{model.name}' keeps no statistics: neither batch normalisations nor stored features; "
                         "use entropy minimisation (minimize_entropy), or train with a penalty")
    found, skipped = read_recordings(recordings, split), []

    def batches():
        return batches_of(found, model.frontend.sample_rate, model.minimum_samples, skipped, batch_seconds)

    seconds = sum(float(np.sum(lengths)) for _, lengths in batches()) / model.frontend.sample_rate
    if not seconds:
        raise ValueError(f"{recordings}: no recording that can be used" + (f"; {skipped[0]}" if skipped else ""))
    share = prior_seconds / (prior_seconds + seconds)
    changed = []
    if frontend is not None:
        old = [ops.convert_to_numpy(weight) for weight in (frontend.mean, frontend.variance)]
        frontend.adapt(batches())
        _mix((frontend.mean, frontend.variance), old, [ops.convert_to_numpy(weight) for weight in
                                                       (frontend.mean, frontend.variance)], share)
        changed.append(frontend.name)
    for norm in _in_order(model, norms, next(iter(batches()))):
        moments = _Moments(norm)
        norm.observer = moments
        try:
            for batch in batches():
                _run(model, batch)
        finally:
            norm.observer = None
        weights = (norm.moving_mean, norm.moving_variance)
        _mix(weights, [ops.convert_to_numpy(weight) for weight in weights], moments.result(), share)
        changed.append(norm.moving_mean.path.rpartition("/")[0])
    return StatisticsReport(changed, seconds, share, skipped)


class _Moments:
    """Mean and variance of all that a normalisation gets, joined batch by batch (Chan et al. 1979, equation 1.5)."""

    def __init__(self, norm):
        self.norm = norm
        self.count, self.mean, self.squares = 0.0, 0.0, 0.0

    def __call__(self, inputs, valid):
        """Counts one batch: inputs and mask as the normalisation gets them."""
        inputs = ops.cast(inputs, "float32")
        valid = None if valid is None else ops.cast(valid, "float32")
        moments = self.norm.moments(inputs, valid)
        mean, variance = (ops.convert_to_numpy(moment).astype(np.float64) for moment in moments)
        # Frames, and not positions: bins are as many in each.
        count = float(np.prod(inputs.shape[:2]) if valid is None else ops.sum(valid))
        total, difference = self.count + count, mean - self.mean
        self.mean = self.mean + difference * count / total
        self.squares = self.squares + variance * count + difference ** 2 * self.count * count / total
        self.count = total

    def result(self):
        return [self.mean, self.squares / self.count]


def _run(model, batch):
    """The whole model on a batch, eagerly, as it runs after training."""
    features, lengths = model.frontend(*map(ops.convert_to_tensor, batch), training=False)
    frames, lengths = model.sharing(features, lengths, model.blocks, training=False)
    for name, head in model.heads.items():
        head(frames[name], lengths, training=False)


def _in_order(model, norms, batch):
    """Those of the normalisations that run, in the order in which they do."""
    order = []
    for norm in norms:
        norm.observer = lambda inputs, valid, norm=norm: order.append(norm)
    try:
        _run(model, batch)
    finally:
        for norm in norms:
            norm.observer = None
    return list({id(norm): norm for norm in order}.values())


def _mix(weights, old, new, share):
    for weight, before, after in zip(weights, old, new):
        weight.assign((share * before + (1.0 - share) * after).astype(np.float32))
