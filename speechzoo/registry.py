"""The zoo: models by name, by file and by folder, with what is known of each."""

import dataclasses
import fnmatch
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import yaml

from speechzoo import hub
from speechzoo.config import (ConfigError, HeadConfig, PartConfig, ZooConfig, flatten_options, from_dict,
                              list_configs, load_config, merge, nearest)
from speechzoo.files import write_atomically
from speechzoo.metrics.classification import WEAK_RECALL
from speechzoo.origin import ORIGIN, Origin, origin_folder, read_origin
from speechzoo.text.units import NOTHING_CLASSES

# Files of a checkpoint in `speechzoo/checkpoints/<model>/`, and of a folder that `save` writes.
WEIGHTS, METRICS, CARD, CONFIG = "model.weights.h5", "metrics.json", "card.md", "config.yaml"
# Weights of a training run, from the best to load on.
RUN_WEIGHTS = ("final.weights.h5", "best.weights.h5")
# What else a training run has in its folder, from its first step on.
_OF_RUNS = ("checkpoint.h5", "labels.json", "log.jsonl")


@dataclass
class ModelSummary:
    """An entry of the zoo's index: what is known of a model without building it, from its config and its checkpoint.

    Attributes:
        name: Name for `speechzoo.load`.
        summary: One line that says what the model is for.
        backbone: Type of its backbone.
        heads: Names of its heads; of trained ones, those that answer.
        streaming: Whether it answers step by step while audio comes in.
        pretrained: Whether it comes with trained weights. What follows but `corpora` is unknown without them.
        licence: SPDX identifier of the weights' licence.
        derived_from: Published weights that these began from: `name`, `licence`, `copyright` and `sha256` of each.
        size_bytes: Bytes of the weights file.
        parameters: Number of weights.
        macs_per_second: Multiply-accumulates for one second of audio.
        corpora: Corpora that it was trained on, or that its config names for it.
        figures: Head -> {metric: value}: the main metric of each on speakers held out of training. Where one corpus
            alone has labels of its own for a head, and others only default ones (speech, which is no sound event), it
            is that corpus's figure: the others would hide it.
        weak: Head -> classes of which it gets under half right, and which it doesn't answer; heads without such classes
            are left out.
        wake_words: Word -> the mean posterior that wakes, as it was measured; None for one that is not offered for
            waking.
    """

    name: str
    summary: str
    backbone: str
    heads: list[str]
    streaming: bool
    pretrained: bool
    licence: str
    derived_from: list[dict]
    size_bytes: int | None
    parameters: int | None
    macs_per_second: float | None
    corpora: list[str]
    figures: dict[str, dict[str, float]]
    weak: dict[str, list[str]]
    wake_words: dict[str, float | None]


@dataclass
class ModelDescription(ModelSummary):
    """A `ModelSummary` with what takes building the model, and with the whole of its config, figures and card.

    Attributes:
        config: Its config.
        labels: Head -> what stands for each number of its output: classes, units, `slot=value`; nothing for embeddings.
        hard_parameters: Number of weights if all heads shared one backbone.
        hard_macs_per_second: Multiply-accumulates for one second if all heads shared one backbone.
        metrics: `metrics.json` of its checkpoint; None when it has none.
        card: Its model card (Markdown); None when it has none.
    """

    config: ZooConfig
    labels: dict[str, list[str]]
    hard_parameters: int
    hard_macs_per_second: float
    metrics: dict | None
    card: str | None


def list_models(pattern: str = "*", head: str | None = None, pretrained: bool | None = None) -> list[str]:
    """Names of the zoo's models.

    Args:
        pattern: Shell-style pattern, such as `mtl_*_small`.
        head: Only models that have this head.
        pretrained: Only models with trained weights (True), or only recipes without (False).

    Example:
        >>> list_models("mtl_ds_*", head="keyword", pretrained=True)
        ['mtl_ds_cnn_micro']
    """
    return [name for name in fnmatch.filter(list_configs(), pattern)
            if pretrained in (None, (_checkpoint_folder(name) / WEIGHTS).is_file())
            and (head is None or head in load_config(name).heads)]


def load(name: str | Path, weights: str | Path | None = "pretrained", heads: list[str] | dict | None = None,
         **overrides):
    """A model of the zoo, of a config file, of a training run, or one that `save` wrote.

    Args:
        name: Name of a zoo model (`mtl_conformer_small`), path of a YAML config, folder of a training run or of
            `save`, or `hf://owner/name` of such a folder on the hub (`hf://owner/name@REVISION` of one state of it).
        weights: "pretrained" for the weights of the zoo model or in the folder, or of a config that names some for its
            backbone (`backbone.weights`) those; None for random weights, or whatever `find_weights` takes.
        heads: Names of the heads to build; all when None. Or name -> config of a head, where heads may be new: what
            the weights don't have for them starts at random, and is in the model's `new_weights`. Such a config
            changes that of the head of this name, if there is one: `{}` leaves it as it is.
        **overrides: Changes to the config, nested as it is: `backbone={"dropout": 0.2}, training={"epochs": 3}`.

    Returns:
        A `MultiTaskModel`.

    Raises:
        ConfigError: No such model, or a head or key that it doesn't have; the message names the nearest.
        ValueError: The weights don't fit, are damaged, or there are none.
        ModuleNotFoundError: The hub's package isn't installed.
        OSError: The hub can't be reached, or has no such model.

    Example:
        >>> model = load("mtl_ds_cnn_micro", heads={"mood": {"type": "classifier", "classes": ["calm", "angry"]},
        ...                                         "keyword": {}})
        >>> list(model.heads), model.new_weights[-2:]
        (['mood', 'keyword'], ['mood/logits/kernel', 'mood/logits/bias'])
    """
    from speechzoo.multitask.build import build_model
    from speechzoo.trained import assign_backbone, assign_trained

    if hub.is_on_hub(name):
        name = _download(str(name))
    folder = Path(name)
    config = read_config(name, overrides)
    backbone_alone = weights == "pretrained" and config.backbone.weights is not None
    if backbone_alone:
        weights = config.backbone.weights
    elif weights == "pretrained":
        if folder.suffix in (".yaml", ".yml"):
            raise ConfigError(f"{name}: a config file has no pretrained weights; give weights=None, the name of a zoo "
                              "model, or a weights file, or name those of its backbone in it (backbone.weights)")
        weights = folder if folder.is_dir() else config.name
    source = None if weights is None else find_weights(weights)
    origin = Origin() if source is None else _origin(source)
    new_heads = heads if isinstance(heads, dict) else {}
    trained = config
    if new_heads:
        config = _with_heads(config, new_heads)
    model = build_model(config, heads and list(heads))
    model.origin = origin
    if backbone_alone:
        model.new_weights = assign_backbone(model, source).missing
    elif source is not None:
        model.new_weights = assign_trained(model, source, trained, new_heads)
    return model


def read_config(name: str | Path, overrides: dict | None = None) -> ZooConfig:
    """The config of what `load` takes, without building anything; `overrides` as there, in one dict.

    Raises:
        ConfigError: No such model, or a key that it doesn't have.
    """
    folder = _download(str(name)) if hub.is_on_hub(name) else Path(name)
    if folder.is_dir() and not (folder / CONFIG).is_file():
        raise ConfigError(f"{folder}: not a training run; expected {CONFIG} in it")
    return load_config(folder / CONFIG if folder.is_dir() else name, _flatten(overrides or {}))


def save(model, folder: str | Path):
    """Writes a model so that `speechzoo.load(folder)` gives it again: weights, config, and where the weights come from.

    Args:
        model: A model that `load` gave, trained or not.
        folder: Made when it isn't there; what an earlier `save` wrote is replaced.

    Raises:
        ValueError: The folder is that of a training run, the model wasn't made from a config, or it has some of the
            heads whose networks are mixed.
        OSError: The files can't be written.

    Example:
        model = speechzoo.load("mtl_ds_cnn_micro", heads={"mood": {"type": "classifier", "classes": ["calm", "angry"]}})
        model.fit(...)
        speechzoo.save(model, "models/mood")
    """
    from speechzoo.weights import save_weights

    folder = Path(folder)
    if model.zoo_config is None:
        raise ValueError(f"model '{model.name}' wasn't made from a config, so that nobody could build it again from "
                         "a folder; make it with speechzoo.load, or save its weights alone (speechzoo.weights)")
    if model.sharing.mixes_tasks and set(model.heads) != set(model.sharing.tasks):
        raise ValueError(f"model '{model.name}': sharing '{model.zoo_config.sharing.type}' mixes the networks of all "
                         "heads, so that some of them can't be saved without the others; load it with "
                         f"heads={model.sharing.tasks}")
    if any((folder / name).exists() for name in (*RUN_WEIGHTS, *_OF_RUNS)):
        raise ValueError(f"{folder}: holds a training run; save to another folder")
    save_weights(model, folder / WEIGHTS)
    write_atomically(folder / CONFIG, yaml.safe_dump(model.zoo_config.to_dict(), sort_keys=False).encode())
    if model.origin.licence:
        write_atomically(folder / ORIGIN, json.dumps(dataclasses.asdict(model.origin), indent=1).encode())
    else:
        (folder / ORIGIN).unlink(missing_ok=True)


def find_weights(source: str | Path) -> Path:
    """The weights file that people mean.

    Args:
        source: A weights file, the folder of a training run or of `save`, the name of a zoo model, or `hf://owner/name`
            of such a folder on the hub.

    Raises:
        FileNotFoundError: Nothing of the kind.
        ValueError: A run or a zoo model without weights, or damaged ones.
        ModuleNotFoundError: The hub's package isn't installed.
        OSError: The hub can't be reached, or has no such model.
    """
    path = _download(str(source)) if hub.is_on_hub(source) else Path(source)
    if path.is_dir():
        return _folder_weights(path)
    if str(source) in list_configs():  # before files: one may be called as a model is
        return checkpoint_weights(str(source))
    if path.is_file():
        return path
    raise FileNotFoundError(f"{source}: no such weights file, folder of a run, or model of the zoo; "
                            f"{nearest(str(source), list_models(pretrained=True))}")


def checkpoint_weights(name: str) -> Path:
    """The packaged weights of a zoo model, after checking them.

    Raises:
        ValueError: The model has no checkpoint, or its file is damaged.
    """
    from speechzoo.weights import sha256_of

    folder = _checkpoint_folder(name)
    if not (folder / WEIGHTS).is_file():
        trained = list_models(pretrained=True)
        raise ValueError(f"'{name}' has no pretrained weights; load it with weights=None and train it, or use one of: "
                         f"{', '.join(trained) or 'none yet'}")
    metrics = read_metrics(name) or {}
    expected = metrics.get("weights", {}).get("sha256", "")
    if sha256_of(folder / WEIGHTS) != expected:
        raise ValueError(f"{folder / WEIGHTS}: damaged (its SHA-256 is not {expected[:12]}...); reinstall speechzoo")
    return folder / WEIGHTS


def summarize(name: str) -> ModelSummary:
    """The index entry of a zoo model, from its config and its checkpoint: nothing is built.

    Raises:
        ConfigError: No such model.
    """
    config = load_config(name)
    metrics, weights = read_metrics(config.name), _checkpoint_folder(config.name) / WEIGHTS
    pretrained = metrics is not None and weights.is_file()
    known = metrics if pretrained else {}
    sources = known.get("training", {}).get("data") or [dataclasses.asdict(source) for source in config.data.train]
    results = known.get("results", {})
    weak = {head: weak for head, scores in results.get("overall", {}).items() if (weak := weak_classes_of(scores))}
    figures = {head: main_figure(results[_main_scope(config, head, results)][head])
               for head in results.get("overall", {})}
    return ModelSummary(
        name=config.name, summary=config.summary, backbone=config.backbone.type,
        # What only teaches in training is in the config, too, and answers nothing.
        heads=[head for head in config.heads if not pretrained or head in figures],
        streaming=bool(config.backbone.options.get("causal", False)), pretrained=pretrained,
        licence=known.get("licence", ""), derived_from=known.get("derived_from", []),
        size_bytes=weights.stat().st_size if pretrained else None, parameters=known.get("parameters"),
        macs_per_second=known.get("macs_per_second"),
        corpora=list(dict.fromkeys(Path(source["manifest"]).parts[0] for source in sources)),
        figures=figures, weak=weak, wake_words=known.get("wake_words", {}))


def weak_classes_of(figures: dict) -> list[str]:
    """Classes of which a head gets under half right, from its figures in `metrics.json`; it doesn't answer them."""
    return [name for name, scores in figures.get("classes", {}).items()
            if scores["n"] and scores["recall"] < WEAK_RECALL and name not in NOTHING_CLASSES]


def describe(name: str) -> ModelDescription:
    """What is known of a zoo model: config, size, cost, training data and results.

    Raises:
        ConfigError: No such model.
    """
    from speechzoo.decoding.answers import answer_kind
    from speechzoo.multitask.build import build_model
    from speechzoo.multitask.macs import count_macs

    config = load_config(name)
    model = build_model(config)
    cost = hard_cost = model.count_params(), count_macs(model)
    if config.sharing.type != "hard":
        hard = build_model(dataclasses.replace(config, sharing=PartConfig("hard")))
        hard_cost = hard.count_params(), count_macs(hard)
    specs = {name: head.spec() for name, head in model.heads.items()}
    return ModelDescription(
        **vars(summarize(name)) | {"parameters": cost[0], "macs_per_second": cost[1]}, config=config,
        labels={head: answer_kind(spec).labels(spec) for head, spec in specs.items()},
        hard_parameters=hard_cost[0], hard_macs_per_second=hard_cost[1], metrics=read_metrics(config.name),
        card=find_card(config.name))


def _main_scope(config: ZooConfig, head: str, results: dict) -> str:
    """The corpus that alone has labels of its own for a head, or "overall"."""
    label = config.heads[head].label or head
    folders = {Path(source.manifest).parts[0] for source in config.data.dev if label not in source.default_labels}
    labelled = [corpus for corpus, heads in results.items() if head in heads
                and any(corpus == folder or corpus.startswith(f"{folder}_") for folder in folders)]
    return labelled[0] if len(labelled) == 1 else "overall"


def _download(source: str) -> Path:
    """The folder of a model on the hub, fetched."""
    return hub.download(source, lambda names: _saved_files(names, source)).folder


def _saved_files(names: list[str], source: str) -> list[str]:
    """Those files of a model on the hub that `save` writes."""
    files = [file for file in (CONFIG, WEIGHTS, ORIGIN) if file in names]
    if CONFIG not in files or WEIGHTS not in files:
        raise ValueError(f"{source}: no model that speechzoo.save wrote; one of others is read with speechzoo import "
                         f"{source} --out DIR")
    return files


def main_figure(figures: dict) -> dict[str, float]:
    """The first metric of a head in `metrics.json`, which is its main one."""
    return dict([(name, value) for name, value in figures.items() if isinstance(value, float)][:1])


def _with_heads(config: ZooConfig, heads: dict[str, dict]) -> ZooConfig:
    """The config with these heads instead of its own, each on top of its own of the same name."""
    for name, head in heads.items():
        if not isinstance(head, dict):
            raise ConfigError(f"heads.{name}: expected the config of a head, such as {{'type': 'classifier', "
                              f"'classes': [...]}}, or {{}} for the model's own, got {head!r}")
    own, heads = (flatten_options({"heads": values})["heads"] for values in (config.to_dict()["heads"], heads))
    merged = merge({name: head for name, head in own.items() if name in heads}, heads)
    return dataclasses.replace(config, heads={
        name: from_dict(HeadConfig, head, f"heads.{name}") for name, head in merged.items()})


def _checkpoint_folder(name: str) -> Path:
    return Path(str(resources.files("speechzoo") / "checkpoints" / name))


def find_card(source: str | Path) -> str | None:
    """The card (Markdown) of a zoo model, or in a folder of an import or of weights; None where there is none."""
    card = (Path(source) if Path(source).is_dir() else _checkpoint_folder(str(source))) / CARD
    return card.read_text(encoding="utf-8") if card.is_file() else None


def read_metrics(name: str) -> dict | None:
    """`metrics.json` of a zoo model; None where it has no checkpoint.

    Raises:
        ValueError: It is damaged.
    """
    path = _checkpoint_folder(name) / METRICS
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except ValueError:
        raise ValueError(f"{path}: damaged, not valid JSON; reinstall speechzoo") from None


def _origin(weights: str | Path) -> Origin:
    """The origin of a weights file; of a checkpoint's that derive from none, the licence that its metrics name."""
    folder = origin_folder(weights)
    origin = read_origin(folder)
    if not origin.licence and folder.resolve() == _checkpoint_folder(folder.resolve().name).resolve():
        origin.licence = (read_metrics(folder.resolve().name) or {}).get("licence", "")
    return origin


def _folder_weights(folder: Path) -> Path:
    for name in (*RUN_WEIGHTS, WEIGHTS):
        if (folder / name).is_file():
            return folder / name
    if not (folder / CONFIG).is_file():
        raise ValueError(f"{folder}: no weights in this folder; give that of a training run or of speechzoo.save")
    raise ValueError(f"{folder}: the run has no weights yet; let it reach its first evaluation")


def _flatten(overrides: dict, prefix: str = "") -> list[str]:
    """{"backbone": {"dropout": 0.2}} -> ["backbone.dropout=0.2"]."""
    lines = []
    for key, value in overrides.items():
        if isinstance(value, dict):
            lines += _flatten(value, f"{prefix}{key}.")
        else:
            text = yaml.safe_dump(value, default_flow_style=True).strip().removesuffix("...").strip()
            lines.append(f"{prefix}{key}={text}")
    return lines
