"""Zoo configs from YAML files, with what they extend and with overrides from the command line."""

import math
import typing
from importlib import resources
from pathlib import Path

import yaml

from speechzoo import hub
from speechzoo.config.errors import ConfigError
from speechzoo.config.grammars import fill_in
from speechzoo.config.limits import check_limits
from speechzoo.config.merging import flatten_options, merge
from speechzoo.config.schema import ZooConfig
from speechzoo.config.trained_backbone import with_trained_backbone
from speechzoo.config.values import from_dict
from speechzoo.names import nearest

# What PyYAML raises: its constructors also let out ValueError (the date 2001-99-99), KeyError (`!!bool x`) and others.
_NOT_YAML = (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, RecursionError)
_SUFFIXES = (".yaml", ".yml")
_MAXIMUM_NODES = 1_000_000  # a vocabulary that is listed in a config has some ten thousands
# The config in the folder of a run, of an import and of `speechzoo.save`.
RUN_CONFIG = "config.yaml"


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that is given twice, of which YAML itself keeps the last one without a word, and aliases of aliases
    that stand for more than `_MAXIMUM_NODES` values: ten lines can be billions."""

    def get_single_data(self):
        node = self.get_single_node()
        if node is not None and _expanded_size(node, {}) > _MAXIMUM_NODES:
            raise yaml.YAMLError(f"its aliases stand for more than {_MAXIMUM_NODES} values")
        return None if node is None else self.construct_document(node)

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"'{name}' is given twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def _expanded_size(node, known):
    """Nodes of a YAML document, each counted as often as it is referred to; infinitely many where one holds itself."""
    if id(node) not in known:
        known[id(node)] = math.inf  # until it is known
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        parts = [part for pair in parts for part in pair] if isinstance(node, yaml.MappingNode) else parts
        known[id(node)] = 1 + sum(_expanded_size(part, known) for part in parts)
    return known[id(node)]


def list_configs() -> list[str]:
    """Names of the models in `zoo_configs/`."""
    return sorted(path.name[:-5] for path in resources.files("zoo_configs").iterdir() if path.name.endswith(".yaml"))


def load_config(name_or_path: str | Path, overrides: typing.Iterable[str] = (),
                begun: str | Path | None = None) -> ZooConfig:
    """Reads a zoo config by name (`mtl_conformer_small`) or by path (`my_model.yaml`).

    A config may begin with what another one says: `extends: mtl_conformer_small`, `extends: base.yaml` (beside it), or
    a list of them, of which later ones replace what earlier ones say. See `speechzoo.config.merging.merge`.

    Args:
        name_or_path: Name in `zoo_configs/`, or path of a YAML file.
        overrides: `key=value` strings; dots go down (`training.epochs=3`, `heads.keyword.loss_weight=0.5`) and values
            are YAML.
        begun: Folder of a run of this config that has begun. What it took over from the model of `backbone.weights`
            stands there, and that model is no longer needed.

    Raises:
        ConfigError: No such config, or something in it that can't be used.
        ModuleNotFoundError, OSError: `backbone.weights` is on the hub, and can't be fetched.

    Example:
        >>> load_config("mtl_ds_cnn_micro", ["training.epochs=3"]).training.epochs
        3
    """
    path = _find(name_or_path)
    values = _with_extended(path, _read(path))
    values.setdefault("name", path.stem)
    for override in overrides:
        _override(values, override)
        values = flatten_options(values)
    values = _with_weights(values, path.name, begun)
    fill_in(values, path.parent, path.name)
    config = from_dict(ZooConfig, values, path.name)
    check_limits(config, path.name)
    config.data.root = config.data.root or str(path.parent)
    return config


def _find(name_or_path) -> Path:
    """The file of a config that is given by name or by path."""
    path = Path(name_or_path)
    if path.suffix in _SUFFIXES:
        if not path.is_file():
            raise ConfigError(f"{path}: no such config file")
        return path
    if str(name_or_path) not in list_configs():
        raise ConfigError(f"no model '{name_or_path}' in the zoo; {nearest(str(name_or_path), list_configs())}")
    return Path(str(resources.files("zoo_configs") / f"{name_or_path}.yaml"))


def _read(path: Path) -> dict:
    """The plain values of one file; what grammars say is filled in, and options stand beside types."""
    try:
        values = _UniqueKeys(path.read_text(encoding="utf-8")).get_single_data()
    except _NOT_YAML as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected a mapping of keys")
    fill_in(values, path.parent, path.name)
    return flatten_options(values)


def _with_extended(path: Path, values: dict, names: bool = True) -> dict:
    """The values of the file `path` on top of those that it extends, which may be models of the zoo if `names`."""
    extends, base = values.pop("extends", None), {}
    for source in extends if isinstance(extends, list) else [] if extends is None else [extends]:
        base = merge(base, _extended(path, source, names))
    return merge(base, values)


def _extended(path: Path, source, names: bool) -> dict:
    """What the file `path` gets from `source`, which it extends: everything but the name."""
    where = f"{path}: extends: "
    if not isinstance(source, str):
        raise ConfigError(f"{where}expected a model's name, a file's path, or a list of them, got {source!r}")
    is_file = Path(source).suffix in _SUFFIXES
    try:
        found = _find(path.parent / source if is_file else source)
    except ConfigError as error:
        raise ConfigError(f"{where}{error}") from None
    values = _read(found)
    if is_file and "extends" in values or not is_file and not names:
        raise ConfigError(f"{where}'{source}' extends another config itself; extend what it extends, in a list "
                          "with it or in its place, or a model of the zoo by its name")
    values.pop("name", None)
    return values if is_file else _with_extended(found, values, names=False)


def _with_weights(values: dict, where: str, begun: str | Path | None) -> dict:
    """The values of a config with what it takes from the model that `backbone.weights` names, if it names one."""
    backbone = values.get("backbone")
    source = backbone.get("weights") if isinstance(backbone, dict) else None
    if not isinstance(source, str):
        return values
    if begun is None:
        path, source = _trained_config(source, f"{where}.backbone.weights")
    else:
        path = Path(begun) / RUN_CONFIG
    values = with_trained_backbone(values, _with_extended(path, _read(path)), source, where)
    values["backbone"]["weights"] = source if begun is None else None
    return values


def _trained_config(source: str, where: str) -> tuple[Path, str]:
    """The config of a trained model, and the model's name; of one on the hub with the commit that it is of."""
    if hub.is_on_hub(source):
        found = hub.download(source, lambda names: [RUN_CONFIG] if RUN_CONFIG in names else _no_model(source))
        return found.folder / RUN_CONFIG, str(found)
    folder = Path(source)
    if folder.is_dir():
        if not (folder / RUN_CONFIG).is_file():
            raise ConfigError(f"{where}: {folder} holds no {RUN_CONFIG}; give the folder of a run, of speechzoo import "
                              "or of speechzoo.save")
        return folder / RUN_CONFIG, source
    if source not in list_configs():
        raise ConfigError(f"{where}: no folder and no model of the zoo is called '{source}'; "
                          f"{nearest(source, list_configs())}")
    return _find(source), source


def _no_model(source):
    raise ConfigError(f"{source}: no model that speechzoo.save wrote; read it with speechzoo import {source} --out "
                      "DIR, and give that folder")


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
