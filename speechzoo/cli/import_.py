"""`speechzoo import`: published weights -> a folder that training starts from."""

HELP = "Read published weights of recognisers and speaker encoders, to use them or to start training from them."


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("source", metavar="SOURCE",
                        help="weights of a Whisper model (model.bin, model.safetensors, tiny.en.pt), a Conformer of "
                             "NeMo (.nemo) or ESPnet (.pth with its config.yaml), wav2vec 2.0, HuBERT or Moonshine, or "
                             "a speaker encoder (Resemblyzer's pretrained.pt, SpeechBrain's embedding_model.ckpt), the "
                             "folder or the downloaded package with them, or hf://owner/name")
    parser.add_argument("--out", required=True, metavar="DIR",
                        help="folder to write to: model.weights.h5, config.yaml, origin.json, card.md")
    parser.add_argument("--encoder", action="store_true",
                        help="leave decoder or head out, for models with heads of their own")


def run(arguments):
    """Imports, and prints what was read, what was left out and why, and what to do next."""
    import sys
    from collections import Counter

    from speechzoo.origin import UNKNOWN_LICENCE
    from speechzoo.published.importing import WEIGHTS, import_published

    report = import_published(arguments.source, arguments.out, arguments.encoder)
    if not report.known:
        print(f"warning: {report.source}: not among the files that speechzoo knows by their SHA-256; trust it as far "
              "as its source", file=sys.stderr)
    named = report.licence != UNKNOWN_LICENCE
    print(f"{report.source}: {report.name}, licence "
          + (", ".join(filter(None, (report.licence, report.copyright))) if named else "unknown: that of whoever "
             "published the file; state it in origin.json before you pass anything on"))
    print(f"from      {report.given}")
    print(f"read      {len(report.used)} arrays, {report.parameters / 1e6:.2f} million weights of the backbone "
          f"'{report.architecture}'" + "".join(f" and the head '{head}'" for head in report.heads))
    for reason, count in Counter(report.left_out.values()).items():
        print(f"left out  {count} array{'s' * (count > 1)}: {reason}")
    ready = f"  speechzoo recognize {report.output} recording.wav\nor " if report.heads else ""
    print(f"{report.output / WEIGHTS}\nnext: {ready}write my_model.yaml with heads, data and\n"
          f"  backbone: {{weights: {report.output}}}\nand\n"
          "  speechzoo train my_model.yaml --out runs/mine")
    return 0
