"""The loop over episodes, with everything in one file that it needs to go on."""

import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import ops

from speechzoo.files import write_arrays_atomically
from speechzoo.meta.experiment import Experiment
from speechzoo.meta.gradients import compiled
from speechzoo.meta.methods import Method
from speechzoo.meta.settings import MetaSettings
from speechzoo.training.interruption import Interruption

EPISODES_PER_STEP = 4
"""`EPISODES_PER_STEP` tasks make one outer step, as in Finn et al. 2017 (section A.1) for pictures and one shot."""
# Seconds between checkpoints, and between lines.
_CHECKPOINT_EVERY, _LINE_EVERY = 30.0, 10.0


def teach(experiment: Experiment, method: Method, settings: MetaSettings, path: Path,
          on_progress: Callable[[str], None] | None = None) -> bool:
    """Trains a method on episodes, from where a checkpoint stands.

    Args:
        experiment: Where episodes come from.
        method: Whose variables are trained.
        settings: Number of episodes, learning rate.
        path: The checkpoint; read where it is there.
        on_progress: Called with a line now and then.

    Returns:
        Whether it came to the end; False when it was interrupted.

    Raises:
        ValueError: The checkpoint is another method's.
    """
    optimizer = keras.optimizers.Adam(settings.learning_rate)
    optimizer.build(method.variables)
    state = [*method.variables, *optimizer.variables]
    step, steps, recent = _restore(path, state), -(-settings.episodes // EPISODES_PER_STEP), []
    gradients = compiled(method.gradients)
    saved = said = time.monotonic()
    with Interruption() as interruption:
        while step < steps and not interruption.requested:
            values = [variable.value for variable in method.variables]
            total = None
            for number in range(EPISODES_PER_STEP):
                episode = experiment.teaching.draw(EPISODES_PER_STEP * step + number)
                loss, slopes = gradients(values, experiment.task(method, episode))
                recent.append(float(loss))
                total = slopes if total is None else [one + other for one, other in zip(total, slopes)]
            optimizer.learning_rate = settings.learning_rate * (1 - step / steps)
            optimizer.apply([slope / EPISODES_PER_STEP for slope in total], method.variables)
            step += 1
            now = time.monotonic()
            if now - saved > _CHECKPOINT_EVERY:
                _save(path, state, step)
                saved = now
            if on_progress and (now - said > _LINE_EVERY or step == steps):
                done = min(EPISODES_PER_STEP * step, settings.episodes)
                on_progress(f"episode {done} of {settings.episodes}: loss {np.mean(recent):.4f}")
                said, recent = now, []
    _save(path, state, step)
    return step == steps


def _save(path, state, step):
    write_arrays_atomically(path, step=step, **{str(number): ops.convert_to_numpy(variable)
                                                for number, variable in enumerate(state)})


def _restore(path, state):
    if not path.is_file():
        return 0
    with np.load(path, allow_pickle=False) as arrays:
        if [arrays[name].shape for name in arrays.files if name != "step"] != [tuple(each.shape) for each in state]:
            raise ValueError(f"{path}: the checkpoint of another method or model; choose another output folder")
        for number, variable in enumerate(state):
            variable.assign(arrays[str(number)])
        return int(arrays["step"])
