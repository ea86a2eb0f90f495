"""Penalties of a run, from its config, and what a checkpoint remembers of them."""

import json
from collections import Counter
from pathlib import Path

from speechzoo.config import ConfigError, PartConfig, create
from speechzoo.training.penalties import PENALTIES, Penalty
from speechzoo.weights import LoadReport, sha256_of


def make_penalties(parts: list[PartConfig]) -> list[Penalty]:
    """The penalties of `training.penalties`; each is named after its type, and has a number where types repeat.

    Raises:
        ConfigError: An unknown type or option, or a file that one needs isn't there.
    """
    counts, penalties = Counter(), []
    for part in parts:
        counts[part.type] += 1
        number = counts[part.type]
        try:
            penalty = create(PENALTIES, "penalty", part, name=part.type if number == 1 else f"{part.type}_{number}")
        except (TypeError, ValueError) as error:
            raise error if isinstance(error, ConfigError) else ConfigError(f"training.penalties: {error}") from None
        source = penalty.source_file()
        if source is not None and not source.is_file():
            raise ConfigError(f"training.penalties: '{part.type}' needs its {penalty.source_option} {source}, and "
                              "there is no such file; put it back, or say where it is")
        penalties.append(penalty)
    return penalties


def taps_of(penalties: list[Penalty]) -> dict[str, int] | None:
    """What all penalties together need of the backbone, see `Penalty.taps`."""
    needed = [penalty.taps for penalty in penalties if penalty.taps is not None]
    return {name: block for taps in needed for name, block in taps.items()} if needed else None


def start_penalties(model, report: LoadReport | None):
    """Starts the penalties of a model whose starting weights were loaded; `report` says what fitted, if any was."""
    loaded = frozenset()
    if report is not None:
        lacking = {*report.missing, *(text.split(": ")[0] for text in report.mismatched)}
        loaded = frozenset(weight.path for weight in model.weights) - lacking
    for penalty in model.penalties:
        penalty.loaded = loaded
        penalty.start(model)


def describe_penalties(parts: list[PartConfig], penalties: list[Penalty]) -> list[dict]:
    """Plain values that stay the same while a run goes on: types, options, and the files' SHA-256 in place of paths."""
    described = []
    for part, penalty in zip(parts, penalties, strict=True):
        source = penalty.source_file()
        left_out = {penalty.source_option, *penalty.may_change}
        described.append({"type": part.type,
                          # As a checkpoint's JSON gives them back, in which all keys are text.
                          "options": json.loads(json.dumps({key: value for key, value in part.options.items()
                                                            if key not in left_out})),
                          "source": None if source is None else sha256_of(source)})
    return described


def check_penalties(then: list[dict], now: list[dict], folder: Path):
    """Raises ValueError where a run in `folder` was trained with other penalties, or with another file of one."""
    remedy = "undo the change, restart the run, or choose another output folder"
    one, other = ([{**penalty, "source": None} for penalty in penalties] for penalties in (then, now))
    if one != other:
        raise ValueError(f"{folder}: its checkpoint was trained with training.penalties {_spell(then)}, not "
                         f"{_spell(now)}; {remedy}")
    for before, after in zip(then, now):
        if before["source"] != after["source"]:
            raise ValueError(f"{folder}: its checkpoint was trained with another file of penalty '{before['type']}' "
                             f"(SHA-256 {before['source'][:12]}..., not {after['source'][:12]}...); {remedy}")


def _spell(penalties):
    return "[" + ", ".join(" ".join([penalty["type"], *(f"{key}={value}" for key, value in penalty["options"].items())])
                           for penalty in penalties) + "]"
