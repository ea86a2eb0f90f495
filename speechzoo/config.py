"""Zoo configs: one YAML file a model, read into typed dataclasses.

A key that a dataclass doesn't have is an error that names the nearest one. The options of a front end, backbone or head
are the arguments of its constructor and are checked against them when the model is built (`check_options`).
"""

import dataclasses
import difflib
import inspect
import math
import re
import types
import typing
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import yaml

# What PyYAML raises: its constructors also let out ValueError (the date 2001-99-99), KeyError (`!!bool x`) and others.
_NOT_YAML = (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, RecursionError)
# YAML 1.1 reads 1e-3, without a point, as text.
_EXPONENT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+")


class ConfigError(ValueError):
    """A config that can't be used; the message names the file, the key and the remedy."""


@dataclass
class PartConfig:
    """A registered front end, backbone, weighting or optimiser: its name and its constructor's arguments."""

    type: str
    options: dict = field(default_factory=dict)


@dataclass
class HeadConfig:
    """A head: its registered type, where it listens, what it learns from and its constructor's arguments.

    Attributes:
        type: Name in `speechzoo.heads.HEADS`.
        label: Utterance field that holds its label; the head's own name when absent.
        block: Backbone block (1-based) whose frames it reads; the last when absent.
        loss_weight: Factor of its loss in the total.
        options: Arguments of the head's constructor.
    """

    type: str
    label: str | None = None
    block: int | None = None
    loss_weight: float = 1.0
    options: dict = field(default_factory=dict)


@dataclass
class SourceConfig:
    """One manifest that training or evaluation reads.

    Attributes:
        manifest: Path of the JSONL file, relative to `data.root`.
        split: Keep only utterances of this split; all when absent.
        repeat: Passes over the source in one epoch; 0.5 takes another random half each epoch.
        balance: Label whose classes are drawn evenly (`balance_power` 1) or in between (0 leaves them as they are).
        balance_power: Exponent of the balancing, 0 to 1.
        labels: Labels to use of this source; all when absent.
    """

    manifest: str
    split: str | None = None
    repeat: float = 1.0
    balance: str | None = None
    balance_power: float = 1.0
    labels: list[str] | None = None


@dataclass
class RangeConfig:
    """An augmentation drawn uniformly between two bounds, with a probability."""

    probability: float = 0.0
    minimum: float = 0.0
    maximum: float = 0.0


@dataclass
class AugmentConfig:
    """Waveform augmentation of the training data. Everything is off by default.

    Attributes:
        speed: Factor of the playing speed (pitch and tempo together).
        gain: Level change, dB.
        noise: Signal-to-noise ratio, dB; the noises come from `noise_manifest`.
        noise_manifest: Manifest of noises, relative to `data.root`.
        reverberation: Reverberation time (RT60), seconds; rooms are simulated by the image method.
        shift: Time shift, seconds; what leaves at one end is dropped, the other end is silent.
        band_limit: Upper edge of the telephone or codec band, Hz.
        device: Unevenness of a loudspeaker's or microphone's response, dB; devices are simulated.
    """

    speed: RangeConfig = field(default_factory=RangeConfig)
    gain: RangeConfig = field(default_factory=RangeConfig)
    noise: RangeConfig = field(default_factory=RangeConfig)
    noise_manifest: str | None = None
    reverberation: RangeConfig = field(default_factory=RangeConfig)
    shift: RangeConfig = field(default_factory=RangeConfig)
    band_limit: RangeConfig = field(default_factory=RangeConfig)
    device: RangeConfig = field(default_factory=RangeConfig)


@dataclass
class DataConfig:
    """What a model is trained on and how batches are made.

    Attributes:
        root: Folder that manifests are relative to; the folder of the config when empty.
        train: Sources of training batches.
        dev: Sources that choose the best checkpoint.
        seconds_per_batch: Budget of padded audio in one batch, seconds.
        bucket_seconds: Upper edges of the length buckets, seconds; the last is the longest utterance kept.
        minimum_seconds: Shorter utterances are left out.
        augment: Waveform augmentation of the training batches.
    """

    root: str = ""
    train: list[SourceConfig] = field(default_factory=list)
    dev: list[SourceConfig] = field(default_factory=list)
    seconds_per_batch: float = 96.0
    bucket_seconds: list[float] = field(default_factory=lambda: [1.05, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0])
    minimum_seconds: float = 0.2
    augment: AugmentConfig = field(default_factory=AugmentConfig)


@dataclass
class TrainingConfig:
    """How a model is trained.

    Attributes:
        epochs: Passes over the data.
        learning_rate: Peak of the schedule (linear warm-up, then cosine to zero).
        warmup_steps: Steps of the warm-up.
        weight_decay: AdamW's decoupled decay.
        gradient_clip_norm: Bound of the global gradient norm.
        ema_momentum: Momentum of the averaged weights that are evaluated and kept; 0 turns them off.
        average_checkpoints: How many of the last evaluated weights are averaged into the final ones.
        evaluate_every: Steps between evaluations on the dev sources.
        checkpoint_every: Steps between resumable checkpoints.
        early_stop_metric: Metric on dev, `head/metric` (such as `transcript/wer`) or `loss`, that must improve.
        early_stop_patience: Evaluations without improvement before training stops; 0 never stops early.
        sort_first_epoch: First epoch runs from short to long without augmentation, which gets CTC off its plateau.
        seed: Seed of weights, shuffling, augmentation and dropout.
    """

    epochs: int = 10
    learning_rate: float = 1e-3
    warmup_steps: int = 1000
    weight_decay: float = 1e-2
    gradient_clip_norm: float = 5.0
    ema_momentum: float = 0.0
    average_checkpoints: int = 1
    evaluate_every: int = 500
    checkpoint_every: int = 200
    early_stop_metric: str = "loss"
    early_stop_patience: int = 0
    sort_first_epoch: bool = True
    seed: int = 1


@dataclass
class ZooConfig:
    """One model of the zoo.

    Attributes:
        name: Name for `speechzoo.load`; the file's name without its ending.
        summary: One line that says what the model is for.
        frontend: Waveform -> features.
        backbone: Features -> frames.
        heads: Task name -> head, in the order of the outputs.
        weighting: How the heads' losses become one.
        data: Training data.
        training: Training settings.
        sample_rate: Hz.
    """

    name: str
    summary: str
    frontend: PartConfig
    backbone: PartConfig
    heads: dict[str, HeadConfig]
    weighting: PartConfig = field(default_factory=lambda: PartConfig("static"))
    data: DataConfig = field(default_factory=DataConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    sample_rate: int = 16000

    def select_heads(self, names: list[str]) -> dict[str, HeadConfig]:
        """Some of the heads, in the config's order.

        Raises:
            ConfigError: The config has no such head.
        """
        for name in names:
            if name not in self.heads:
                raise ConfigError(f"model '{self.name}' has no head '{name}'; {nearest(name, self.heads)}")
        return {name: head for name, head in self.heads.items() if name in names}

    def dev_sources(self, root: str | Path | None = None) -> list[SourceConfig]:
        """The dev sources with their manifests as paths under `root` (`data.root` when None)."""
        return [dataclasses.replace(source, manifest=str(Path(root or self.data.root) / source.manifest))
                for source in self.data.dev]

    def to_dict(self) -> dict:
        """The config as plain dicts and lists, as `from_dict` reads it."""
        return dataclasses.asdict(self)


def nearest(name: str, known) -> str:
    """A hint for an unknown name: the nearest known one, or all of them."""
    known = [str(item) for item in known]
    close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(sorted(known)) or 'none'}"


def register(table: dict, name: str):
    """A class decorator that enters the class in `table` under `name`."""

    def enter(cls):
        table[name] = cls
        return cls

    return enter


def create(table: dict, kind: str, part: PartConfig | HeadConfig, **arguments):
    """Makes the registered part that a config names.

    Args:
        table: Name -> class, such as `speechzoo.backbones.BACKBONES`.
        kind: What the table holds, for messages.
        part: The config of the part.
        **arguments: Arguments that do not come from the config.

    Raises:
        ConfigError: No such type, an option its constructor doesn't have, or one of another type.
    """
    if part.type not in table:
        raise ConfigError(f"unknown {kind} '{part.type}'; {nearest(part.type, table)}")
    where = f"{kind} '{part.type}'"
    check_options(table[part.type], part.options, where)
    options = dict(part.options)
    for key, hint in typing.get_type_hints(table[part.type].__init__).items():
        if key in options and hint in (int, float, str, bool):  # constructors check lists and the like themselves
            options[key] = _convert(hint, options[key], f"{where}: {key}")
    return table[part.type](**options, **arguments)


def check_options(cls, options: dict, where: str):
    """Raises ConfigError when `options` has a key that the constructor of `cls` doesn't take."""
    known = [name for name, parameter in inspect.signature(cls.__init__).parameters.items()
             if name not in ("self", "name", "kwargs") and parameter.kind is not parameter.VAR_KEYWORD]
    for key in options:
        if key not in known:
            raise ConfigError(f"{where} has no option '{key}'; {nearest(key, known)}")


def from_dict(cls, values: dict, where: str = "config"):
    """Builds the dataclass `cls` from plain values, checking keys and types all the way down.

    Raises:
        ConfigError: Names the key, what is wrong with it, and the nearest valid name.
    """
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: expected a mapping, got {type(values).__name__} {values!r}")
    hints = typing.get_type_hints(cls)
    if cls in (PartConfig, HeadConfig):
        # In YAML a part's options stand beside its type; here they go into `options`.
        values = dict(values)
        options = values.pop("options", None)
        if not isinstance(options, dict | None):
            raise ConfigError(f"{where}.options: expected a mapping, got {options!r}")
        options = dict(options or {})
        options.update({key: values.pop(key) for key in list(values) if key not in hints})
        values["options"] = options
    for key in values:
        if key not in hints:
            raise ConfigError(f"{where}: unknown key '{key}'; {nearest(key, hints)}")
    arguments = {key: _convert(hints[key], value, f"{where}.{key}") for key, value in values.items()}
    required = [f.name for f in dataclasses.fields(cls)
                if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING]
    missing = [name for name in required if name not in arguments]
    if missing:
        raise ConfigError(f"{where}: missing key '{missing[0]}'")
    return cls(**arguments)


def _convert(hint, value, where):
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in args:
            return None
        return _convert(next(arg for arg in args if arg is not type(None)), value, where)
    if dataclasses.is_dataclass(hint):
        return from_dict(hint, value, where)
    if origin is list:
        if not isinstance(value, list):
            raise ConfigError(f"{where}: expected a list, got {value!r}")
        return [_convert(args[0], item, f"{where}[{index}]") for index, item in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: expected a mapping, got {value!r}")
        return {str(key): _convert(args[1], item, f"{where}.{key}") for key, item in value.items()}
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1e300
    if hint is float and (whole or isinstance(value, str) and _EXPONENT.fullmatch(value)):
        return float(value)
    # To Python True is an int, to a config it isn't.
    if not isinstance(value, hint) or isinstance(value, bool) != (hint is bool):
        raise ConfigError(f"{where}: expected {hint.__name__}, got {value!r}")
    return value


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that is given twice: YAML itself keeps the last one without a word."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"'{name}' is given twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def list_configs() -> list[str]:
    """Names of the models in `zoo_configs/`."""
    return sorted(path.name[:-5] for path in resources.files("zoo_configs").iterdir() if path.name.endswith(".yaml"))


def load_config(name_or_path: str | Path, overrides: typing.Iterable[str] = ()) -> ZooConfig:
    """Reads a zoo config by name (`mtl_conformer_small`) or by path (`my_model.yaml`).

    Args:
        name_or_path: Name in `zoo_configs/`, or path of a YAML file.
        overrides: `key=value` strings; dots go down (`training.epochs=3`, `heads.keyword.loss_weight=0.5`) and values
            are YAML.

    Raises:
        ConfigError: No such config, or something in it that can't be used.

    Example:
        >>> load_config("mtl_ds_cnn_micro", ["training.epochs=3"]).training.epochs
        3
    """
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise ConfigError(f"{path}: no such config file")
        source = path
    else:
        if str(name_or_path) not in list_configs():
            raise ConfigError(f"no model '{name_or_path}' in the zoo; {nearest(str(name_or_path), list_configs())}")
        source = resources.files("zoo_configs") / f"{name_or_path}.yaml"
    try:
        values = _UniqueKeys(source.read_text(encoding="utf-8")).get_single_data()
    except _NOT_YAML as error:
        raise ConfigError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{source}: expected a mapping of keys")
    values.setdefault("name", Path(str(source)).stem)
    for override in overrides:
        _override(values, override)
    config = from_dict(ZooConfig, values, Path(str(source)).name)
    _check_limits(config, Path(str(source)).name)
    config.data.root = config.data.root or str(Path(str(source)).parent)
    return config


# Values that a type allows and no training can use, by key: what they must be, and the test of it.
_LIMITS = {
    "above 0": (lambda value: 0 < value < math.inf, (
        "sample_rate", "repeat", "seconds_per_batch", "gradient_clip_norm")),
    "0 or more": (lambda value: 0 <= value < math.inf, (
        "loss_weight", "minimum_seconds", "epochs", "learning_rate", "warmup_steps", "weight_decay",
        "average_checkpoints", "early_stop_patience", "seed")),
    "1 or more": (lambda value: value >= 1, ("evaluate_every", "checkpoint_every")),
    "between 0 and 1": (lambda value: 0 <= value <= 1, ("probability", "balance_power")),
    "0 or more and less than 1": (lambda value: 0 <= value < 1, ("ema_momentum",)),
    "lengths above 0 that rise": (lambda value: value and 0 < value[0] and value == sorted(set(value)), (
        "bucket_seconds",)),
}


def _check_limits(config, where):
    """Raises ConfigError for the first number of a dataclass, or of one in it, that can't be used."""
    for item in dataclasses.fields(config):
        value, key = getattr(config, item.name), f"{where}.{item.name}"
        for text, (allows, names) in _LIMITS.items():
            if item.name in names and not allows(value):
                raise ConfigError(f"{key}: must be {text}, got {value!r}")
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for name, part in [*inner, (None, value)]:
            if dataclasses.is_dataclass(part):
                _check_limits(part, key if name is None else f"{key}.{name}")
    if isinstance(config, RangeConfig) and not -math.inf < config.minimum <= config.maximum < math.inf:
        raise ConfigError(f"{where}: minimum {config.minimum:g} and maximum {config.maximum:g} are no range")


def _override(values: dict, override: str):
    key, equals, text = override.partition("=")
    if not equals:
        raise ConfigError(f"override '{override}' is not key=value")
    *parents, last = key.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise ConfigError(f"override '{override}': '{parent}' is not a mapping")
    try:
        values[last] = yaml.safe_load(text)
    except _NOT_YAML:
        raise ConfigError(f"override '{override}': the value is not valid YAML") from None
