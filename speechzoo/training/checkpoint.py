"""The whole state of a training run in one file, so that a killed run goes on as if nothing had happened."""

import json
import logging
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np

from speechzoo.weights import assign_values, model_values, read_arrays, write_arrays

FILE_NAME = "checkpoint.h5"
PREVIOUS_NAME = "checkpoint.previous.h5"
LOGGER = logging.getLogger(__name__)


@dataclass
class RunState:
    """Where a run stands, beside the variables of its model and optimizer.

    Attributes:
        fingerprint: Identifies the training batches; (epoch, batch) means something only for the same ones.
        step: Steps taken.
        epoch: Epoch of the next batch, from 0.
        batch: Number of the next batch within its epoch.
        best: Best value of the early-stop metric so far.
        best_step: Step of `best`.
        without_improvement: Evaluations since `best`.
        evaluations: One dict an evaluation: {"step", "epoch", "head/metric": value, ...}.
        freeze: Patterns of the weights that don't train.
        penalties: Penalties, as `describe_penalties` has them.
        audio_hours: Hours of audio heard in training.
        core_hours: Hours that processor cores worked. Of a run from before these two were counted, they are what came
            after.
    """

    fingerprint: str = ""
    step: int = 0
    epoch: int = 0
    batch: int = 0
    best: float | None = None
    best_step: int = 0
    without_improvement: int = 0
    evaluations: list[dict] = field(default_factory=list)
    freeze: list[str] = field(default_factory=list)
    penalties: list[dict] = field(default_factory=list)
    audio_hours: float = 0.0
    core_hours: float = 0.0


def save_checkpoint(folder: str | Path, model: keras.Model, state: RunState):
    """Writes weights, optimizer, averaged weights, penalties, random states and `state` to `folder`.

    The checkpoint before it is kept, too.

    Raises:
        OSError: It can't be written; the checkpoints there are intact.
    """
    folder = Path(folder)
    arrays = {f"weights/{path}": value for path, value in model_values(model, merged=False).items()}
    for index, variable in enumerate(_other_state(model)):
        arrays[f"state/{index:05d}"] = keras.ops.convert_to_numpy(variable)
    for path, variable in _penalty_state(model).items():
        arrays[f"penalty/{path}"] = keras.ops.convert_to_numpy(variable)
    arrays["run"] = np.frombuffer(json.dumps(asdict(state)).encode(), np.uint8)
    new = folder / "checkpoint.new.h5"
    write_arrays(new, arrays)
    if (folder / FILE_NAME).exists():
        os.replace(folder / FILE_NAME, folder / PREVIOUS_NAME)
    os.replace(new, folder / FILE_NAME)


def has_checkpoint(folder: str | Path) -> bool:
    """Whether a run in `folder` has got as far as its first checkpoint."""
    return any((Path(folder) / name).exists() for name in (FILE_NAME, PREVIOUS_NAME))


def load_checkpoint(folder: str | Path, model: keras.Model,
                    check: Callable[[RunState], None] | None = None) -> RunState | None:
    """Puts the newest readable checkpoint of `folder` into the compiled `model`.

    Args:
        folder: Folder of the run.
        model: The model, as it was when the checkpoint was written.
        check: Called with where the run stood before anything is restored; raises what speaks against it.

    Returns:
        Where the run stood; None when the folder has no checkpoint.

    Raises:
        ValueError: Every checkpoint there is damaged, or belongs to another model.
    """
    # A kill between the renames of `save_checkpoint` leaves the previous one only; damage falls back to it as well.
    candidates = [path for path in (Path(folder) / FILE_NAME, Path(folder) / PREVIOUS_NAME) if path.exists()]
    damage = None
    for path in candidates:
        try:
            arrays = read_arrays(path)
        except ValueError as error:
            damage = damage or error
            LOGGER.warning("%s", error)
            continue
        return _restore(path, arrays, model, check)
    if damage:
        raise damage
    return None


def remove_checkpoints(folder: str | Path):
    """Deletes the checkpoints of `folder`."""
    for name in (FILE_NAME, PREVIOUS_NAME):
        (Path(folder) / name).unlink(missing_ok=True)


def _restore(path, arrays, model, check):
    remedy = "restart the run, or give it another output folder"
    state = RunState(**json.loads(arrays["run"].tobytes())) if "run" in arrays else None
    if state is not None and check is not None:
        check(state)
    others = _other_state(model)
    stored = [arrays[name] for name in sorted(arrays) if name.startswith("state/")]
    penalties = {f"penalty/{path}": variable for path, variable in _penalty_state(model).items()}
    kept = {name: value.shape for name, value in arrays.items() if name.startswith("penalty/")}
    same = ([value.shape for value in stored] == [tuple(variable.shape) for variable in others]
            and kept == {name: tuple(variable.shape) for name, variable in penalties.items()})
    if not same or state is None:
        raise ValueError(f"{path}: belongs to another model or optimizer; {remedy}")
    weights = {name.removeprefix("weights/"): value for name, value in arrays.items() if name.startswith("weights/")}
    try:
        # An earlier version has left out what is only there when it was measured.
        optional = {weight.path: np.asarray(weight) for head in getattr(model, "heads", {}).values()
                    for weight in head.optional_weights}
        assign_values(model, {**optional, **weights}, str(path))
    except ValueError as error:
        raise ValueError(f"{str(error).split(';')[0]}; {remedy}") from None
    for name, variable in penalties.items():
        variable.assign(arrays[name])
    for variable, value in zip(others, stored):
        variable.assign(value)
    return state


def _penalty_state(model):
    """Path -> variable of the model's penalties."""
    return {weight.path: weight for penalty in getattr(model, "penalties", ()) for weight in penalty.own_weights}


def _other_state(model):
    """Variables of a run that are no weights: random generators and the optimizer, always in the same order."""
    weights = {id(variable) for variable in model.weights}
    generators = [variable for variable in model.variables if id(variable) not in weights]
    # The optimizer makes its variables when it is built, which otherwise is the first step.
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return generators + list(model.optimizer.variables)
