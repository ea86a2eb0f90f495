"""`speechzoo publish`: a trained model -> a folder in the layout of the Hugging Face hub, and its upload."""

HELP = "Publish a model: a folder as the Hugging Face hub knows it, or its upload."


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    from speechzoo.exporters.network.quantizers import QUANTIZATIONS

    parser.add_argument("model", metavar="NAME_OR_DIR",
                        help="a model of the zoo, or the folder of a training run or of an import")
    parser.add_argument("--to", metavar="HF", dest="target", help="hf://user/name: upload it there; the token is that "
                        "of hf auth login or HF_TOKEN")
    parser.add_argument("--out", metavar="DIR", help="folder to write to")
    parser.add_argument("--figures", metavar="FILE", help="what speechzoo evaluate --json wrote of it, for its card; "
                        "those of its checkpoint for a model of the zoo")
    parser.add_argument("--licence", metavar="SPDX", help="licence of weights that bring none, such as Apache-2.0")
    parser.add_argument("--quantize", choices=QUANTIZATIONS, default="dynamic",
                        help="how weights are stored in the .tflite file (%(default)s)")


def run(arguments):
    """Publishes, and prints what was written and what the page doesn't say yet."""
    import sys

    from speechzoo.publishing.publish import publish

    done = publish(arguments.model, arguments.out, arguments.target, arguments.figures, arguments.licence,
                   arguments.quantize)
    for name, size in done.files.items():
        print(f"{size / 1e6:8.2f} MB  {name}")
    if not done.licence:
        print("warning: the card says that the licence is unknown; state one (--licence), or nobody may use the model",
              file=sys.stderr)
    if not done.measured:
        print("warning: the card has no figures; give those of speechzoo evaluate --json (--figures)", file=sys.stderr)
    for place in filter(None, (done.folder, done.page)):
        print(place)
    return 0
