"""`speechzoo export`: a model -> a SavedModel for TensorFlow Serving, a file for a device, C sources or a wake word."""

import inspect

from speechzoo.cli.decoder_options import split_names

HELP = "Export a model for a server (SavedModel), a device (TFLite) or a microcontroller, measured against Keras first."
# What a microcontroller of this class computes in a second, for the network alone.
MICRO_MACS_PER_SECOND = 20e6


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    from speechzoo.exporters import FORMATS
    from speechzoo.exporters.network.quantizers import QUANTIZATIONS, QUANTIZERS

    # Values go to `export` by their names; what isn't given has the default of the format's exporter.
    parser.add_argument("model", metavar="NAME_OR_DIR", help="a model of the zoo, or the folder of a training run")
    parser.add_argument("--format", choices=tuple(FORMATS), default="saved_model", help="what to write (%(default)s)")
    parser.add_argument("--quantize", choices=QUANTIZATIONS,
                        help="TFLite only: float16 weights, int8 weights, int8 weights and activations, or int8 "
                             "weights and int16 activations (none)")
    parser.add_argument("--quantizer", choices=tuple(QUANTIZERS),
                        help="what makes dynamic, int8 and int16x8: TensorFlow's converter, or ai-edge-quantizer "
                             "(tensorflow)")
    parser.add_argument("--keep-float", choices=("auto",), metavar="auto",
                        help="int8 only: leave layers in float32 where a head would lose over half a point by them")
    parser.add_argument("--representative", metavar="MANIFEST",
                        help="recordings to measure on, and to calibrate int8 and int16x8; bundled ones when absent")
    parser.add_argument("--heads", type=split_names, metavar="A,B", help="export only these heads")
    parser.add_argument("--signatures", type=split_names, metavar="A,B",
                        help="TFLite only: what the file can be asked beside recognize: stream_step, keyword, embed, "
                             "learn, adapt; default: every one that applies except learn and adapt if the model can "
                             "stream, otherwise none")
    parser.add_argument("--window", type=float, dest="window_seconds", metavar="SECONDS",
                        help="micro only: how much audio the network hears at once (1.0)")
    parser.add_argument("--wake-word", metavar="WORD", help="esphome only: the word to wait for, one of the model's")
    parser.add_argument("--out", dest="directory", required=True, metavar="DIR", help="folder to write to")


def run(arguments):
    """Exports the model and prints what was written and how far each head is from the Keras model."""
    from speechzoo.exporters import export

    known = inspect.signature(export).parameters
    path = export(**{name: value for name, value in vars(arguments).items() if name in known})
    SHOW[arguments.format](path)


def _show_tflite(path):
    from speechzoo.edge.artifact import read_artifact
    from speechzoo.exporters.network.flatbuffer import count_operators
    from speechzoo.exporters.network.sensitivity import sensitivity_table
    from speechzoo.exporters.parity import HeadParity, parity_table

    artifact = read_artifact(path)
    if artifact.sensitivity:
        print(sensitivity_table(artifact.sensitivity), end="\n\n")
    print(parity_table([HeadParity(**row) for row in artifact.parity]))
    operators = count_operators(path.read_bytes())
    print(f"{sum(operators.values())} operators of {len(operators)} kinds, all TFLite's own")
    print(f"{path}  {path.stat().st_size / 1e6:.2f} MB")


def _show_micro(path):
    import json

    from speechzoo.exporters.parity import HeadParity, parity_table

    report = json.loads((path / "report.json").read_text(encoding="utf-8"))
    print(parity_table([HeadParity(**row) for row in report["parity"]]))
    print(f"measured in {report['runtime']}, features in integers; operators: {', '.join(report['operators'])}")
    print(f"network {report['network_bytes']:,} bytes, arena about {report['arena_bytes']:,} bytes")
    print(f"{report['macs'] / 1e6:.1f} million multiply-accumulates a run, on {report['window_seconds']:g} s of audio: "
          f"{MICRO_MACS_PER_SECOND / report['macs']:.1f} runs in {MICRO_MACS_PER_SECOND / 1e6:.0f} million; front end "
          f"{report['frontend_multiplications'] / 1e6:.2f} million multiplications a second")
    print(path)


def _show_esphome(path):
    import json

    from speechzoo.exporters.parity import HeadParity, parity_table

    report = json.loads(path.with_name(f"{path.stem}_report.json").read_text(encoding="utf-8"))
    print(parity_table([HeadParity(**row) for row in report["parity"]]))
    print(f"measured in {report['runtime']}; operators: {', '.join(report['operators'])}")
    print(f"network {report['network_bytes']:,} bytes, arena {report['arena_bytes']:,} bytes; a step every "
          f"{1000 * report['step_seconds']:.0f} ms, {report['macs_per_second'] / 1e6:.1f} million multiply-accumulates "
          "a second")
    print(f"{path}\n{path.with_suffix('.tflite')}")


SHOW = {"saved_model": print, "tflite": _show_tflite, "micro": _show_micro, "esphome": _show_esphome}
"""Format -> what prints what was written."""
