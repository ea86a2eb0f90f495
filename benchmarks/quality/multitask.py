"""What sharing one network brings to six tasks: every sharing and weighting of losses beside training each task alone.

    python -m benchmarks.quality.multitask --data PREPARED --runs RUNS

trains a small network on recordings of Speech Commands, speechocean762, LibriSpeech and ESC-10 (`speechzoo prepare`,
then `speechzoo align` for the phones, see docs/training.md) with the heads keyword, speaker, gender, age_group,
alignment (the phone of each frame) and event, none of which all corpora have labels for, and writes figures and plots.
A run is a few minutes in a process of its own and leaves one JSON file in RUNS. What has its file is not run again: stop
at any time, and start the same command to go on. Each file of figures is written from the runs that are there, and
stays as it is where there are none for it.

    python -m benchmarks.quality.multitask --data PREPARED --runs RUNS --relate

measures in the same network which of these heads belong together (`speechzoo relate`).

All runs have the same optimizer and batches of the same length; shared ones have `--steps` training steps. `alone`
trains a network for one head, for as many steps as show it its labelled recordings as often as a shared training does;
`alone, all steps` for as many steps as a shared training has. In the few-label part one head keeps some of its labels,
the same ones alone and with the others; with the others, recordings that kept theirs are half of what is drawn of those
that had one. `tuned` is `alone` from the weights of a network that was trained on the other heads (`others`), without a
label of this one, for three times as many steps as a shared training.
"""

import argparse
import fnmatch
import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.quality.multitask_figures import read_runs, write_all
from benchmarks.quality.multitask_runs import RELATED, plan_runs, relate_heads, train_one
from tools.figures import FOLDER


def main(arguments):
    """Runs what is missing, each in a process of its own, and writes the figures."""
    arguments.runs.mkdir(parents=True, exist_ok=True)
    read_runs(arguments.runs, arguments.steps)
    related = arguments.runs / Path(RELATED).stem
    if arguments.relate:
        relate_heads(arguments.data, arguments.steps, related)
    part, parts = map(int, arguments.part.split("/"))
    planned = [] if arguments.relate else plan_runs(arguments.seeds)
    runs = [run for run in planned if fnmatch.fnmatch(run.name, arguments.only)][part - 1::parts]
    missing = [run for run in runs if not (arguments.runs / f"{run.name}.json").is_file()]
    print(f"{len(runs)} runs, {len(missing)} to do")
    started, failed = time.monotonic(), 0
    for number, run in enumerate(missing, 1):
        if arguments.minutes is not None and time.monotonic() - started >= 60 * arguments.minutes:
            print(f"{len(missing) - number + 1} runs left for another time")
            break
        begun = time.monotonic()
        child = subprocess.run([sys.executable, "-m", "benchmarks.quality.multitask", "--data", arguments.data,
                                "--runs", arguments.runs, "--steps", str(arguments.steps),
                                "--seeds", str(arguments.seeds), "--child", run.name], stderr=subprocess.PIPE, text=True, check=False)
        failed += child.returncode != 0
        outcome = "done" if child.returncode == 0 else f"failed: {child.stderr.strip().splitlines()[-1:]}"
        print(f"{number}/{len(missing)} {run.name}: {outcome}, {time.monotonic() - begun:.0f} s", flush=True)
    write_all(read_runs(arguments.runs, arguments.steps), arguments.figures, related)
    return 1 if failed else 0


def child(arguments):
    """One run, in this process."""
    from speechzoo.files import write_atomically

    run = next(run for run in plan_runs(arguments.seeds) if run.name == arguments.child)
    result = train_one(run, arguments.data, arguments.runs, arguments.steps)
    write_atomically(arguments.runs / f"{run.name}.json", (json.dumps(result, indent=1) + "\n").encode())


def parse_arguments(argv: list[str] | None = None):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared corpora")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the results, one file a run")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of every run (%(default)s)")
    parser.add_argument("--steps", type=int, default=600, help="training steps of every shared run (%(default)s)")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="only runs whose names match, such as 'alone-*'")
    parser.add_argument("--part", default="1/1", metavar="I/N", help="every Nth run, for N processes side by side")
    parser.add_argument("--relate", action="store_true", help="measure which heads belong together; make no runs")
    parser.add_argument("--minutes", type=float, help="start no run after so long")
    parser.add_argument("--figures", type=Path, default=FOLDER, metavar="FOLDER",
                        help="folder for the figures and their pictures (docs/figures)")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


if __name__ == "__main__":
    given = parse_arguments()
    sys.exit((child if given.child else main)(given))
