"""`speechzoo train`: a config and its data -> weights."""

import datetime
import sys

from speechzoo.cli.decoder_options import split_names
from speechzoo.names import shown

HELP = "Train a model of the zoo, or a config of your own; started again, it goes on where it stopped."
LIST = "overrides"

# Kinds of reasons why labels of one head aren't used.
_LISTED = 8


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("config", metavar="CONFIG", help="name of a zoo model, or path of a YAML file")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE",
                        help="changes to the config: training.epochs=3 'data.train=[{manifest: a.jsonl}]'")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the run: weights, log, curves")
    parser.add_argument("--weights", metavar="WEIGHTS", help="what to start from: name of a zoo model, folder of a "
                        "run, a weights file, or hf://owner/name; what doesn't fit starts at random")
    parser.add_argument("--heads", metavar="A,B", type=split_names, help="train only these heads of the config")
    parser.add_argument("--restart", action="store_true", help="start over, dropping what an earlier run left in DIR")


def run(arguments):
    """Trains, showing progress on a terminal and plain lines elsewhere; 130 when it was interrupted."""
    return show_training(arguments.config, arguments, arguments.overrides, arguments.heads)


def show_training(config, arguments, overrides: list[str] = (), heads: list[str] | None = None) -> int:
    """Trains, and prints how it goes and what comes out; the exit code.

    Args:
        config, overrides, heads: As of `speechzoo.training.trainer.train`.
        arguments: Those of the command line: `out`, `weights`, `restart`.
    """
    from speechzoo.training.trainer import train

    with (_Bar() if sys.stdout.isatty() else _Lines()) as display:
        result = train(config, arguments.out, not arguments.restart, overrides, arguments.weights, heads, display.show,
                       display.show_data)
    report = result.load_report
    if report is not None and not report.complete:
        source = arguments.weights or "backbone.weights"
        print(f"{source}: not in the file: {len(report.missing)} variables{_first(report.missing)}; "
              f"not in the model: {len(report.unexpected)}{_first(report.unexpected)}; "
              f"of another shape: {len(report.mismatched)}{_first(report.mismatched)}")
    cost = f"{result.audio_hours:.3g} hours of audio heard, {result.core_hours:.3g} core hours of work"
    if result.ended == "interrupted":
        print(f"stopped at step {result.step} of {result.total_steps}; the same command goes on from there")
        print(cost)
        return 130
    if result.ended == "early":
        print(f"stopped early at step {result.step} of {result.total_steps}: "
              f"no improvement since step {result.best_step}")
    print(f"{result.output / 'final.weights.h5'}: step {result.step}{_values(result.metrics, ': ')}")
    if result.best is not None:
        print(f"{result.output / 'best.weights.h5'}: step {result.best_step}: {result.best:.4g}")
    print(cost)
    return 0


class _Lines:
    """One plain line a record, for logs."""

    def __enter__(self):
        self._first = None
        return self

    def __exit__(self, *exception):
        pass

    def show_data(self, data):
        print("\n".join(_data_lines(data)), flush=True)

    def show(self, record):
        now = datetime.datetime.now()
        first_time, first_step = self._first = self._first or (now, record["step"])
        done = record["step"] - first_step
        line = f"{now:%H:%M:%S} {_line(record)}"
        if record["event"] == "train" and done:
            left = (now - first_time) / done * (record["total_steps"] - record["step"])
            line += f", {datetime.timedelta(seconds=round(left.total_seconds()))} left"
        print(line, flush=True)


class _Bar:
    """A progress bar with every head's loss; evaluations stay above it."""

    def __enter__(self):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(BarColumn(20), MofNCompleteColumn(), TextColumn("{task.fields[values]}"),
                                  TimeRemainingColumn(), speed_estimate_period=600)
        self._task = None
        self._progress.start()
        return self

    def __exit__(self, *exception):
        self._progress.stop()

    def show_data(self, data):
        self._progress.console.print("\n".join(_data_lines(data)), highlight=False, markup=False, soft_wrap=True)

    def show(self, record):
        if self._task is None:
            self._task = self._progress.add_task("train", total=record["total_steps"], completed=record["step"],
                                                 values="")
        if record["event"] == "train":
            losses = {name: value for name, value in record.items() if name == "loss" or name.endswith("/loss")}
            self._progress.update(self._task, completed=record["step"],
                                  values=f"{_values(losses)}, {record['speed']:.0f} s audio/s")
        else:
            self._progress.console.print(_line(record), highlight=False)


def _data_lines(data):
    """What is trained on, and what was left out and why."""
    from speechzoo.data.reasons import count_reasons

    lines = []
    if data["started_over"]:
        lines.append("an earlier run here ended before its first checkpoint: starting over")
    for name in ("train", "dev"):
        if name not in data:
            continue
        part = data[name]
        labels = ", ".join(f"{head} {count}" for head, count in part["labels"].items())
        lines.append(f"{name}: {part['utterances']} utterances, {part['hours']:.3g} h; labels: {labels}")
        lines += [f"  left out {count}: {shown(reason)}"
                  for reason, count in count_reasons(part["left_out"]).most_common()]
        for head, reasons in part["unused_labels"].items():
            kinds = count_reasons(reasons)
            for reason, count in kinds.most_common(_LISTED):
                example = next(example for example in reasons if reason in count_reasons([example]))
                such = f", such as {example[:97]}..." if len(example) > 100 else f", such as {example}"
                lines.append(f"  {head}: {count} labels not used: {shown(reason)}{shown(such) * (example != reason)}")
            if len(kinds) > _LISTED:
                lines.append(f"  {head}: labels not used for {len(kinds) - _LISTED} other reasons, listed in data.json")
    return lines


def _line(record):
    if "reused" in record:
        what = "frames" if record["event"] == "features" else f"what the {record['event']} says"
        return (f"{what} of {record['kept']} utterances on disk, {record['reused']} from before, {record['left_out']} "
                f"don't fit: {record['gigabytes']:.3g} GB")
    where = f"{record['event']} step {record['step']}/{record['total_steps']} epoch {record['epoch'] + 1}"
    measured = {name: value for name, value in record.items()
                if isinstance(value, float) and name not in ("learning_rate", "speed", "audio_hours", "core_hours")}
    speed = f", {record['speed']:.0f} s audio/s" if "speed" in record else ""
    return f"{where}{_values(measured, ': ')}{speed}"


def _values(values, before=""):
    text = ", ".join(f"{name.replace('/loss', '')} {value:.4g}" for name, value in values.items())
    return before + text if text else ""


def _first(paths):
    return f" ({paths[0]}{', ...' if len(paths) > 1 else ''})" if paths else ""
