"""The card of a model that has learnt to learn: what it was taught with, and what to expect of new classes."""

from pathlib import Path

from speechzoo.files import write_atomically
from speechzoo.meta.methods import METHODS
from speechzoo.meta.settings import MetaSettings


def write_card(path: Path, settings: MetaSettings, experiment, figures: dict[str, dict[str, float]]):
    """Writes the card.

    Args:
        path: The file.
        settings: Of the run.
        experiment: `Experiment`, for what it was taught and measured with.
        figures: Method -> figures on held-out classes.
    """
    recordings, names = experiment.recordings, experiment.recordings.names
    teaching, testing = experiment.teaching, experiment.testing
    kind = METHODS[settings.method]
    taught = (f"Taught by {settings.episodes:,} episodes of {settings.ways} classes with {settings.shots} recordings "
              f"each" if kind.trained else "Episodes teach this method nothing: it is a baseline")
    voices = ("Support and queries of an episode are of different speakers" if testing.by_speaker else
              "Speakers couldn't be kept apart: the same person may be in support and queries, so that others will do "
              "worse")
    lines = [f"# {settings.model}: {settings.label} from {settings.shots} recordings, by `{settings.method}`", "",
             f"{taught} ({kind.paper}). " + ("Front end and backbone have learnt, too." if settings.train_backbone else
                                             "Front end and backbone are as they were."), "",
             f"Classes that taught ({len(teaching.members)} recordings): {', '.join(names(teaching.members))}.", "",
             "The head's classes are placeholders: `speechzoo meta RUN --words FOLDER` fills in words of one's own.",
             "",
             "## What to expect", "",
             f"Measured on {len(testing.members)} recordings of classes that never taught, "
             f"{', '.join(names(testing.members))}, in {settings.test_episodes} episodes of {settings.ways} classes, "
             f"{settings.shots} recordings to learn from each. {voices}.", "",
             "| method | right | 95 % | right and accepted, 5 % of others accepted | the same at the threshold set "
             "before | others accepted there |", "|---|---|---|---|---|---|"]
    for name, found in figures.items():
        lines.append(f"| {name} | {_percent(found, 'accuracy')} | {_percent(found, 'accuracy_low')} to "
                     f"{_percent(found, 'accuracy_high')} | {_percent(found, 'hits')} | "
                     f"{_percent(found, 'set_hits')} | {_percent(found, 'set_false_accepts')} |")
    if settings.unknown or settings.silence:
        made = "" if len(recordings.silences) else " (faint noise)"
        lines += ["", f"Others are {settings.unknown} recordings of further classes per episode and {settings.silence} "
                  f"of silence{made}. The threshold of the third column is chosen on these very episodes; the one set "
                  "before, on classes that taught, is what the model has."]
    if experiment.unreadable:
        lines += ["", f"{experiment.unreadable} recordings couldn't be read and were left out."]
    write_atomically(path, ("\n".join(lines) + "\n").encode())


def _percent(figures, name):
    return f"{100 * figures[name]:.1f} %" if name in figures else "-"
