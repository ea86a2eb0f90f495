"""`speechzoo align`: when each phone of a manifest's transcripts is spoken."""

import sys

from speechzoo.data.workers import available_cores

HELP = "Find out when each phone, or word, of a manifest's transcripts is spoken, and write it into the manifest."
LIST = "manifests"


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("manifests", nargs="*", metavar="MANIFEST", help="JSONL files; their `alignment` is added")
    parser.add_argument("--lexicon", default="cmudict", metavar="NAME",
                        help="pronunciations of rare words: cmudict, or a lexicon's path (%(default)s)")
    parser.add_argument("--words", type=int, metavar="N",
                        help="then write when each of the N commonest words is spoken, too")
    parser.add_argument("--workers", "--jobs", type=int, default=available_cores(), metavar="N",
                        help="processes (%(default)s, the cores of this machine)")


def run(arguments):
    """Aligns, showing progress, and prints how many could be."""
    from rich.console import Console
    from rich.progress import Progress

    from speechzoo.data.force_alignment import align_manifest
    from speechzoo.data.word_times import add_words

    if arguments.words is not None and arguments.words < 1:
        raise ValueError(f"--words {arguments.words}: must be 1 or more")
    if not arguments.manifests:
        raise ValueError("name a manifest, such as prepared/librispeech/manifest.jsonl")
    for manifest in arguments.manifests:
        with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
            task = progress.add_task("align")
            counts = align_manifest(manifest, arguments.lexicon, arguments.workers,
                                    lambda done, total: progress.update(task, completed=done, total=total))
        aligned = counts.pop("aligned", 0)
        rest = "".join(f", {count} {reason}" for reason, count in counts.most_common())
        print(f"{manifest}: {aligned} aligned{rest}")
    if arguments.words:
        counts = add_words(arguments.manifests, arguments.words, arguments.lexicon)
        rarest = f", the rarest {min(counts.values())} times" if counts else ""
        print(f"{len(counts)} words, spoken {sum(counts.values())} times{rarest}")
