"""Training of a zoo config: from its manifests to final weights, resumable at any moment.

The same code trains on TensorFlow (batches from tf.data) and on JAX (the same batches from NumPy, without TensorFlow):
`KERAS_BACKEND=jax speechzoo train ...`.
"""

import dataclasses
import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import keras
import yaml

from speechzoo.config import ConfigError, ZooConfig, load_config
from speechzoo.files import write_atomically
from speechzoo.origin import carry_origin
from speechzoo.registry import find_weights
from speechzoo.training.averaging import average_files, averaged_weights
from speechzoo.training.calibration import calibrate
from speechzoo.training.checkpoint import RunState, has_checkpoint, load_checkpoint, remove_checkpoints, save_checkpoint
from speechzoo.training.core_hours import CoreHours
from speechzoo.training.dev import evaluate_on_dev, is_better
from speechzoo.training.features import FeatureCache
from speechzoo.training.frame_store import FrameStore
from speechzoo.training.freezing import frozen_patterns, frozen_weights
from speechzoo.training.interruption import Interruption
from speechzoo.training.meter import Meter
from speechzoo.training.penalties.making import check_penalties, describe_penalties
from speechzoo.training.prepare import prepare_run
from speechzoo.training.run_log import RunLog, plot_curves
from speechzoo.training.step import make_train_step
from speechzoo.weights import LoadReport, load_weights, save_weights

# Steps between two records of the log.
LOG_EVERY = 10
# Seconds between two records of a cache that is being filled.
REPORT_EVERY = 60.0


class DivergedError(ValueError):
    """The loss is no longer a finite number; the message names the utterances of that batch."""


@dataclass
class TrainingResult:
    """What a training run came to.

    Attributes:
        output: Folder of the run: `final.weights.h5`, `best.weights.h5`, `checkpoint.h5`, `config.yaml`, `log.jsonl`.
        ended: "finished", "early" (no more improvement) or "interrupted" (the same call goes on).
        step: Steps taken.
        total_steps: Steps of the whole run.
        best: Best value of the early-stop metric; None without dev sources.
        best_step: Step where it was reached.
        metrics: The final weights on the dev sources.
        load_report: What did not fit when training started from given weights.
        audio_hours: Hours of audio heard in training, without padding, since the run began.
        core_hours: Hours that processor cores worked for it, in this process and those it started; what a kill has lost
            doesn't count.
    """

    output: Path
    ended: str
    step: int
    total_steps: int
    best: float | None = None
    best_step: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    load_report: LoadReport | None = None
    audio_hours: float = 0.0
    core_hours: float = 0.0


def train(config: ZooConfig | str | Path, output: str | Path, resume: bool = True, overrides: Iterable[str] = (),
          weights: str | Path | None = None, heads: list[str] | None = None,
          on_record: Callable[[dict], None] | None = None,
          on_data: Callable[[dict], None] | None = None) -> TrainingResult:
    """Trains a zoo config, or goes on with a run that was cut short.

    A run that was killed at any moment and started again ends with the same weights as one that wasn't.

    Args:
        config: A ZooConfig, the name of a zoo model, or the path of a YAML file.
        output: Folder of the run.
        resume: Go on from the checkpoint in `output`, if there is one; otherwise start over.
        overrides: `key=value` changes to a config given by name or path (`training.epochs=3`).
        weights: What to start from: name of a zoo model, folder of a run, or a weights file (`registry.find_weights`);
            what doesn't fit is reported and starts from random values. Or the config names them, for its front end
            and backbone alone (`backbone.weights`); a run that goes on needs neither.
        heads: Heads to train; all of the config's when None. Utterances without a label for any of them are left out.
            Where the config stops early by the metric of another head, the loss takes its place.
        on_record: Called with each record that goes into `log.jsonl`.
        on_data: Called once, before the first step, with what is trained on and what was left out and why, as in
            `data.json`, and `started_over`: whether an earlier run in `output` ended before its first checkpoint.

    Raises:
        ConfigError, ManifestError: Something in the config or the data can't be used.
        DivergedError: The loss is NaN or infinite; the last checkpoint is intact.
        ValueError: The checkpoint in `output` belongs to another model or to other data.
        OSError: The disk is full or can't be written; the last checkpoint is intact.

    Example:
        result = train("mtl_ds_cnn_micro", "runs/micro", overrides=["training.epochs=3"])
    """
    if not isinstance(config, ZooConfig):
        config = load_config(config, overrides, output if resume and has_checkpoint(output) else None)
    elif list(overrides):
        raise ValueError("overrides change a config given by name or path; change the fields of a ZooConfig directly")
    if heads:
        chosen, settings = config.select_heads(heads), config.training
        if settings.early_stop_metric.partition("/")[0] in config.heads.keys() - chosen.keys():
            settings = dataclasses.replace(settings, early_stop_metric="loss")
        config = dataclasses.replace(config, heads=chosen, training=settings)
    if weights and config.backbone.weights:
        raise ConfigError(f"the config begins with the backbone of {config.backbone.weights} (backbone.weights); leave "
                          "that or the other weights (--weights) out")
    source = weights or config.backbone.weights
    weights = find_weights(source) if source else None
    with Interruption() as interruption:
        run = _Run(config, Path(output), resume, weights, on_record, interruption)
        if on_data:
            on_data({**run.data.report(), "started_over": run.started_over})
        return run.train()


class _Run:
    """One training run: model, data, and where it stands."""

    def __init__(self, config, output, resume, weights, on_record, interruption):
        self.config, self.settings, self.output = config, config.training, output
        self.on_record, self.interruption = on_record, interruption
        self.core_hours = CoreHours()
        output.mkdir(parents=True, exist_ok=True)
        if not resume:
            _clear(output)
        for leftover in output.rglob(".*.h5.*"):  # of a write that was killed
            leftover.unlink()
        run = prepare_run(config, weights)
        self.model, self.trained, self.data, self.total_steps = run.model, run.trained, run.data, run.total_steps
        self.frozen, self.load_report = run.frozen, run.load_report
        self.penalties = describe_penalties(self.settings.penalties, self.model.penalties)
        fingerprint = self.data.fingerprint()
        begun = (output / "config.yaml").exists() and resume
        self.state = load_checkpoint(output, self.model, self._check_same)
        self.started_over = begun and self.state is None
        if self.state is None:
            self.state = RunState(fingerprint, freeze=frozen_patterns(self.model, config), penalties=self.penalties)
            self._check_start(weights)
            carry_origin(weights, output)
            run.adapt_frontend()
        if self.state.fingerprint != fingerprint:
            raise ValueError(f"{output}: its checkpoint was trained on other batches (data, batching or seed changed); "
                             "undo the change, restart the run, or choose another output folder")
        write_atomically(output / "config.yaml", yaml.safe_dump(config.to_dict(), sort_keys=False).encode())
        write_atomically(output / "labels.json", json.dumps(run.labels, indent=1).encode())
        self.cache = None
        if self.settings.cache_features:
            self.cache = FeatureCache(output, self.model, self.settings.cache_gigabytes)
            self.data.use_frames(self.cache)
        self.added = {penalty.name: self.data.add_inputs(penalty, output) for penalty in self.model.penalties
                      if penalty.batch_inputs}
        self._write_data_report()
        self.log = RunLog(output, self.state.step)
        self.meter = Meter(self.trained)
        self.step = make_train_step(self.trained)

    def train(self):
        try:
            caches = {"features": self.cache} if self.cache is not None else {}
            stores = {name: added for name, added in self.added.items() if isinstance(added, FrameStore)}
            for name, cache in {**caches, **stores}.items():
                if not self._fill(name, cache):
                    return self._result("interrupted")
            # The epochs may have been fewer when the checkpoint was written, or more.
            while self.state.epoch < self.settings.epochs and not self._stops_early():
                self._train_epoch()
                if self.interruption.requested:
                    return self._result("interrupted")
            return self._finish("early" if self._stops_early() else "finished")
        finally:
            self.log.close()

    def _fill(self, name, cache):
        """Computes what isn't on disk; False when it was interrupted."""
        started = reported = time.perf_counter()
        for _ in cache.fill():
            if self.interruption.requested:
                return False
            if time.perf_counter() - reported > REPORT_EVERY:
                self._record(name, cache.report(), self.state.epoch)
                reported = time.perf_counter()
        self._record(name, cache.report(), self.state.epoch)
        self._write_data_report()
        self.meter.pause(time.perf_counter() - started)
        return True

    def _train_epoch(self):
        state, settings, epoch = self.state, self.settings, self.state.epoch
        steps = self.data.epoch_steps[epoch]
        for inputs, targets, weights in self.data.training_batches(epoch, state.batch):
            logs = self.step(inputs, targets, weights)
            self._check_finite(float(logs["loss"]))
            seconds = self.data.seconds(epoch, state.batch)
            self.meter.add(logs, seconds, weights)
            state.audio_hours += seconds / 3600
            state.step += 1
            state.epoch, state.batch = (epoch + 1, 0) if state.batch + 1 == steps else (epoch, state.batch + 1)
            last = state.epoch == settings.epochs
            if state.step % LOG_EVERY == 0 or last:
                self._record("train", self.meter.take(), epoch)
            started = time.perf_counter()
            evaluates = state.step % settings.evaluate_every == 0 or last
            if evaluates:
                self._evaluate(epoch)
            if evaluates or state.step % settings.checkpoint_every == 0 or self.interruption.requested:
                self._count_core_hours()
                save_checkpoint(self.output, self.model, state)
                self.meter.pause(time.perf_counter() - started)
            if self.interruption.requested or self._stops_early():
                return

    def _evaluate(self, epoch):
        """Measures the averaged weights on dev, and keeps them."""
        state, metric = self.state, self.settings.early_stop_metric
        with averaged_weights(self.model):
            values = self._measure()
            save_weights(self.model, self._evaluated(state.step))
            if values:
                if metric not in values:
                    raise ConfigError(f"training.early_stop_metric '{metric}' is not measured on dev; "
                                      f"measured: {', '.join(values)}")
                state.without_improvement += 1
                if is_better(metric, values[metric], state.best):
                    state.best, state.best_step, state.without_improvement = values[metric], state.step, 0
                    save_weights(self.model, self.output / "best.weights.h5")
        state.evaluations.append({"step": state.step, "epoch": epoch, **values})
        for old in state.evaluations[:-max(self.settings.average_checkpoints, 1)]:
            self._evaluated(old["step"]).unlink(missing_ok=True)
        self._record("dev", values, epoch)
        self._write_data_report()
        plot_curves(self.log.path, self.output / "curves.png")

    def _finish(self, ended):
        """Averages the last evaluated weights into the final ones, and measures those."""
        if not self.state.evaluations:  # of a run that was cut short and now has fewer epochs
            self._evaluate(self.settings.epochs - 1)
        averaged = self.state.evaluations[-max(self.settings.average_checkpoints, 1):]
        final = self.output / "final.weights.h5"
        average_files([self._evaluated(evaluation["step"]) for evaluation in averaged], final)
        load_weights(self.model, final)
        calibrated = calibrate(self.trained, self.data.dev_batches(), self.frozen) if self.data.dev_steps else []
        if calibrated:
            save_weights(self.model, final)
        values = self._measure() if calibrated or len(averaged) > 1 else averaged[0]
        metrics = {name: value for name, value in values.items() if name not in ("step", "epoch")}
        self._record("final", metrics, averaged[-1]["epoch"])
        return self._result(ended, metrics)

    def _measure(self):
        if not self.data.dev_steps:
            return {}
        return evaluate_on_dev(self.trained, self.data.dev_batches(), self.data.dev_steps, self.data.loss_weights)

    def _stops_early(self):
        return 0 < self.settings.early_stop_patience <= self.state.without_improvement

    def _evaluated(self, step):
        return self.output / "evaluated" / f"{step:08d}.weights.h5"

    def _count_core_hours(self):
        self.state.core_hours += self.core_hours.take()

    def _record(self, event, values, epoch):
        self._count_core_hours()
        record = {"event": event, "step": self.state.step, "total_steps": self.total_steps, "epoch": epoch,
                  "learning_rate": float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
                  "audio_hours": self.state.audio_hours, "core_hours": self.state.core_hours, **values}
        self.log.write(record)
        if self.on_record:
            self.on_record(record)

    def _check_finite(self, loss):
        state = self.state
        if not math.isfinite(loss):
            where = f"step {state.step + 1} (epoch {state.epoch + 1}, batch {state.batch + 1})"
            raise DivergedError(f"the loss is {loss} at {where}; "
                                "check the utterances of that batch, or lower training.learning_rate: "
                                f"{', '.join(self.data.ids(state.epoch, state.batch))}")

    def _write_data_report(self):
        write_atomically(self.output / "data.json", json.dumps(self.data.report(), indent=1).encode())

    def _check_same(self, state):
        """Raises ValueError where other weights trained when the checkpoint was written."""
        if frozen_weights(self.model, state.freeze) != self.frozen:
            raise ValueError(f"{self.output}: its checkpoint was trained with training.freeze {state.freeze}, not "
                             f"{frozen_patterns(self.model, self.config)}; undo the change, restart the run, or choose "
                             "another output folder")
        check_penalties(state.penalties, self.penalties, self.output)

    def _check_start(self, weights):
        """Raises ConfigError where a penalty needs weights to start from, and there are none."""
        for part, penalty in zip(self.settings.penalties, self.model.penalties):
            if penalty.needs_weights and not weights:
                raise ConfigError(f"training.penalties: '{part.type}' needs weights that the run starts from; give a "
                                  "weights file (--weights), or leave it out")

    def _result(self, ended, metrics=None):
        self._count_core_hours()
        state = self.state
        return TrainingResult(self.output, ended, state.step, self.total_steps, state.best, state.best_step,
                              metrics or {}, self.load_report, state.audio_hours, state.core_hours)


def _clear(output):
    """Removes what an earlier run left in `output`, and nothing else."""
    remove_checkpoints(output)
    for name in ("log.jsonl", "best.weights.h5", "final.weights.h5"):
        (output / name).unlink(missing_ok=True)
    for path in (output / "evaluated").glob("*.weights.h5"):
        path.unlink()
