"""The card of a transferred model: what it was chosen for, what to expect of it, and what it has forgotten."""

from pathlib import Path

import numpy as np

from speechzoo.files import write_atomically
from speechzoo.transfer.schedules import SCHEDULES


def write_card(path: Path, settings: dict, recordings, result, chosen, head):
    """Writes the card.

    Args:
        path: The file.
        settings: What the transfer was asked for.
        recordings: `Recordings` that it learnt from.
        result: `TransferResult`.
        chosen: The `Schedule`.
        head: Config of the head.
    """
    speakers = {utterance["speaker"] for utterance in recordings.utterances if "speaker" in utterance}
    folds = f"{len(recordings.folds)} folds, " + (
        "each without some of the speakers" if recordings.by_speaker else "speakers may be on both sides: people who "
        "were never heard will do worse")
    lines = [f"# {settings['model']} with a head `{settings['head']}`", "",
             f"Learnt from {len(recordings.utterances)} recordings ({recordings.seconds / 60:.1f} minutes"
             + (f", {len(speakers)} speakers" if speakers else ", speakers unknown") + f") with a label "
             f"`{recordings.label}`, in {result.seconds / 60:.1f} minutes, by `speechzoo transfer`.", "",
             f"**{chosen.name}**: {chosen.summary}.", "", "## What to expect", ""]
    if result.estimate is not None:
        lines += [f"{result.metric} of recordings that it was not trained on: **{result.estimate:.3f}** ({folds}). "
                  "Each fold is measured with the schedule that the other folds choose, so that the choice hasn't seen "
                  "what measures it.", ""]
    else:
        lines += ["There was no time to measure it on recordings that it was not trained on: nothing is known of how "
                  "well it does.", ""]
    if result.scores:
        lines += [f"| schedule | {result.metric}, mean | folds | lowest | highest |", "|---|---|---|---|---|"]
        lines += [f"| {schedule.name} | {np.mean(values):.3f} | {len(values)} | {min(values):.3f} | {max(values):.3f} |"
                  for schedule in SCHEDULES if (values := result.scores.get(schedule.name))]
        lines += [""]
    lines += ["## What it has forgotten", ""]
    if result.forgotten:
        lines += ["| head | metric | before | after |", "|---|---|---|---|"]
        lines += [f"| {name} | {metric} | {before:.3f} | {after:.3f} |"
                  for name, figures in result.forgotten.items() for metric, (before, after) in figures.items()]
        lines += [""]
    if result.changed:
        lines += ["Share of the answers for these recordings that are others than before:", "",
                  "| head | changed |", "|---|---|"]
        lines += [f"| {name} | {100 * share:.1f} % |" for name, share in result.changed.items()]
    elif not result.forgotten:
        lines += ["It had no other heads."]
    write_atomically(path, ("\n".join(lines).rstrip() + "\n").encode())
