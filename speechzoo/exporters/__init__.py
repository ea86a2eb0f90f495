"""Trained models -> files for servers and devices, each measured against Keras before it is written."""

import inspect
from collections.abc import Callable
from pathlib import Path

from speechzoo.exporters.errors import ExportError

__all__ = ["FORMATS", "ExportError", "export", "options_of"]


# TensorFlow, which every exporter needs, takes seconds to import: the table below imports one when it is asked for.
def _saved_model():
    from speechzoo.exporters.served.saved_model import export_saved_model

    return export_saved_model


def _tflite():
    from speechzoo.exporters.tflite import export_tflite

    return export_tflite


def _micro():
    from speechzoo.exporters.micro import export_micro

    return export_micro


def _esphome():
    from speechzoo.exporters.esphome import export_esphome

    return export_esphome


FORMATS: dict[str, Callable] = {"saved_model": _saved_model, "tflite": _tflite, "micro": _micro, "esphome": _esphome}
"""Format -> what imports its exporter: a function of a model, a folder and options; what it returns has a `path`."""


def export(model, directory: str | Path, format: str = "saved_model", quantize: str | None = None, representative=None,
           heads: list[str] | None = None, card: str | None = None, signatures: list[str] | None = None,
           keep_float: str | None = None, window_seconds: float | None = None, quantizer: str | None = None,
           wake_word: str | None = None) -> Path:
    """Writes a model for the place where it will run.

    Options that are None have the default of the format's exporter.

    Args:
        model: A `MultiTaskModel`, or the name of a zoo model or the folder of a training run.
        directory: Folder to write to.
        format: `saved_model` (TensorFlow Serving's versioned layout), `tflite` (one file for a device), `micro` (int8
            network and front end as C sources for a microcontroller) or `esphome` (a wake word's int8 network and
            manifest for ESPHome's micro_wake_word).
        quantize: TFLite only: `none` (the default), `float16`, `dynamic` (int8 weights), `int8` (int8 weights and
            activations) or `int16x8` (int8 weights, int16 activations).
        representative: Recordings that the export is measured on, and `int8` and `int16x8` are calibrated with: a
            manifest, or a list of float32 (samples,) arrays. Default: the bundled recordings.
        heads: Heads to export. Default: all.
        card: SavedModel and TFLite only: text of the model's card, stored with it. Default: for a name or a folder,
            that model's own.
        signatures: TFLite only: what the file can be asked beside `recognize`, of `stream_step`, `keyword`, `embed`,
            `learn` and `adapt`. Default: every signature that applies except `learn` and `adapt` if the model can
            stream; otherwise only `recognize`.
        keep_float: TFLite only: `auto`, with `int8`: layers stay in float32 where a head would lose more than half a
            point by them.
        window_seconds: Micro only: how much audio the network hears at once. Default: 1.
        quantizer: TFLite only, for `dynamic`, `int8` and `int16x8`: `tensorflow` (the default), or `ai-edge` for
            Google's ai-edge-quantizer (`pip install speechzoo[quantization]`).
        wake_word: ESPHome only: the word, one of the model's.

    Returns:
        What was written: the folder of a version, the `.tflite` file, the folder of sources, or the manifest.

    Raises:
        ExportError: The model can't be converted, or a head differs from Keras by more than is allowed.
        ValueError: An unknown format or quantization, an option of another format, or a head that the model doesn't
            have.

    Example:
        speechzoo.export(speechzoo.load("mtl_ds_cnn_micro"), "exported", format="tflite", quantize="int8")
    """
    from speechzoo.config import nearest
    from speechzoo.multitask.model import MultiTaskModel

    if format not in FORMATS:
        raise ValueError(f"unknown format '{format}'; {nearest(format, FORMATS)}")
    options = {"quantize": quantize, "representative": representative, "heads": heads, "card": card,
               "signatures": signatures, "keep_float": keep_float, "window_seconds": window_seconds,
               "quantizer": quantizer, "wake_word": wake_word}
    options = _options_for(format, {name: value for name, value in options.items() if value is not None})
    if isinstance(model, (str, Path)):
        from speechzoo.opening import open_model
        from speechzoo.registry import find_card
        if "card" in options_of(format):
            options.setdefault("card", find_card(model))
        model = open_model(model)
    if not isinstance(model, MultiTaskModel):
        raise ValueError("the model is an exported file already; export a zoo model or a training run")
    return FORMATS[format]()(model, directory, **options).path


def options_of(format: str) -> dict:
    """Option -> default, of those that the exporter of a format takes beside model and directory."""
    _, _, *options = inspect.signature(FORMATS[format]()).parameters.values()
    return {option.name: option.default for option in options}


def _options_for(format, options) -> dict:
    """The options without those of other formats, which may only be given as they are by default."""
    known = options_of(format)
    for name in options.keys() - known.keys():
        defaults = {other: options_of(other)[name] for other in FORMATS if name in options_of(other)}
        if options[name] not in defaults.values():
            takers = " and ".join(f"'{other}'" for other in defaults)
            raise ValueError(f"option '{name}' is for format {takers}, not for '{format}'")
    return {name: value for name, value in options.items() if name in known}
