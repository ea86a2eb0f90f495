"""Which heads of a config belong together, measured in a brief training."""

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from speechzoo.config import ConfigError, PartConfig, ZooConfig, load_config
from speechzoo.files import write_atomically
from speechzoo.multitask.relatedness import Grouping, linear_cka, propose_groups
from speechzoo.training.prepare import prepare_run
from speechzoo.training.step import make_train_step

# Utterances that representations are compared on, several times as many as a small backbone has channels.
COMPARED_UTTERANCES = 512


@dataclass
class Relatedness:
    """How the heads of a model affect each other; matrices are (heads, heads) nested lists, None where unknown.

    Attributes:
        heads: Names, in the order of rows and columns.
        affinity: Mean over the run of `lookahead_affinities`: what a step on the row's head does for the column's.
        cosine: Mean over the run of the cosines of their gradients of what they share.
        similarity: Linear CKA of networks that learnt one head each, at the deepest block that both heads hear; None
            when that was not asked for.
        history: {"step", "affinity", "cosine"} of each measurement.
        grouping: The networks proposed.
        shared_size: Parameters of a network besides its heads.
        head_sizes: Head -> its parameters.
    """

    heads: list[str]
    affinity: list
    cosine: list
    similarity: list | None
    grouping: Grouping
    shared_size: int
    head_sizes: dict[str, int]
    history: list[dict] = field(default_factory=list)

    def write(self, path: str | Path):
        """Writes everything as JSON."""
        write_atomically(path, (json.dumps(dataclasses.asdict(self), indent=1) + "\n").encode())


def relate(config: ZooConfig | str | Path, steps: int = 200, overrides: Iterable[str] = (), networks: int = 2,
           budget: int | None = None, measure_every: int = 10, rate: float | None = None,
           alone_steps: int | None = None, on_progress: Callable[[str, int, int], None] | None = None) -> Relatedness:
    """Trains all heads of a config together for some steps, measures how they affect each other, and groups them.

    Nothing is kept of the training. All heads join at once, share one network, and utterances come in random order,
    whatever the config says of curricula, sharing and fine-tuning.

    Args:
        config: A ZooConfig, the name of a zoo model, or the path of a YAML file.
        steps: Training steps.
        overrides: `key=value` changes to a config given by name or path.
        networks: Most networks that the heads may be grouped into.
        budget: Most parameters of these networks together; None for any number.
        measure_every: Steps between two measurements; each takes a backward pass a head and as many forward passes.
        rate: Learning rate of the step that affinities look ahead; `training.learning_rate` when None.
        alone_steps: Training steps of each head's own network, whose representations are compared; as `steps` when
            None, 0 leaves the comparison out.
        on_progress: Called with what is trained ("together" or a head), the step and the number of steps.

    Raises:
        ConfigError, ManifestError: Something in the config or the data can't be used.
        ValueError: Fewer than two heads, more than twelve, numbers that mean nothing, a budget too small, or a backend
            without gradients of single heads.
    """
    # It needs TensorFlow, which this module does without otherwise.
    from speechzoo.training.probe import Probe

    if not isinstance(config, ZooConfig):
        config = load_config(config, overrides)
    if steps < 1 or measure_every < 1 or (alone_steps or 0) < 0:
        raise ValueError("relate needs steps and measure_every of 1 or more, and alone_steps of 0 or more; got "
                         f"{steps}, {measure_every} and {alone_steps}")
    config = _without_curricula(config)
    model, data = _prepare(config, steps)
    heads = list(model.head_losses)
    if len(heads) < 2:
        raise ConfigError(f"model '{config.name}' has one head only, '{heads[0]}': there is nothing to relate it to")
    shared_size = model.frontend.count_params() + model.backbone.count_params()
    head_sizes = {name: model.heads[name].count_params() for name in heads}

    def group(affinity):
        return propose_groups(affinity, heads, networks, shared_size, head_sizes, budget)

    group(np.zeros((len(heads), len(heads))))  # what can't be grouped is said before the training, not after
    probe = Probe(model, config.training.learning_rate if rate is None else rate)
    measured = []
    for step, window in _train(model, data, steps, measure_every, "together", on_progress):
        measured.append((step, *probe.measure(window)))
    affinity, cosine = (_mean([values[kind] for values in measured]) for kind in (1, 2))
    similarity = None
    if alone_steps != 0:
        similarity = _compare(config, model, data, alone_steps or steps, on_progress)
    return Relatedness(heads, _plain(affinity), _plain(cosine), None if similarity is None else _plain(similarity),
                       group(affinity), shared_size, head_sizes,
                       [{"step": step, "affinity": _plain(one), "cosine": _plain(two)} for step, one, two in measured])


def represent(model: keras.Model, batches: Iterable) -> list[np.ndarray]:
    """What each block of the backbone makes of utterances: the mean over their frames.

    Args:
        model: A MultiTaskModel.
        batches: `({"audio", "audio_length"}, ...)`.

    Returns:
        float32 (utterances, channels), one array a block.
    """
    found = []
    for inputs, *_ in batches:
        features, lengths = model.frontend(inputs["audio"], inputs["audio_length"], training=False)
        blocks, lengths = model.backbone(features, lengths, training=False)
        frames = np.maximum(keras.ops.convert_to_numpy(lengths), 1)[:, None]
        found.append([keras.ops.convert_to_numpy(block).sum(axis=1) / frames for block in blocks])  # padding is zero
    return [np.concatenate(parts) for parts in zip(*found)]


def _without_curricula(config):
    """Random order, all heads from the start in one network, and nothing that only a longer training needs."""
    heads = {name: dataclasses.replace(head, first_epoch=1) for name, head in config.heads.items()}
    # One epoch is looked at ahead of time; the steps may take more or fewer.
    training = dataclasses.replace(config.training, sort_first_epoch=False, epochs=1, ema_momentum=0.0, freeze=[],
                                   rates={}, cache_features=False, penalties=[], precision="float32")
    return dataclasses.replace(config, heads=heads, sharing=PartConfig("hard"), training=training,
                               backbone=dataclasses.replace(config.backbone, freeze=False),
                               data=dataclasses.replace(config.data, dev=[]))


def _prepare(config, steps):
    run = prepare_run(config, steps=steps)
    run.adapt_frontend()
    return run.model, run.data


def _train(model, data, steps, measure_every, name, on_progress):
    """Trains; yields the step and the batches since the last time, before each step that is measured."""
    epochs = (data.training_batches(epoch, 0) for epoch in itertools.count())
    take_step, window = make_train_step(model), []
    for step, batch in enumerate(itertools.islice(itertools.chain.from_iterable(epochs), steps), 1):
        window.append(batch)
        if step % measure_every == 0 or step == steps:
            yield step, window
            window = []
        take_step(*batch)
        if on_progress:
            on_progress(name, step, steps)


def _compare(config, model, data, steps, on_progress):
    """CKA of each two heads' own networks: NaN for heads without labels."""
    utterances, enough = [], 0
    for batch in data.training_batches(0, 0):
        utterances.append(batch)
        enough += len(batch[0]["audio_length"])
        if enough >= COMPARED_UTTERANCES:
            break
    heads, views = list(model.head_losses), {}
    for name in heads:
        if data.plan.examples.labelled[name].any():
            alone, own = _prepare(dataclasses.replace(config, heads={name: config.heads[name]}), steps)
            for _ in _train(alone, own, steps, 1, name, on_progress):
                pass
            views[name] = represent(alone, utterances)
    result = np.full((len(heads), len(heads)), np.nan)
    for row, one in enumerate(heads):
        for column, other in enumerate(heads):
            if one in views and other in views:
                block = min(model.blocks[one], model.blocks[other]) - 1
                result[row, column] = linear_cka(views[one][block], views[other][block])
    return result


def _mean(matrices):
    """Mean over measurements, of those that know a value."""
    matrices = np.asarray(matrices)
    known = np.isfinite(matrices)
    counts = known.sum(axis=0)
    return np.where(counts > 0, np.where(known, matrices, 0.0).sum(axis=0) / np.maximum(counts, 1), np.nan)


def _plain(matrix):
    """Nested lists without NaN, which JSON doesn't have."""
    return [[float(value) if np.isfinite(value) else None for value in row] for row in matrix]
