"""Trained models -> files for servers and devices, each measured against Keras before it is written."""

from importlib import resources
from pathlib import Path

from speechzoo.exporters.errors import ExportError

FORMATS = ("saved_model", "tflite", "micro", "esphome")

__all__ = ["FORMATS", "ExportError", "export"]


def export(model, directory: str | Path, format: str = "saved_model", quantize: str = "none", representative=None,
           heads: list[str] | None = None, card: str | None = None, signatures: list[str] | None = None,
           keep_float: str | None = None, window_seconds: float = 1.0, quantizer: str = "tensorflow",
           wake_word: str | None = None) -> Path:
    """Writes a model for the place where it will run.

    Args:
        model: A `MultiTaskModel`, or the name of a zoo model or the folder of a training run.
        directory: Folder to write to.
        format: `saved_model` (TensorFlow Serving's versioned layout), `tflite` (one file for a device), `micro` (int8
            network and front end as C sources for a microcontroller) or `esphome` (a wake word's int8 network and
            manifest for ESPHome's micro_wake_word).
        quantize: TFLite only: `none`, `float16`, `dynamic` (int8 weights), `int8` (int8 weights and activations) or
            `int16x8` (int8 weights, int16 activations).
        representative: Recordings that the export is measured on, and `int8` and `int16x8` are calibrated with: a
            manifest, or a list of float32 (samples,) arrays; the bundled recordings when None.
        heads: Heads to export; all when None.
        card: Text of the model's card, stored with it; for a name or a folder, that model's own when None.
        signatures: TFLite only: what the file can be asked beside `recognize`, of `stream_step`, `keyword`, `embed`,
            `learn` and `adapt`; when None, all that apply but the last two of a model that can stream, none of others.
        keep_float: `auto`, with `int8`: layers stay in float32 where a head would lose more than half a point by them.
        window_seconds: Micro only: how much audio the network hears at once.
        quantizer: TFLite only, for `dynamic`, `int8` and `int16x8`: `tensorflow`, or `ai-edge` for Google's
            ai-edge-quantizer (`pip install speechzoo[quantization]`).
        wake_word: ESPHome only: the word, one of the model's.

    Returns:
        What was written: the folder of a version, the `.tflite` file, the folder of sources, or the manifest.

    Raises:
        ExportError: The model can't be converted, or a head differs from Keras by more than is allowed.
        ValueError: An unknown format or quantization, or a head that the model doesn't have.

    Example:
        speechzoo.export(speechzoo.load("mtl_ds_cnn_micro"), "exported", format="tflite", quantize="int8")
    """
    from speechzoo.config import nearest

    if format not in FORMATS:
        raise ValueError(f"unknown format '{format}'; {nearest(format, FORMATS)}")
    if quantize != "none" and format != "tflite":
        raise ValueError(f"quantize '{quantize}' is for format 'tflite'; a SavedModel keeps float32, and micro is "
                         "int8, as is esphome")
    if keep_float is not None and format != "tflite":
        raise ValueError("keep_float is for format 'tflite'; a SavedModel keeps float32, and micro is int8, as is "
                         "esphome")
    if quantizer != "tensorflow" and format != "tflite":
        raise ValueError(f"quantizer '{quantizer}' is for format 'tflite'; a SavedModel keeps float32, and micro and "
                         "esphome are int8 by TensorFlow's converter")
    if signatures is not None and format != "tflite":
        raise ValueError("signatures are for format 'tflite'; a SavedModel has those that TensorFlow Serving asks for, "
                         "and micro and esphome have one")
    if wake_word is not None and format != "esphome":
        raise ValueError("a wake word is for format 'esphome'; the others export all of a model's words")
    if isinstance(model, (str, Path)):
        from speechzoo.opening import open_model
        card = card or _card_of(model)
        model = open_model(model)
    if not hasattr(model, "forward_unpadded"):
        raise ValueError("the model is an exported file already; export a zoo model or a training run")
    if format == "tflite":
        from speechzoo.exporters.tflite import export_tflite
        return export_tflite(model, directory, quantize, representative, heads, card, signatures, keep_float,
                             quantizer).path
    if format == "micro":
        from speechzoo.exporters.micro import export_micro
        return export_micro(model, directory, representative, heads, window_seconds).path
    if format == "esphome":
        from speechzoo.exporters.esphome import export_esphome
        return export_esphome(model, directory, wake_word, representative, heads).path
    from speechzoo.exporters.recordings import read_recordings
    from speechzoo.exporters.selection import keep_heads
    from speechzoo.exporters.served.saved_model import export_saved_model
    examples = None if representative is None else read_recordings(representative, model.spec["sample_rate"])
    return export_saved_model(keep_heads(model, heads), directory, card=card, examples=examples)


def _card_of(source: str | Path) -> str | None:
    """The card of a zoo model or of a training run, if it has one."""
    folder = Path(source) if Path(source).is_dir() else resources.files("speechzoo") / "checkpoints" / str(source)
    card = folder / "card.md"
    return card.read_text(encoding="utf-8") if card.is_file() else None
