"""The zoo: models by name, with their configs, checkpoints and published figures."""

import dataclasses
import fnmatch
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import yaml

from speechzoo.config import ConfigError, PartConfig, ZooConfig, list_configs, load_config
from speechzoo.origin import Origin, origin_folder, read_origin

# Files of a checkpoint in `speechzoo/checkpoints/<model>/`.
WEIGHTS, METRICS, CARD = "model.weights.h5", "metrics.json", "card.md"


@dataclass
class ModelDescription:
    """What is known of a model without running it.

    Attributes:
        config: Its config.
        parameters: Number of weights.
        macs_per_second: Multiply-accumulates for one second of audio.
        hard_parameters: Number of weights if all heads shared one backbone.
        hard_macs_per_second: Multiply-accumulates for one second if all heads shared one backbone.
        metrics: `metrics.json` of its checkpoint; None when it has none.
        card: Its model card (Markdown); None when it has none.
    """

    config: ZooConfig
    parameters: int
    macs_per_second: float
    hard_parameters: int
    hard_macs_per_second: float
    metrics: dict | None
    card: str | None


def list_models(pattern: str = "*", head: str | None = None) -> list[str]:
    """Names of the zoo's models.

    Args:
        pattern: Shell-style pattern, such as `mtl_*_small`.
        head: Only models that have this head.

    Example:
        >>> "mtl_ds_cnn_micro" in list_models("mtl_*", head="keyword")
        True
    """
    names = fnmatch.filter(list_configs(), pattern)
    return [name for name in names if head is None or head in load_config(name).heads]


def load(name: str | Path, weights: str | Path | None = "pretrained", heads: list[str] | None = None, **overrides):
    """A model of the zoo, of a config file or of a training run.

    Args:
        name: Name of a zoo model (`mtl_conformer_small`), path of a YAML config, or folder of a training run.
        weights: "pretrained" for the checkpoint of the zoo or of the run, None for random weights, or a weights file.
        heads: Heads to build; all when None.
        **overrides: Changes to the config, nested as it is: `backbone={"dropout": 0.2}, training={"epochs": 3}`.

    Returns:
        A `MultiTaskModel`.

    Raises:
        ConfigError: No such model, or a head or key that it doesn't have; the message names the nearest.
        ValueError: The weights don't fit, are damaged, or there are none.

    Example:
        >>> model = load("mtl_ds_cnn_micro", weights=None, heads=["keyword"])
        >>> list(model.heads)
        ['keyword']
    """
    from speechzoo.multitask.build import build_model
    from speechzoo.weights import load_weights

    folder = Path(name)
    is_run = folder.is_dir() and (folder / "config.yaml").is_file()
    if folder.is_dir() and not is_run:
        raise ConfigError(f"{folder}: not a training run; expected config.yaml in it")
    config = load_config(folder / "config.yaml" if is_run else name, _flatten(overrides))
    source = _run_weights(folder) if weights == "pretrained" and is_run else weights
    if weights == "pretrained" and not is_run:
        if folder.suffix in (".yaml", ".yml"):
            raise ConfigError(f"{name}: a config file has no pretrained weights; give weights=None or a weights file")
        source = checkpoint_weights(config.name)
    model = build_model(config, heads)
    if source is not None:
        report = load_weights(model, source, strict=False)
        # What is left over belongs to heads that were not asked for, or to training (speaker prototypes); a weighting
        # that the file doesn't know starts anew, and units without a measured prior are decoded without.
        lacking = [path for path in report.missing + report.mismatched
                   if not path.startswith("weighting/") and not path.endswith("/log_prior")]
        if lacking:
            raise ValueError(f"{source}: {len(lacking)} weights of the model are not in it, such as {lacking[0]}; "
                             "load with weights=None and use speechzoo.weights.load_weights(model, path, strict=False) "
                             "to start from what fits")
        model.origin = _origin(source)
    return model


def checkpoint_weights(name: str) -> Path:
    """The packaged weights of a zoo model, after checking them.

    Raises:
        ValueError: The model has no checkpoint, or its file is damaged.
    """
    from speechzoo.weights import sha256_of

    folder = _checkpoint_folder(name)
    if not (folder / WEIGHTS).is_file():
        trained = [model for model in list_configs() if (_checkpoint_folder(model) / WEIGHTS).is_file()]
        raise ValueError(f"'{name}' has no pretrained weights; load it with weights=None and train it, or use one of: "
                         f"{', '.join(trained) or 'none yet'}")
    metrics = _metrics(name) or {}
    expected = metrics.get("weights", {}).get("sha256", "")
    if sha256_of(folder / WEIGHTS) != expected:
        raise ValueError(f"{folder / WEIGHTS}: damaged (its SHA-256 is not {expected[:12]}...); reinstall speechzoo")
    return folder / WEIGHTS


def describe(name: str) -> ModelDescription:
    """What is known of a zoo model: config, size, cost, training data and results.

    Raises:
        ConfigError: No such model.
    """
    from speechzoo.multitask.build import build_model
    from speechzoo.multitask.macs import count_macs

    config = load_config(name)
    model = build_model(config)
    cost = hard_cost = model.count_params(), count_macs(model)
    if config.sharing.type != "hard":
        hard = build_model(dataclasses.replace(config, sharing=PartConfig("hard")))
        hard_cost = hard.count_params(), count_macs(hard)
    card = _checkpoint_folder(config.name) / CARD
    return ModelDescription(config, *cost, *hard_cost, _metrics(config.name),
                            card.read_text(encoding="utf-8") if card.is_file() else None)


def _checkpoint_folder(name: str) -> Path:
    return Path(str(resources.files("speechzoo") / "checkpoints" / name))


def _metrics(name: str) -> dict | None:
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
        origin.licence = (_metrics(folder.resolve().name) or {}).get("licence", "")
    return origin


def _run_weights(folder: Path) -> Path:
    for name in ("final.weights.h5", "best.weights.h5"):
        if (folder / name).is_file():
            return folder / name
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
