"""`speechzoo pseudo-label`: recordings that nobody labelled -> a manifest with a model's own answers to train on."""

from speechzoo.cli.decoder_options import add_decoder_arguments, split_names

HELP = "Write a manifest with a model's answers as labels of recordings that nobody labelled, where it is sure enough."


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("model", metavar="MODEL", help="zoo model, folder of a training run, or .tflite file")
    parser.add_argument("--data", required=True, nargs="+", metavar="PATH",
                        help="recordings, folders of them, or one manifest")
    parser.add_argument("--split", metavar="SPLIT", help="only this split of the manifest")
    parser.add_argument("--out", required=True, metavar="MANIFEST", help="manifest to write (.jsonl)")
    parser.add_argument("--heads", type=split_names, metavar="A,B", help="only these heads label")
    parser.add_argument("--confidence", type=float, default=0.6, metavar="C",
                        help="least confidence, 0 to 1, where --dev isn't given (%(default)g)")
    parser.add_argument("--dev", metavar="MANIFEST", help="labelled recordings that set each head's least confidence")
    parser.add_argument("--dev-split", metavar="SPLIT", help="only this split of them")
    parser.add_argument("--error", type=float, default=0.1, metavar="E",
                        help="most errors there of what is sure enough, per word, phone or decision (%(default)g)")
    parser.add_argument("--phones", action="store_true",
                        help="write the phones of transcripts all of whose words --lexicon or CMUdict has")
    parser.add_argument("--lexicon", metavar="FILE",
                        help="how words sound, for --phones and --dictation: cmudict (default), or a lexicon's path")
    add_decoder_arguments(parser)
    parser.set_defaults(grammar=None, command_threshold=None)


def run(arguments):
    """Labels, and says how many recordings got what, and how sure a head had to be."""
    from speechzoo.adaptation import pseudo_label
    from speechzoo.cli.decoder_options import read_decoder_options
    from speechzoo.opening import open_model
    from speechzoo.text.lexicon import load_lexicon

    lexicon, phones = arguments.lexicon, arguments.phones
    if lexicon and not (phones or arguments.dictation):
        raise ValueError("--lexicon says how words sound: add --phones or --dictation")
    if not arguments.dictation:
        arguments.lexicon = None  # what the decoders' options would refuse
    decoding = read_decoder_options(arguments)
    model = open_model(arguments.model)
    data = arguments.data[0] if len(arguments.data) == 1 else arguments.data
    report = pseudo_label(model, data, arguments.out, arguments.heads, arguments.confidence, arguments.dev,
                          arguments.dev_split, arguments.error, decoding.transcripts(model.spec, arguments.heads),
                          load_lexicon(lexicon or "cmudict") if phones else None, arguments.split)
    for line in report.skipped:
        print(f"  left as it was: {line}")
    print(f"{report.manifest}: {report.recordings} recordings")
    for label, count in report.labelled.items():
        print(f"  {label}: {count} labelled{_threshold(report.thresholds, label)}")


def _threshold(thresholds, label):
    if label not in thresholds:
        return ", from transcripts"
    threshold = thresholds[label]
    if threshold is None:
        return "; no confidence keeps the errors low enough"
    if threshold.error is None:
        return f", from a confidence of {threshold.confidence:.2f} on"
    return (f", from a confidence of {threshold.confidence:.2f} on, which {threshold.share:.0%} of the labelled "
            f"recordings had, with {threshold.error:.1%} errors")
