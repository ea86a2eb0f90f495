"""`speechzoo export`: a model -> a SavedModel for TensorFlow Serving, or one `.tflite` file for a device."""

HELP = "Export a model for a server (SavedModel) or a device (TFLite), measured against Keras first."


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("model", metavar="NAME_OR_DIR", help="a model of the zoo, or the folder of a training run")
    parser.add_argument("--format", choices=("saved_model", "tflite"), default="saved_model", help="what to write (%(default)s)")
    parser.add_argument("--quantize", choices=("none", "float16", "dynamic", "int8"), default="none",
                        help="TFLite only: float16 weights, int8 weights, or int8 weights and activations (%(default)s)")
    parser.add_argument("--representative", metavar="MANIFEST",
                        help="recordings to measure on, and to calibrate int8 with; bundled ones when absent")
    parser.add_argument("--heads", metavar="A,B", help="export only these heads")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write to")


def run(arguments):
    """Exports the model and prints what was written and how far each head is from the Keras model."""
    from speechzoo.evaluation import open_model
    from speechzoo.exporters import export

    if arguments.quantize != "none" and arguments.format != "tflite":
        raise ValueError(f"--quantize {arguments.quantize} needs --format tflite; a SavedModel keeps float32")
    model = open_model(arguments.model)
    if not hasattr(model, "forward_unpadded"):
        raise ValueError(f"{arguments.model}: exported already; export starts from a zoo model or a training run")
    heads = arguments.heads.split(",") if arguments.heads else None
    if arguments.format == "saved_model":
        path = export(model, arguments.out, "saved_model", representative=arguments.representative, heads=heads)
        print(path)
        return
    from speechzoo.exporters.parity import parity_table
    from speechzoo.exporters.tflite import export_tflite

    written = export_tflite(model, arguments.out, arguments.quantize, arguments.representative, heads)
    print(parity_table(written.parity))
    print(f"{sum(written.operators.values())} operators of {len(written.operators)} kinds, all TFLite's own")
    print(f"{written.path}  {written.path.stat().st_size / 1e6:.2f} MB")
