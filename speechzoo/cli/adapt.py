"""`speechzoo adapt`: how an owner speaks, from recordings of what they are known to have said."""

from pathlib import Path

HELP = "Adapt an exported model to how somebody speaks, from ten sentences that they are known to have said."


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("model", metavar="FILE", help=".tflite file exported with --signatures adapt")
    parser.add_argument("--said", nargs="+", action="append", required=True, metavar="TEXT AUDIO",
                        help="what was said, and a recording of it, or several; once for each text")
    parser.add_argument("--owner", required=True, metavar="FILE",
                        help="where it is kept (.npz): goes on from what is there; delete it to forget")


def run(arguments):
    """Adapts, writes what was learnt and says how far it fits."""
    from speechzoo.edge.owner import Owner
    from speechzoo.opening import open_model

    if any(len(said) < 2 for said in arguments.said):
        raise ValueError("--said takes a text and a recording of it: --said 'turn on the light' light.wav")
    owner = Owner(open_model(arguments.model))
    if Path(arguments.owner).exists():
        owner.load(arguments.owner)
    before, after = owner.adapt([(text, path) for text, *paths in arguments.said for path in paths])
    owner.save(arguments.owner)
    print(f"{arguments.owner}: {before:.2f} -> {after:.2f} nats a unit of what was said")
