"""A trained model -> a folder in the layout of the hub, which is uploaded where that is asked for."""

import dataclasses
import tempfile
from dataclasses import dataclass
from pathlib import Path

from speechzoo import hub
from speechzoo.decoding.answers import answer_kind
from speechzoo.exporters import export
from speechzoo.files import write_atomically
from speechzoo.origin import ORIGIN, UNKNOWN_LICENCE
from speechzoo.publishing.card import Card, base_models
from speechzoo.publishing.figures import eval_results, read_figures
from speechzoo.publishing.keras_layout import FILES, WEIGHTS, save_keras_layout
from speechzoo.registry import CONFIG, find_card, find_weights, list_models, load, main_figure, read_metrics, save

README, NOTICES, EVAL_RESULTS = "README.md", "licences.txt", ".eval_results"


@dataclass(frozen=True)
class Publication:
    """What `publish` wrote.

    Attributes:
        folder: The folder; None where it was only uploaded.
        files: Names of the files in it, with their sizes in bytes.
        licence: SPDX identifier of the weights' licence; empty where it is not known.
        measured: Whether there are figures in it.
        page: Address on the hub; None where it was not uploaded.
    """

    folder: Path | None
    files: dict[str, int]
    licence: str
    measured: bool
    page: str | None


def publish(source: str | Path, output: str | Path | None = None, target: str | None = None,
            figures: str | Path | None = None, licence: str | None = None,
            quantize: str = "dynamic") -> Publication:
    """Writes a model as a folder that the hub and its users know, and uploads it where `target` says so.

    The folder holds `config.json`, `metadata.json` and `model.weights.h5`, from which `keras.saving.load_model` makes
    the model; `config.yaml` and `origin.json`, with which `speechzoo.load` does, from the same weights; a card
    (`README.md`), figures in `.eval_results`, the licences' texts, and the model as a `.tflite` file.

    Args:
        source: Name of a zoo model, or folder of a training run, of an import or of `speechzoo.save`.
        output: Folder to write to, made when it isn't there; what an earlier `publish` wrote is replaced.
        target: `hf://owner/name`, a model on the hub, which is made where there is none. One of the two at least.
        figures: What `speechzoo evaluate --json` wrote of it; those of its checkpoint for a zoo model when None.
        licence: SPDX identifier of the licence that its maker gives it, where the weights don't bring one.
        quantize: How the weights of the `.tflite` file are stored: see `speechzoo.export`.

    Raises:
        ValueError: The model has no weights, is damaged, has a licence already, or `output` holds something else.
        ModuleNotFoundError: The hub's package isn't installed.
        OSError: The files can't be written, or the hub can't be reached or doesn't let this user write there.

    Example:
        publish("runs/mine", "published/mine", licence="Apache-2.0")
    """
    if output is None and target is None:
        raise ValueError("say where to publish to: a folder, or hf://owner/name")
    if target is not None:
        hub.check_target(target)  # what can't be uploaded is said before the work, not after
    if output is None:
        with tempfile.TemporaryDirectory() as scratch:
            return _publish(source, None, Path(scratch) / "model", target, figures, licence, quantize)
    return _publish(source, Path(output), Path(output), target, figures, licence, quantize)


def _publish(source, output, folder, target, figures, licence, quantize):
    if output is not None:
        _check_folder(output)
    model = load(source)
    known = model.origin.licence not in ("", UNKNOWN_LICENCE)
    if licence and known:
        raise ValueError(f"{source}: its weights are under {model.origin.licence} already, as origin.json says; leave "
                         "the other licence out")
    licence = model.origin.licence if known else licence or ""
    model.origin = dataclasses.replace(model.origin, licence=licence or model.origin.licence)
    measured, how = _figures(source, figures)
    measured = _rates(model, measured)

    # Where the recordings lie on this computer is nobody's business.
    config = model.zoo_config
    model.zoo_config = dataclasses.replace(config, data=dataclasses.replace(config.data, root=""))
    _clear(folder)
    save(model, folder)
    save_keras_layout(model, folder)
    if model.origin.derived_from:
        write_atomically(folder / NOTICES, model.origin.notices().encode())
    for name, text in eval_results(measured, how).items():
        write_atomically(folder / EVAL_RESULTS / name, text.encode())
    named = target or folder.name
    card = Card(model, licence, base_models(find_weights(source).parent, model.origin.derived_from), measured, how,
                find_card(source), {}, named)
    tflite = export(model, folder, format="tflite", quantize=quantize, card=card.body())
    card.files = _describe(folder, tflite.name)
    write_atomically(folder / README, card.readme().encode())
    page = None if target is None else hub.upload(folder, target, f"{model.name}, published by speechzoo")
    files = {str(path.relative_to(folder)): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()}
    return Publication(output, files, licence, bool(measured), page)


def _check_folder(folder: Path):
    """Raises ValueError where a folder holds anything but an earlier publication."""
    present = sorted(folder.iterdir()) if folder.is_dir() else []
    ours = {*FILES, CONFIG, ORIGIN, README, NOTICES, EVAL_RESULTS}
    others = [path.name for path in present if path.name not in ours and path.suffix != ".tflite"]
    if others or present and not (folder / README).is_file():
        raise ValueError(f"{folder}: holds {(others or [present[0].name])[0]}, which no publication has; choose a new "
                         "folder")


def _clear(folder: Path):
    """Removes what another model of an earlier publication may have had, and this one may not."""
    for path in (*folder.glob("*.tflite"), *folder.glob(f"{EVAL_RESULTS}/*.yaml"), folder / NOTICES):
        path.unlink(missing_ok=True)


def _figures(source, path) -> tuple[dict, str]:
    """Figures from a file, or else of a zoo model's checkpoint, and what they were measured on."""
    metrics = read_metrics(str(source)) if path is None and str(source) in list_models() else None
    if metrics:
        return metrics["results"], ("recordings of people that it wasn't trained on, not the test set of the corpus, "
                                    f"by `{metrics['evaluation']}`")
    return read_figures(path) if path else {}, "measured by its maker, by `speechzoo evaluate`"


def _rates(model, figures) -> dict:
    """The figures of the model's heads whose main metric is a rate, which there are per cent of."""
    specs = model.spec["heads"]

    def is_rate(head, scores):
        return head in specs and not main_figure(scores).keys() & answer_kind(specs[head]).metric_units.keys()

    rates = {corpus: {head: scores for head, scores in heads.items() if is_rate(head, scores)}
             for corpus, heads in figures.items()}
    return {corpus: heads for corpus, heads in rates.items() if heads}


def _describe(folder: Path, tflite: str) -> dict[str, str]:
    """Name of a file -> what it is, of those that are there."""
    what = {"config.json": "the model as Keras reads it", "metadata.json": "the Keras that wrote it",
            WEIGHTS: "its weights, for Keras and for speechzoo", CONFIG: "the config, from which speechzoo trains on",
            ORIGIN: "where the weights come from", NOTICES: "the licences of what they derive from",
            tflite: "the model for devices, with its labels and settings"}
    return {name: text for name, text in what.items() if (folder / name).is_file()}
