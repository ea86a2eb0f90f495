"""The tiny model as a float32 `.tflite` file, converted once for all tests of this process, as it ships."""

from speechzoo.exporters.tflite import TFLiteExport, export_tflite
from tests.converter import converting_in_a_process
from tests.helpers import tone
from tests.tiny_models import tiny_model

SOUNDS = [tone(0.7, 300, seed=1), tone(1.1, 900, seed=2), tone(0.02, 500)]
_shared = {}


def tiny_tflite(tmp_path_factory) -> TFLiteExport:
    """What `export_tflite` wrote for `tiny_model()`."""
    if "tiny" not in _shared:
        folder = tmp_path_factory.mktemp("tflite")
        with converting_in_a_process():
            _shared["tiny"] = export_tflite(tiny_model(), folder, representative=SOUNDS, card="# tiny\n")
    return _shared["tiny"]
