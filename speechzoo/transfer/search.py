"""From a trained model and a folder of recordings to a model that knows them, in a given time."""

import copy
import dataclasses
import fnmatch
import json
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from speechzoo.config import DataConfig, PartConfig, SourceConfig, TrainingConfig, ZooConfig, from_dict
from speechzoo.files import write_atomically
from speechzoo.metrics.direction import lower_is_better
from speechzoo.registry import find_weights, load, read_config, save
from speechzoo.training.trainer import train
from speechzoo.transfer.card import write_card
from speechzoo.transfer.forgetting import changed_answers, forgotten
from speechzoo.transfer.recordings import Recordings, read_recordings
from speechzoo.transfer.schedules import SCHEDULES, Schedule
from speechzoo.weights import assign_values, read_arrays

STATE, MODEL = "transfer.json", "model"
# Steps of a run: enough for a head to settle; and passes at least, where there are many recordings.
_STEPS, _LEAST_EPOCHS = 240, 6
# Seconds of audio of a batch: an eighth of all there is, within these bounds.
_LEAST_BATCH, _MOST_BATCH = 4.0, 48.0
# Part of the time that is kept for what can't be foreseen: measuring, writing.
_RESERVE = 0.15


@dataclass
class TransferResult:
    """What a transfer came to.

    Attributes:
        model: Folder that `speechzoo.load` takes: the old heads and the new one.
        schedule: The one that was chosen.
        metric: What it was chosen by.
        scores: Schedule -> the metric on each fold, as far as time went.
        estimate: What to expect of recordings never heard: the mean over the folds of the schedule that the other folds
            would have chosen, so that the choice has not seen what measures it; None without folds.
        changed: Old head -> share of its answers for these recordings that are others than before.
        forgotten: Old head -> metric -> (before, after), on labelled recordings, where some were given.
        seconds: What it took.
        interrupted: The same call goes on.
    """

    model: Path
    schedule: str | None = None
    metric: str = ""
    scores: dict[str, list[float]] = field(default_factory=dict)
    estimate: float | None = None
    changed: dict[str, float] = field(default_factory=dict)
    forgotten: dict[str, dict] = field(default_factory=dict)
    seconds: float = 0.0
    interrupted: bool = False


def transfer(model: str | Path, data: str | Path, head: str, out: str | Path, minutes: float, *,
             label: str | None = None, dev: str | Path | None = None, dev_split: str | None = None, seed: int = 1,
             on_progress: Callable[[str], None] | None = None) -> TransferResult:
    """Teaches a trained model a head from recordings of one's own.

    Schedules are tried from the cheapest on, fold by fold, as long as there is time for the next one and for the final
    training; the best mean wins, and the cheaper of equals. Interrupted and called again, it goes on.

    Args:
        model: Name of a zoo model, folder of a run or of `save`, or `hf://owner/name`.
        data: Manifest, prepared folder, or folder with one folder per class; see `read_recordings`.
        head: Name of a head, the model's own or a new one.
        out: Folder to write: `model/`, its card in it, and what is needed to go on.
        minutes: Time for all of it.
        label: Field with the labels; that of the model's head, or the head's name, when None.
        dev, dev_split: Labelled recordings that the old heads are measured on, before and after.
        seed: Seed of all training.
        on_progress: Called with a line for each step.

    Raises:
        ConfigError: No such model, or labels that no head can learn.
        CorpusError, ManifestError: The recordings can't be read.
        ValueError: `out` belongs to another transfer, or no time.
    """
    if not 0 < minutes < math.inf:
        raise ValueError(f"minutes must be above 0, got {minutes:g}")
    config = read_config(model)
    own = config.heads.get(head)
    recordings = read_recordings(data, label or (own.label if own and own.label else head))
    settings = {"model": str(model), "head": head, "label": recordings.label, "digest": recordings.digest,
                "seed": seed, "weights": str(find_weights(model))}
    search = _Search(config, recordings, head, Path(out), settings, minutes * 60, on_progress or (lambda line: None))
    return search.run(dev, dev_split)


class _OutOfTime(Exception):
    """A trial that took longer than there is time for."""


class _Search:
    """One transfer: its trials, and where it stands."""

    def __init__(self, config: ZooConfig, recordings: Recordings, head, out, settings, seconds, say):
        self.recordings, self.name, self.out, self.settings, self.say = recordings, head, out, settings, say
        self.base = config
        self.head = recordings.head(config, head)
        self.total, self.started = seconds, time.monotonic()
        out.mkdir(parents=True, exist_ok=True)
        self.state = self._resume()
        self.before = self.state["spent"]
        self.batch_seconds = float(np.clip(recordings.seconds / 8, _LEAST_BATCH, _MOST_BATCH))
        self.epochs = self._epochs()
        self.paths = list(read_arrays(settings["weights"]))

    @property
    def spent(self) -> float:
        """Seconds so far, those before an interruption among them."""
        return self.before + time.monotonic() - self.started

    def run(self, dev, dev_split):
        if not self._try_all():
            return TransferResult(self.out / MODEL, interrupted=True, seconds=self.spent)
        chosen = self._best(range(len(self.recordings.folds))) or SCHEDULES[0]
        self.say(f"{chosen.name} is chosen: {chosen.summary}")
        everything = np.arange(len(self.recordings.utterances))
        if self._train(chosen, self.out / "final", everything, None) is None:
            return TransferResult(self.out / MODEL, interrupted=True, seconds=self.spent)
        result = TransferResult(self.out / MODEL, chosen.name, self.state["metric"], self.scores(), self._estimate())
        before = load(self.settings["model"])
        after = self._assemble(list(before.heads))
        result.changed = changed_answers(before, after, self.recordings.utterances)
        result.changed.pop(self.name, None)
        if dev is not None:
            result.forgotten = forgotten(before, after, dev, dev_split)
        save(after, self.out / MODEL)
        result.seconds = self.spent
        write_card(self.out / MODEL / "card.md", self.settings, self.recordings, result, chosen, self.head)
        self._save()
        return result

    def scores(self) -> dict[str, list[float]]:
        """Schedule -> the metric on each fold that it was tried on."""
        trials = self.state["trials"]
        return {schedule.name: [trials[key]["value"] for fold in range(len(self.recordings.folds))
                                if (key := f"{schedule.name}-{fold}") in trials]
                for schedule in SCHEDULES if f"{schedule.name}-0" in trials}

    # -- the search ------------------------------------------------------------------------------------------------

    def _try_all(self) -> bool:
        """Tries schedules fold by fold while there is time; False when it was interrupted."""
        for fold, held_out in enumerate(self.recordings.folds):
            for schedule in SCHEDULES:
                key = f"{schedule.name}-{fold}"
                if key in self.state["trials"]:
                    continue
                if fold and f"{schedule.name}-{fold - 1}" not in self.state["trials"]:
                    continue  # there was no time for it before
                if not self._has_time(schedule):
                    continue
                everything = np.arange(len(self.recordings.utterances))
                try:
                    value = self._train(schedule, self.out / "trials" / key, np.setdiff1d(everything, held_out),
                                        held_out)
                except _OutOfTime:
                    self._forget(self.out / "trials" / key)
                    continue
                if value is None:
                    return False
                self._forget(self.out / "trials" / key)
                self.say(f"fold {fold + 1} of {len(self.recordings.folds)}, {schedule.name}: "
                         f"{self.state['metric']} {value:.4g} ({self.spent / 60:.1f} of {self.total / 60:.1f} min)")
        return True

    def _has_time(self, schedule) -> bool:
        """Whether another trial fits in, with the final training behind it."""
        trials = self.state["trials"]
        known = [trial["seconds"] for key, trial in trials.items() if key.rpartition("-")[0] == schedule.name]
        if not trials:
            return True  # one is tried in any case, and stopped in time
        expected = max(known) if known else 2 * max(trial["seconds"] for trial in trials.values())
        final = max(trial["seconds"] for trial in trials.values())
        return self.spent + expected + 1.3 * max(final, expected) < (1 - _RESERVE) * self.total

    def _best(self, folds) -> Schedule | None:
        """The schedule with the best mean over those of `folds` that all of the longest tried have in common."""
        trials = self.state["trials"]
        tried = {schedule.name: [fold for fold in folds if f"{schedule.name}-{fold}" in trials]
                 for schedule in SCHEDULES}
        most = max(map(len, tried.values()), default=0)
        if not most:
            return None
        sign = 1 if lower_is_better(self.state["metric"]) else -1
        means = [(sign * self._mean(schedule, tried[schedule.name]), number)
                 for number, schedule in enumerate(SCHEDULES) if len(tried[schedule.name]) == most]
        return SCHEDULES[min(means)[1]]

    def _mean(self, schedule, folds):
        trials = [self.state["trials"][f"{schedule.name}-{fold}"] for fold in folds]
        return float(np.average([trial["value"] for trial in trials], weights=[trial["n"] for trial in trials]))

    def _estimate(self):
        """The mean over the folds of what the other folds would have chosen."""
        folds = range(len(self.recordings.folds))
        values, sizes = [], []
        for fold in folds:
            chosen = self._best([other for other in folds if other != fold])
            trial = self.state["trials"].get(f"{chosen.name}-{fold}") if chosen else None
            if trial is not None:
                values.append(trial["value"])
                sizes.append(trial["n"])
        return float(np.average(values, weights=sizes)) if len(values) > 1 else None

    # -- one training ----------------------------------------------------------------------------------------------

    def _train(self, schedule, folder, chosen, held_out) -> float | None:
        """Trains, and keeps what it came to under the folder's name; the metric, or None when interrupted."""
        final = held_out is None
        self.recordings.write(self.out / "manifests" / f"{folder.name}.jsonl", chosen)
        sources = [SourceConfig(str((self.out / "manifests" / f"{folder.name}.jsonl").resolve()))]
        dev = []
        if not final:
            self.recordings.write(self.out / "manifests" / f"{folder.name}-dev.jsonl", held_out)
            dev = [SourceConfig(str((self.out / "manifests" / f"{folder.name}-dev.jsonl").resolve()))]
        epochs = self._affordable_epochs(schedule) if final else self.epochs
        config, started = self._config(schedule, sources, dev, epochs), time.monotonic()

        def watch(record):
            self.state["pace"][schedule.name] = record["step"] / (time.monotonic() - started)
            if not final and self.spent > (0.6 if self.state["trials"] else 0.4) * self.total:
                raise _OutOfTime

        result = train(config, folder, weights=self.settings["weights"], on_record=watch)
        self._save()
        if result.ended == "interrupted":
            return None
        if final:
            return 0.0
        metric = next((name for name in result.metrics
                       if name.startswith(f"{self.name}/") and name != f"{self.name}/loss"), "loss")
        if metric not in result.metrics:  # what is held out has no label that the rest has
            return self._keep(folder.name, float("nan"), 0, started)
        self.state["metric"] = metric
        return self._keep(folder.name, result.metrics[metric], len(held_out), started)

    def _keep(self, key, value, count, started):
        if count:
            self.state["trials"][key] = {"value": float(value), "n": count, "seconds": time.monotonic() - started}
        self._save()
        return value

    def _affordable_epochs(self, schedule) -> int:
        """Epochs of the final training: those of a trial, or as many as there is time for at the pace of one."""
        if (self.out / "final" / "config.yaml").is_file():  # it was begun before
            return read_config(self.out / "final").training.epochs
        pace = self.state["pace"].get(schedule.name)
        if not pace:
            return self.epochs
        seconds = (1 - _RESERVE) * self.total - self.spent
        return int(np.clip(pace * seconds / self._steps_per_epoch(), 1, self.epochs))

    def _config(self, schedule, sources, dev, epochs) -> ZooConfig:
        """The base with one head, the recordings as its data, and a schedule."""
        training = copy.deepcopy(schedule.training)
        if "unfreeze" in training:
            training["unfreeze"] = dict.fromkeys(training["unfreeze"], 1 + epochs // 3)
        steps = epochs * self._steps_per_epoch()
        training |= {"epochs": epochs, "warmup_steps": max(steps // 10, 1), "evaluate_every": 10 ** 9,
                     "checkpoint_every": max(steps // 8, 10), "sort_first_epoch": False, "seed": self.settings["seed"],
                     "decay": "linear"}
        frontend = self.base.frontend
        if schedule.cached and self.base.sharing.type == "hard":
            training["cache_features"] = True
            unmasked = {**frontend.options, "frequency_masks": 0, "time_masks": 0}
            frontend = dataclasses.replace(frontend, options=unmasked)
        # A front end may have no weights.
        training["freeze"] = [pattern for pattern in training.get("freeze", []) if fnmatch.filter(self.paths, pattern)]
        edges = sorted({*self.base.data.bucket_seconds, math.ceil(
            max(utterance["duration"] for utterance in self.recordings.utterances) + 0.01)})
        data = DataConfig(train=sources, dev=dev, seconds_per_batch=self.batch_seconds, bucket_seconds=edges)
        return dataclasses.replace(
            self.base, frontend=frontend, heads={self.name: self.head}, data=data,
            backbone=dataclasses.replace(self.base.backbone, freeze=False, weights=None),
            weighting=PartConfig("static"),
            training=from_dict(TrainingConfig, training, "training"))

    def _steps_per_epoch(self) -> int:
        return max(1, math.ceil(self.recordings.seconds / self.batch_seconds))

    def _epochs(self) -> int:
        return int(max(_STEPS // self._steps_per_epoch(), _LEAST_EPOCHS))

    def _assemble(self, old: list[str]):
        """The base with all its heads, and what the final training has changed."""
        model = load(self.settings["model"], heads={**{name: {} for name in old},
                                                    self.name: dataclasses.asdict(self.head)})
        assign_values(model, read_arrays(self.out / "final" / "final.weights.h5"), "final.weights.h5", strict=False)
        model.new_weights = []
        return model

    # -- where it stands -------------------------------------------------------------------------------------------

    def _resume(self):
        path = self.out / STATE
        if not path.is_file():
            return {"settings": self.settings, "spent": 0.0, "metric": "loss", "trials": {}, "pace": {}}
        state = json.loads(path.read_text(encoding="utf-8"))
        if state["settings"] != self.settings:
            differing = [key for key, value in self.settings.items() if state["settings"].get(key) != value]
            raise ValueError(f"{self.out}: holds another transfer (its {', '.join(differing)} differs); choose another "
                             "output folder, or delete it")
        return state

    def _save(self):
        self.state["spent"] = self.spent
        write_atomically(self.out / STATE, json.dumps(self.state, indent=1).encode())

    @staticmethod
    def _forget(folder):
        shutil.rmtree(folder, ignore_errors=True)
