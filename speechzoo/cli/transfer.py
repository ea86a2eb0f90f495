"""`speechzoo transfer`: a head for a trained model from recordings of one's own, in a given time."""

HELP = "Teach a trained model a head from a folder of recordings; how is chosen by cross-validation, in the time given."


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("model", metavar="MODEL", help="name of a zoo model, folder of a run, or hf://owner/name")
    parser.add_argument("--data", required=True, metavar="FOLDER",
                        help="folder with one folder per class, a prepared folder, or a manifest")
    parser.add_argument("--head", required=True, metavar="NAME", help="head to train, the model's own or a new one")
    parser.add_argument("--minutes-of-training", required=True, type=float, metavar="M", help="time for all of it")
    parser.add_argument("--out", required=True, metavar="DIR", help="where the model and its card go; the same command "
                        "goes on with what an interrupted one has left here")
    parser.add_argument("--label", metavar="FIELD", help="label of the recordings; the head's name if it isn't given")
    parser.add_argument("--dev", metavar="MANIFEST", help="labelled recordings to measure the old heads on, before and "
                        "after")
    parser.add_argument("--dev-split", metavar="SPLIT", help="only this split of them")
    parser.add_argument("--seed", type=int, default=1, help="seed of all training (default: 1)")


def run(arguments):
    """Transfers, saying each step; 130 when it was interrupted."""
    from speechzoo.transfer import transfer

    result = transfer(arguments.model, arguments.data, arguments.head, arguments.out, arguments.minutes_of_training,
                      label=arguments.label, dev=arguments.dev, dev_split=arguments.dev_split, seed=arguments.seed,
                      on_progress=lambda line: print(line, flush=True))
    if result.interrupted:
        print("stopped; the same command goes on from there")
        return 130
    expected = "not measured, for want of time" if result.estimate is None else f"{result.metric} {result.estimate:.3f}"
    print(f"{result.model}: {expected} on recordings not trained on; {result.seconds / 60:.1f} minutes")
    for name, figures in result.forgotten.items():
        print(f"  {name}: " + ", ".join(f"{metric} {before:.3f} -> {after:.3f}"
                                        for metric, (before, after) in figures.items()))
    for name, share in result.changed.items():
        print(f"  {name}: {100 * share:.1f} % of its answers for these recordings changed")
    print(f"{result.model / 'card.md'} says more")
    return 0
