"""Published weights -> a folder that training starts from: weights, config and origin."""

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import yaml

from speechzoo.files import write_atomically
from speechzoo.origin import ORIGIN, UNKNOWN_LICENCE
from speechzoo.published.ctranslate2 import CTranslate2File
from speechzoo.published.whisper import REVISION, SPECIFICATION, read_encoder
from speechzoo.published.whisper_decoder import read_alignment_heads, read_vocabulary, read_whisper

WEIGHTS, CONFIG = "model.weights.h5", "config.yaml"


@dataclass(frozen=True)
class PublishedFile:
    """What is known of a file that its publisher made public."""

    name: str
    licence: str
    copyright: str
    licence_file: str
    reference: str


# By SHA-256: OpenAI's checkpoints as CTranslate2's converter writes them in float16. The licence is that of
# https://github.com/openai/whisper, whose README says that it holds for "code and model weights".
KNOWN_FILES = {
    digest: PublishedFile(f"Whisper {name}", "MIT", "Copyright (c) 2022 OpenAI", "whisper-MIT.txt",
                          "https://github.com/openai/whisper")
    for digest, name in {
        "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a": "tiny.en",
        "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9": "base",
    }.items()}


@dataclass
class ImportReport:
    """What `import_published` read and wrote.

    Attributes:
        source: The file that was read.
        output: The folder that was written.
        name: What the file is: a published model's name, or the architecture's where the file isn't known.
        licence: SPDX identifier; `NOASSERTION` where the file isn't known.
        copyright: The holder's line; empty where the file isn't known.
        architecture: The backbone that the weights are for.
        heads: Names of the heads that they are for, too.
        parameters: Numbers in the weights.
        used: Names of the file's arrays that were used.
        left_out: Name of each other array -> why it was left out.
    """

    source: Path
    output: Path
    name: str
    licence: str
    copyright: str
    architecture: str
    heads: list[str]
    parameters: int
    used: list[str]
    left_out: dict[str, str]


def import_published(source: str | Path, output: str | Path, encoder_only: bool = False) -> ImportReport:
    """Reads published weights into `output`: `model.weights.h5`, `config.yaml` and `origin.json`.

    `speechzoo.load(output)` gives the published model, with its decoder as the head `transcript`. `speechzoo train
    CONFIG --weights output/model.weights.h5` starts from them with any config whose front end and backbone are those of
    `config.yaml`; the origin goes into the run, and from there into what is exported.

    Args:
        source: The `model.bin` of a Whisper model in CTranslate2's format, or the folder that holds it.
        output: Folder to write to, made when it isn't there; what an earlier import wrote is replaced.
        encoder_only: Leave the decoder out: for models that begin with the encoder and have heads of their own.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Another kind of file, a damaged one, or an `output` that holds something else.
        OSError: The files can't be written.

    Example:
        import_published("whisper-tiny.en/model.bin", "imported/whisper_tiny_en")
    """
    output = Path(output)
    others = sorted({path.name for path in output.iterdir()} - {WEIGHTS, CONFIG, ORIGIN}) if output.is_dir() else []
    if others:
        raise ValueError(f"{output}: holds {others[0]}, which is no imported file; choose a new folder")
    file = CTranslate2File(source)
    if (file.specification, file.revision) != (SPECIFICATION, REVISION):
        raise ValueError(f"{file.path}: holds a {file.specification} of revision {file.revision}; only {SPECIFICATION} "
                         f"of revision {REVISION} can be imported")
    if encoder_only or not any(name.startswith("decoder/") for name in file):
        encoder = read_encoder(file, str(file.path))
    else:
        folder = file.path.parent
        encoder = read_whisper(file, str(file.path), read_vocabulary(folder), read_alignment_heads(folder))
    from speechzoo.weights import sha256_of, write_arrays  # brings TensorFlow: only when the file is good

    digest = sha256_of(file.path)
    known = KNOWN_FILES.get(digest)
    report = ImportReport(file.path, output, known.name if known else "Whisper (a file that is not known)",
                          known.licence if known else UNKNOWN_LICENCE, known.copyright if known else "",
                          encoder.backbone["type"], list(encoder.heads),
                          sum(array.size for array in encoder.weights.values()), encoder.used, encoder.left_out)
    # The weights come last: they never lie there without what says whose they are.
    write_atomically(output / ORIGIN, (json.dumps(_origin(report, digest, known), indent=1) + "\n").encode())
    write_atomically(output / CONFIG, _config(report, encoder).encode())
    write_arrays(output / WEIGHTS, encoder.weights)
    return report


def _origin(report, digest, known):
    text = (resources.files("speechzoo.published") / "licences" / known.licence_file).read_text("utf-8") if known else (
        "The licence is that of whoever published the file, and is not known here: state it before the weights, or "
        "what derives from them, are passed on.\n")
    reasons = {}
    for name, reason in report.left_out.items():
        reasons.setdefault(reason, []).append(name)
    return {"licence": report.licence,
            "derived_from": [{"name": report.name, "licence": report.licence, "copyright": report.copyright,
                              "sha256": digest, "licence_text": text}],
            "reference": known.reference if known else "",
            "architecture": report.architecture,
            "file": {"name": report.source.name, "sha256": digest, "bytes": report.source.stat().st_size},
            "arrays": {"used": len(report.used), "left_out": {reason: len(names) for reason, names in reasons.items()}}}


def _config(report, encoder):
    name = report.output.resolve().name
    values = {"summary": f"Starts from {report.name}.", "frontend": encoder.frontend, "backbone": encoder.backbone}
    values |= {"heads": encoder.heads} if encoder.heads else {}
    return (f"# To train: extend this, add heads and data, and start from {WEIGHTS} beside it (docs/published.md).\n"
            + yaml.safe_dump({"name": name, **values}, sort_keys=False, default_flow_style=None, width=120))
