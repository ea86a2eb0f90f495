"""Imported Whisper encoders against CTranslate2, transformers and, block by block, NumPy: same weights, same output.

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
from tests.published.whisper_twins import TO_OPENAI

ctranslate2 = pytest.importorskip("ctranslate2", reason="no ctranslate2: pip install speechzoo[dev]")

SECONDS = 30  # all that CTranslate2 takes, so ours gets the same frames
# Observed: at most 1.4e-5, which the positions' angles in float32 make.
TOLERANCE = 1.4e-4
# CTranslate2 adds the file's table of positions, which float16 has rounded: at most 4.8e-4.
TABLE_TOLERANCE = 4.8e-3
# The reference in NumPy with the file's own table against CTranslate2: at most 3.2e-6.
REFERENCE_TOLERANCE = 3.2e-5
# transformers against ours, random weights: at most 7.1e-6.
TRANSFORMERS_TOLERANCE = 7.1e-5
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


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A random model of transformers, and the folder that `save_pretrained` wrote it to."""
    torch = pytest.importorskip("torch", reason="no torch: make parity")
    transformers = pytest.importorskip("transformers", reason="no transformers: make parity")
    torch.manual_seed(0)
    model = transformers.WhisperForConditionalGeneration(transformers.WhisperConfig(
        d_model=32, encoder_layers=3, decoder_layers=1, encoder_attention_heads=4, decoder_attention_heads=2,
        encoder_ffn_dim=128, decoder_ffn_dim=128, vocab_size=20, pad_token_id=0, bos_token_id=0, eos_token_id=0,
        decoder_start_token_id=1, init_std=0.2)).eval()
    folder = tmp_path_factory.mktemp("published")
    model.save_pretrained(folder)
    return model, folder


def check_equals_transformers(model, layer):
    import torch

    inputs = features()
    with torch.no_grad():
        expected = model.model.encoder(torch.tensor(inputs.T[None]), output_hidden_states=True).hidden_states
    # The last of them is behind the final norm, as ours.
    found = [difference(ours, theirs[0].numpy())
             for ours, theirs in zip(blocks_of(layer, inputs), expected[1:], strict=True)]
    assert max(found) < TRANSFORMERS_TOLERANCE, found


@pytest.mark.parity
def test_a_model_of_transformers_equals_transformers(published, tmp_path):
    model, folder = published
    check_equals_transformers(model, imported(folder, tmp_path / "imported"))


@pytest.mark.parity
@pytest.mark.parametrize("stream", [False, True])
def test_a_checkpoint_under_openais_names_equals_transformers(stream, published, tmp_path):
    import torch

    model, _ = published
    renamed = {}
    for name, tensor in model.model.state_dict().items():
        for theirs, openai in TO_OPENAI.items():
            name = name.replace(theirs, openai)
        renamed[name] = tensor
    config = model.config
    torch.save({"dims": {"n_mels": 80, "n_audio_head": config.encoder_attention_heads,
                         "n_text_head": config.decoder_attention_heads}, "model_state_dict": renamed},
               tmp_path / "tiny.pt", _use_new_zipfile_serialization=not stream)
    check_equals_transformers(model, imported(tmp_path / "tiny.pt", tmp_path / "imported"))
