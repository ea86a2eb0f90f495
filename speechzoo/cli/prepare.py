"""`speechzoo prepare`: a corpus -> manifest and shards."""

import argparse
import sys

from speechzoo.data.workers import available_cores
from speechzoo.names import shown

HELP = "Check a corpus and write it as a manifest and TFRecord shards for training."

# Labels of many values are counted, not listed.
_LISTED_VALUES = 48
_COUNTED = ("speaker", "transcript", "phones")
_LISTED_REASONS = 8


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("corpus", metavar="CORPUS",
                        help="librispeech, speech_commands, ..., folder, manifest or tfds:NAME; '?' lists all")
    parser.add_argument("--source", metavar="DIR", help="the corpus as it comes out of its archive")
    parser.add_argument("--out", metavar="DIR", help="folder to write manifest.jsonl and the shards to")
    parser.add_argument("--label", metavar="NAME",
                        help="corpus 'folder': what the folders' names are, such as keyword or speaker")
    parser.add_argument("--option", action="append", default=[], type=_option, metavar="KEY=VALUE",
                        help="any argument of the corpus' reader, such as speakers=SPEAKERS.TXT; may be repeated")
    parser.add_argument("--split", nargs="+", default=[], metavar="NAME", help="keep only these splits of the corpus")
    parser.add_argument("--hold-out", type=float, default=0.0, metavar="PART",
                        help="split by speaker instead: this part of the speakers becomes 'dev', the others 'train'; "
                             "women and men, children and adults and the corpus' own splits give their shares")
    parser.add_argument("--hold-out-names", nargs="+", default=[], metavar="NAME",
                        help="hold out exactly these speakers, or recordings by their id, instead of a part")
    parser.add_argument("--same-split-as", nargs="+", default=[], metavar="FILE",
                        help="with --hold-out: manifests prepared before, whose speakers stay in their splits")
    parser.add_argument("--lexicon", metavar="NAME", help="add phones to transcripts: cmudict, or a lexicon's path")
    parser.add_argument("--trim-silence", action="store_true", help="cut silence off both ends of every recording")
    parser.add_argument("--maximum-seconds", type=float, default=600.0, metavar="S",
                        help="skip longer recordings (%(default)g)")
    parser.add_argument("--workers", type=int, default=available_cores(), metavar="N",
                        help="processes that decode (%(default)s, the cores of this machine)")


def run(arguments):
    """Prepares the corpus, showing progress, and prints what was found and what was skipped."""
    if arguments.corpus == "?":
        _print_corpora()
        return
    missing = [f"--{name}" for name in ("source", "out") if not getattr(arguments, name)]
    if missing:
        raise ValueError(f"prepare {arguments.corpus} needs {' and '.join(missing)}; see speechzoo prepare --help")
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

    from speechzoo.data.prepare import prepare

    if arguments.hold_out_names and (arguments.hold_out or arguments.same_split_as):
        raise ValueError("--hold-out-names says exactly who is held out; leave --hold-out and --same-split-as out")
    if arguments.same_split_as and not arguments.hold_out:
        raise ValueError("--same-split-as needs --hold-out, the part that is held out")
    options = dict(arguments.option)
    if arguments.label:
        options["label"] = arguments.label
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("prepare", total=None)
        summary = prepare(arguments.corpus, arguments.source, arguments.out, options, splits=arguments.split,
                          hold_out=arguments.hold_out_names or arguments.hold_out, lexicon=arguments.lexicon,
                          trim_silence=arguments.trim_silence, maximum_seconds=arguments.maximum_seconds,
                          workers=arguments.workers,
                          on_progress=lambda done, total: progress.update(task, completed=done, total=total),
                          same_split_as=arguments.same_split_as)
    print_summary(summary, arguments.lexicon)


def print_summary(summary, lexicon):
    """Prints what a prepared folder holds, and what was skipped."""
    from speechzoo.data.shards import SKIPPED

    hours = summary.seconds / 3600
    print(f"{summary.manifest}: {summary.utterances} utterances, {hours:.2f} h, {summary.shards} shards")
    for name, values in sorted(summary.labels.items()):
        labelled = sum(values.values())
        if name in _COUNTED or len(values) > _LISTED_VALUES:
            print(f"  {name}: {labelled} utterances, {len(values)} different")
        else:
            counts = ", ".join(f"{value} {n}" for value, n in sorted(values.items()))
            print(f"  {name}: {labelled} utterances: {counts}")
    if summary.rewritten:
        print(f"  rewritten as they are spoken: {summary.rewritten} transcripts")
    for reason, n in summary.mended.most_common(_LISTED_REASONS):
        print(f"  not spoken in {n} transcripts: {shown(reason)}")
    if len(summary.mended) > _LISTED_REASONS:
        print(f"  and {len(summary.mended) - _LISTED_REASONS} other things in "
              f"{sum(n for _, n in summary.mended.most_common()[_LISTED_REASONS:])} transcripts")
    if summary.guessed:
        common = ", ".join(f"{shown(word)} {n}" for word, n in summary.guessed.most_common(_LISTED_REASONS))
        print(f"  phones guessed from letters: {len(summary.guessed)} words that the lexicon doesn't have: {common}"
              + (", ..." if len(summary.guessed) > _LISTED_REASONS else ""))
    if lexicon and summary.unspoken:
        print(f"  without phones: {summary.unspoken} transcripts with words that have no pronunciation")
    for name, values in sorted(summary.untested.items()):
        listed = ", ".join(map(shown, values[:_LISTED_VALUES])) + (", ..." if len(values) > _LISTED_VALUES else "")
        print(f"  {name}: no dev recording of {listed}")
    if summary.skipped:
        print(f"skipped {sum(summary.skipped.values())}, listed in {summary.manifest.parent / SKIPPED}:")
        for reason, n in summary.skipped.most_common():
            print(f"  {n} x {shown(reason)}")


def _print_corpora():
    """Every corpus, with the first line of its reader's description."""
    from speechzoo.corpora import CORPORA

    width = max(map(len, CORPORA))
    for name, reader in sorted(CORPORA.items()):
        print(f"{name:<{width}}  {reader.__doc__.splitlines()[0]}")
    print(f"{'tfds:NAME':<{width}}  A dataset of TensorFlow Datasets, such as tfds:librispeech")


def _option(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"'{text}' is not KEY=VALUE")
    return key, value
