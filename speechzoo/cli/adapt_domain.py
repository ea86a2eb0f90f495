"""`speechzoo adapt-domain`: a model and recordings of a domain that nobody labelled -> a model for it."""

from speechzoo.cli.decoder_options import positive, split_names

HELP = "Adapt a model to recordings that nobody labelled: by the statistics of its normalisations, or by its entropy."
# Method -> the options that are for it alone.
METHODS = {"statistics": ("prior_seconds",), "entropy": ("heads", "passes", "learning_rate", "weights")}


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("model", metavar="MODEL", help="name of a zoo model, folder of a run, or hf://owner/name")
    parser.add_argument("--data", required=True, nargs="+", metavar="PATH",
                        help="recordings, folders of them, or one manifest, whose labels aren't looked at")
    parser.add_argument("--split", metavar="SPLIT", help="only this split of the manifest")
    parser.add_argument("--method", choices=METHODS, required=True,
                        help="statistics: mean and variance of batch normalisations and stored features; entropy: "
                             "train scales, offsets and the first convolutions until the heads are surer")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the adapted model")
    parser.add_argument("--prior-seconds", type=float, metavar="S",
                        help="statistics: what the old ones count as, seconds of audio (0)")
    parser.add_argument("--heads", type=split_names, metavar="A,B",
                        help="entropy: heads that become surer (those of type ctc, or else classifier)")
    parser.add_argument("--passes", type=int, metavar="N", help="entropy: how often each recording is heard (1)")
    parser.add_argument("--learning-rate", type=positive, metavar="R", help="entropy: learning rate (2e-5)")
    parser.add_argument("--weights", type=split_names, metavar="A,B",
                        help="entropy: patterns on the paths of the weights that train")


def run(arguments):
    """Adapts, saves, and says what changed."""
    for method, options in METHODS.items():
        for option in options:
            if method != arguments.method and getattr(arguments, option) is not None:
                raise ValueError(f"--{option.replace('_', '-')} is for --method {method}; leave it out")
    from speechzoo.adaptation import minimize_entropy, recompute_statistics
    from speechzoo.registry import load, save

    model = load(arguments.model)
    data = arguments.data[0] if len(arguments.data) == 1 else arguments.data
    if arguments.method == "statistics":
        report = recompute_statistics(model, data, arguments.prior_seconds or 0.0, arguments.split)
        line = (f"statistics of {len(report.layers)} layers from {report.seconds:.0f} s, "
                f"{report.prior_share:.0%} of their weight from before")
    else:
        given = {"passes": arguments.passes, "learning_rate": arguments.learning_rate}
        report = minimize_entropy(model, data, arguments.heads, patterns=arguments.weights, split=arguments.split,
                                  **{name: value for name, value in given.items() if value is not None})
        line = (f"{', '.join(report.heads)}: unsureness {report.before:.4f} -> {report.after:.4f} over "
                f"{report.recordings} recordings; {len(report.weights)} weights trained")
    save(model, arguments.out)
    for skipped in report.skipped:
        print(f"  left out: {skipped}")
    print(f"{arguments.out}: {line}")
