"""Imported Whisper encoders against CTranslate2, and block by block against NumPy: same weights, same output.

Tolerances are ten times what was observed, as a share of the greatest value of what is compared: inside of a trained
encoder a few channels reach 500 where others stay at 1.
"""

import os

import numpy as np
import pytest
import yaml

from speechzoo.backbones import Whisper
from speechzoo.exporters.recordings import bundled_recordings
from speechzoo.frontends import WhisperLogMel
from speechzoo.published.ctranslate2 import CTranslate2File
from speechzoo.published.importing import import_published
from speechzoo.weights import read_arrays
from tests.published.numpy_whisper import encode
from tests.published.tiny_whisper import sines, write_whisper

ctranslate2 = pytest.importorskip("ctranslate2", reason="no ctranslate2: pip install speechzoo[dev]")

SECONDS = 30  # all that CTranslate2 takes, so ours gets the same frames
# Observed: at most 1.4e-5, which the positions' angles in float32 make.
TOLERANCE = 1.4e-4
# CTranslate2 adds the file's table of positions, which float16 has rounded: at most 4.8e-4.
TABLE_TOLERANCE = 4.8e-3
# The reference in NumPy with the file's own table against CTranslate2: at most 3.2e-6.
REFERENCE_TOLERANCE = 3.2e-5
REAL = os.environ.get("SPEECHZOO_WHISPER_TINY_EN", "")


def features(recording=None):
    """float32 (3000, 80): a recording, one of the bundled ones when None, and silence, through our front end."""
    audio = np.zeros(SECONDS * 16000, np.float32)
    recording = bundled_recordings(16000)[0] if recording is None else recording
    audio[:len(recording)] = recording
    return np.asarray(WhisperLogMel()(audio[None])[0])[0]


def imported(source, folder):
    """Our backbone with the weights of a file, by way of `import_published`."""
    import_published(source, folder, encoder_only=True)
    options = yaml.safe_load((folder / "config.yaml").read_text())["backbone"]
    assert options.pop("type") == "whisper"
    layer = Whisper(**options, name="backbone")
    layer.build((None, None, 80))
    values = read_arrays(folder / "model.weights.h5")
    assert sorted(values) == sorted(variable.path for variable in layer.weights)
    for variable in layer.weights:
        variable.assign(values[variable.path])
    return layer


def blocks_of(layer, inputs):
    """What each block gives before it leaves the backbone; of the last, behind the final norm."""
    stream, outputs = layer.stem(inputs[None], None, False), []
    for number in range(1, layer.num_blocks + 1):
        stream = layer.block(number, stream, False)
        outputs.append(np.asarray(stream["hidden"])[0])
    return outputs


def encoded_by_ctranslate2(folder, inputs):
    model = ctranslate2.models.Whisper(str(folder), device="cpu", compute_type="float32")
    return np.array(model.encode(ctranslate2.StorageView.from_array(np.ascontiguousarray(inputs.T[None]))))[0]


def difference(one, other):
    """Greatest difference as a share of the greatest value."""
    assert one.shape == other.shape
    return float(np.abs(one - other).max() / np.abs(other).max())


def check_equal(source, folder, table_tolerance):
    """Each block against NumPy with exact positions; the end against CTranslate2, as is the NumPy reference itself."""
    layer, inputs, file = imported(source, folder), features(), CTranslate2File(source)
    outputs = blocks_of(layer, inputs)
    *blocks, _, end = encode(file, inputs, sines(SECONDS * 50, layer.size))
    found = [difference(ours, expected) for ours, expected in zip(outputs, [*blocks, end], strict=True)]
    assert max(found) < TOLERANCE, found
    expected = encoded_by_ctranslate2(file.path.parent, inputs)
    assert difference(encode(file, inputs)[-1], expected) < REFERENCE_TOLERANCE
    assert difference(outputs[-1], expected) < table_tolerance


@pytest.mark.parametrize("quantization, table_tolerance", [(None, TOLERANCE), ("float16", TABLE_TOLERANCE)])
@pytest.mark.parametrize("options", [{}, {"size": 32, "num_blocks": 3, "num_heads": 4, "seed": 1}])
def test_random_encoders_equal_ctranslate2_and_numpy(quantization, table_tolerance, options, tmp_path):
    check_equal(write_whisper(tmp_path / "random", quantization, **options), tmp_path / "imported", table_tolerance)


@pytest.mark.published
@pytest.mark.skipif(not REAL, reason="SPEECHZOO_WHISPER_TINY_EN names no model.bin")
def test_the_published_encoder_equals_ctranslate2_and_numpy(tmp_path):
    check_equal(REAL, tmp_path / "imported", TABLE_TOLERANCE)
