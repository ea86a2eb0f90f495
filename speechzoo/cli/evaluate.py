"""`speechzoo evaluate`: a model and labelled recordings -> figures."""

import json
import sys

from speechzoo.cli.decoder_options import (add_decoder_arguments, add_grammar_arguments, positive,
                                           read_decoder_options, split_names, split_numbers)

HELP = "Measure every head of a model on labelled recordings."

# Skipped recordings that are named one by one.
_LISTED = 10


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("model", metavar="MODEL", help="zoo model, folder of a training run, or .tflite file")
    recordings = parser.add_mutually_exclusive_group(required=True)
    recordings.add_argument("--manifest", nargs="+", metavar="FILE", help="manifests, JSONL")
    recordings.add_argument("--dev", metavar="DIR",
                            help="the dev sources of the model's config, prepared under this folder")
    parser.add_argument("--split", metavar="NAME", help="only utterances of this split")
    parser.add_argument("--heads", type=split_names, metavar="A,B",
                        help="only these heads; all that have labels otherwise")
    parser.add_argument("--json", metavar="FILE", help="write the figures to this file")
    parser.add_argument("--predictions", metavar="FILE", help="write every utterance's answers to this JSONL file")
    parser.add_argument("--confusions", action="store_true",
                        help="add tables of classes and confusion matrices to the JSON")
    parser.add_argument("--batch-seconds", type=positive, default=96.0, metavar="S",
                        help="seconds of audio in one batch (%(default)g); changes speed and memory, no result")
    parser.add_argument("--maximum-seconds", type=positive, default=120.0, metavar="S",
                        help="skip longer recordings (%(default)g)")
    commands = parser.add_argument_group("spoken commands", "measured on recordings that have an intent")
    add_grammar_arguments(commands)
    commands.add_argument("--noise", metavar="FILE",
                          help="add this recording to every other, or one of a manifest (.jsonl), at each --snr")
    commands.add_argument("--noise-split", metavar="NAME", help="only noises of this split of the manifest")
    commands.add_argument("--snr", type=split_numbers, default=[], metavar="DB,DB",
                          help="signal-to-noise ratios, such as 6,9,12,15,18,21,24")
    add_decoder_arguments(parser)


def run(arguments):
    """Evaluates, showing progress, prints a table and writes the files asked for."""
    from rich.console import Console
    from rich.progress import Progress

    from speechzoo.evaluation import evaluate
    from speechzoo.files import check_writable, write_atomically
    from speechzoo.opening import open_model

    for path in filter(None, (arguments.json, arguments.predictions)):
        check_writable(path)
    decoding = read_decoder_options(arguments)
    model, sources = open_model(arguments.model), arguments.manifest
    if arguments.dev:
        if model.zoo_config is None:
            raise ValueError(f"{arguments.model}: an exported file knows no dev sources; name them with --manifest")
        sources = model.zoo_config.dev_sources(arguments.dev)
        if not sources:
            raise ValueError(f"{arguments.model}: its config names no dev sources; name recordings with --manifest")
    decoder, commands = decoding.transcripts(model.spec, arguments.heads), decoding.commands(model.spec)
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("evaluate", total=None)
        result = evaluate(model, sources, arguments.heads, split=arguments.split, decoder=decoder,
                          batch_seconds=arguments.batch_seconds, maximum_seconds=arguments.maximum_seconds,
                          confusions=arguments.confusions, predictions=arguments.predictions,
                          grammar=commands, noise=arguments.noise, snr=arguments.snr,
                          noise_split=arguments.noise_split,
                          progress=lambda done, total: progress.update(task, completed=done, total=total))
    Console().print(make_table(result, arguments.model))
    _print_skipped(result.get("_skipped", {}))
    if arguments.json:
        write_atomically(arguments.json, (json.dumps(result, indent=1, ensure_ascii=False) + "\n").encode())


def make_table(result: dict, title: str):
    """The figures as a rich table, one metric per row; rates in per cent, others in their unit."""
    from rich.table import Table

    from speechzoo.decoding.answers import ANSWERS

    units = {metric: unit for kind in ANSWERS.values() for metric, unit in kind.metric_units.items()}

    table = Table(title=str(title), title_justify="left")
    for column, justify in (("corpus", "left"), ("head", "left"), ("n", "right"), ("metric", "left"),
                            ("value", "right"), ("95 % interval", "right")):
        table.add_column(column, justify=justify, no_wrap=column != "corpus")
    scopes = [scope for scope in result if scope != "_skipped"]
    for scope in scopes[:1] if len(scopes) == 2 else scopes:  # one corpus alone is what "overall" says
        previous = None
        for head, figures in result[scope].items():
            ratios = {f"accuracy at {snr} dB": value for snr, value in figures.get("by_snr", {}).items()}
            for metric, value in {**figures, **ratios}.items():
                if not isinstance(value, float):
                    continue
                bounds = figures.get(f"{metric}_interval")
                if metric in units:
                    shown = f"{value:.3f} {units[metric]}".strip()
                    interval = f"{bounds[0]:.3f} - {bounds[1]:.3f}" if bounds else ""
                else:
                    shown = f"{value:.1%}"
                    interval = f"{100 * bounds[0]:.1f} - {bounds[1]:.1%}" if bounds else ""
                names = (head, str(figures["n"])) if head != previous else ("", "")
                table.add_row(scope if previous is None else "", *names, metric, shown, interval)
                previous = head
        table.add_section()
    return table


def _print_skipped(skipped):
    audio = skipped.get("audio", [])
    if audio:
        print(f"skipped {len(audio)} recordings:")
        for reason in audio[:_LISTED]:
            print(f"  {reason}")
        if len(audio) > _LISTED:
            print(f"  and {len(audio) - _LISTED} more, listed in the JSON")
    for head, labels in skipped.get("labels", {}).items():
        listed = ", ".join(f"{label} {count}" for label, count in list(labels.items())[:_LISTED])
        print(f"skipped {sum(labels.values())} labels that head '{head}' has no class for: {listed}")
