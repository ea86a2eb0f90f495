"""Words of one's own from a few recordings, with what a run has learnt about learning them."""

from pathlib import Path

import numpy as np
from keras import ops

from speechzoo.meta.building import assemble, block_of, build_method
from speechzoo.meta.features import compute_features, read_all_audio
from speechzoo.meta.methods import METHODS
from speechzoo.meta.recordings import read_named
from speechzoo.meta.running import read_learnt, read_run
from speechzoo.meta.settings import MetaSettings
from speechzoo.registry import load, save


def learn_words(run: str | Path, words: str | Path, out: str | Path):
    """A model that knows words from a few recordings of each.

    What is less sure than the run's threshold is answered by None: in the run, 5 % of recordings of other words and of
    silence were surer, among the classes that it was taught with.

    Args:
        run: Folder of `meta_train`.
        words: Manifest, prepared folder, or folder with one folder per word.
        out: Folder to save the model in.

    Returns:
        The `MultiTaskModel`, with the base's heads where their backbone is what it was, and the run's.

    Raises:
        CorpusError, ManifestError: The recordings can't be read.
        ValueError: No finished run, fewer than two words, or more than a run of MAML's kind was taught with.
    """
    settings, learnt = read_run(run), read_learnt(run)
    # Labels that begin with an underscore, such as _unknown_, are no words.
    utterances = [utterance for utterance in read_named(words, settings.label)
                  if utterance[settings.label][0] != "_"]
    names = sorted({utterance[settings.label] for utterance in utterances})
    if len(names) < 2:
        raise ValueError(f"{words}: {len(names)} words; two or more can be told apart")
    model = load(settings.model)
    block = block_of(settings, model)
    if settings.train_backbone:
        features, readable = read_all_audio(model, utterances)
    else:
        features, readable = compute_features(model, block, utterances, None)
    targets = np.array([names.index(utterance[settings.label]) for utterance in utterances], np.int32)
    lost = [name for number, name in enumerate(names) if not readable[targets == number].any()]
    if lost:
        raise ValueError(f"{words}: no recording of {lost[0]} can be read")
    method = build_method(settings, model, ways_of(settings, names), (learnt["mean"], learnt["deviation"]))
    chosen = np.flatnonzero(readable)
    support = features.pooled[block][chosen] if method.reads_pooled else features.inputs(chosen)
    values = [learnt[f"value_{number}"] for number in range(len(method.variables))]
    if not method.trained:
        values = [variable.value for variable in method.variables]
    values = [ops.convert_to_tensor(value) for value in values]
    weights = method.learnt(values, {"support": support, "support_targets": targets[chosen]})
    layer = method.head.logits
    for path in (layer.kernel.path, layer.bias.path):
        weights[path] = weights[path] / float(learnt["temperature"])
        if settings.method != "relation":
            weights[path] = weights[path][..., :len(names)]
    if not np.isnan(learnt["threshold"]) and method.head.threshold is not None:
        weights[method.head.threshold.path] = learnt["threshold"]
    taught = assemble(settings, names, weights)
    save(taught, out)
    return taught


def ways_of(settings: MetaSettings, names: list[str]) -> int:
    """Outputs of the network that learns: those of the run where its start has so many, or one per word.

    Raises:
        ValueError: More words than the start has outputs.
    """
    kind = METHODS[settings.method]
    if kind.output == "embedding" or not kind.trained:
        return len(names)
    if len(names) > settings.ways:
        raise ValueError(f"{len(names)} words, and the run was taught to learn {settings.ways} at a time; teach one "
                         f"with --ways {len(names)}, or use the method prototypical, which takes any number")
    return settings.ways
