"""Zoo configs from YAML files, with what they extend and with overrides from the command line."""

import typing
from importlib import resources
from pathlib import Path

import yaml

from speechzoo.config.errors import ConfigError
from speechzoo.config.grammars import fill_in
from speechzoo.config.limits import check_limits
from speechzoo.config.merging import flatten_options, merge
from speechzoo.config.schema import ZooConfig
from speechzoo.config.values import from_dict
from speechzoo.names import nearest

# What PyYAML raises: its constructors also let out ValueError (the date 2001-99-99), KeyError (`!!bool x`) and others.
_NOT_YAML = (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, RecursionError)
_SUFFIXES = (".yaml", ".yml")


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

    A config may begin with what another one says: `extends: mtl_conformer_small`, `extends: base.yaml` (beside it), or
    a list of them, of which later ones replace what earlier ones say. See `speechzoo.config.merging.merge`.

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
    path = _find(name_or_path)
    values = _with_extended(path, _read(path))
    values.setdefault("name", path.stem)
    for override in overrides:
        _override(values, override)
        values = flatten_options(values)
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
