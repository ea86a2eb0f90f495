"""Resemblyzer's speaker encoder against a twin in PyTorch: same weights, same windows, same embedding.

Differences are shares of the greatest value of what is compared.
"""

import os

import librosa
import numpy as np
import pytest

from speechzoo.exporters.recordings import bundled_recordings
from speechzoo.published.importing import import_published
from speechzoo.published.weights_file import open_weights
from speechzoo.registry import load
from tests.helpers import tone
from tests.published.tiny_speakers import resemblyzer

torch = pytest.importorskip("torch", reason="no torch: make parity")

# Observed with random weights: at most 6.4e-7, 1.7e-6 and 1.3e-7.
FEATURES_TOLERANCE = LAYER_TOLERANCE = EMBEDDING_TOLERANCE = 1e-5
REAL = os.environ.get("SPEECHZOO_RESEMBLYZER_PT", "")
SECONDS = (0.4, 1.6, 2.8, 5.31)


def windows(audio):
    """Mel energies of the windows of an utterance, (windows, 160, 40), as `embed_utterance` cuts them."""
    change = -30 - 20 * np.log10(np.sqrt(np.mean(audio.astype(np.float64) ** 2)))
    audio = audio * 10 ** (max(change, 0) / 20)
    num_frames = int(np.ceil((len(audio) + 1) / 160))
    starts = list(range(0, max(1, num_frames - 160 + 77 + 1), 77))
    if (len(audio) - 160 * starts[-1]) / 25600 < 0.75 and len(starts) > 1:
        starts.pop()
    end = (starts[-1] + 160) * 160
    mel = librosa.feature.melspectrogram(y=np.pad(audio, (0, max(0, end - len(audio)))), sr=16000, n_fft=400,
                                         hop_length=160, n_mels=40).astype(np.float32).T
    return np.stack([mel[start:start + 160] for start in starts])


def twin_of(arrays):
    """`torch.nn.LSTM` and `torch.nn.Linear` with a checkpoint's weights."""
    state = {name.removeprefix("model_state."): torch.tensor(np.array(array)) for name, array in arrays.items()
             if name.startswith(("model_state.lstm.", "model_state.linear."))}
    embedding_size, size = state["linear.weight"].shape
    layers = sum("weight_ih" in name for name in state)
    lstm, linear = torch.nn.LSTM(40, size, layers, batch_first=True), torch.nn.Linear(size, embedding_size)
    torch.nn.ModuleDict({"lstm": lstm, "linear": linear}).load_state_dict(state)
    return lstm, linear


def difference(one, other):
    """Greatest difference as a share of the greatest value."""
    assert one.shape == other.shape
    return float(np.abs(one - other).max() / np.abs(other).max())


def check_equal(path, folder):
    import_published(path, folder)
    model = load(folder)
    lstm, linear = twin_of(open_weights(path))
    recordings = [tone(seconds, 300, seed=1) for seconds in SECONDS]
    recordings += [0.01 * bundled_recordings(16000)[0]]
    for audio in recordings:
        mels = windows(audio)
        features, _ = model.frontend(audio[None])
        np_features = np.pad(np.asarray(features)[0], ((0, 160), (0, 0)))
        ours = np.stack([np_features[77 * number:77 * number + 160] for number in range(len(mels))])
        assert difference(ours, mels) < FEATURES_TOLERANCE
        blocks, _ = model.backbone(features)
        with torch.no_grad():
            _, (hidden, _) = lstm(torch.tensor(mels))
            each = torch.relu(linear(hidden[-1]))
            each = each / torch.linalg.norm(each, dim=1, keepdim=True)
            expected = each.mean(0) / torch.linalg.norm(each.mean(0))
        for block, layer in zip(blocks, hidden, strict=True):
            assert difference(np.asarray(block)[0], layer.numpy()) < LAYER_TOLERANCE
        embedding = np.asarray(model.recognize(audio, 16000).speaker)
        assert difference(embedding, expected.numpy()) < EMBEDDING_TOLERANCE


@pytest.mark.parity
@pytest.mark.parametrize("size, layers, stream", [(16, 3, True), (24, 2, False)])
def test_random_encoders_equal_their_twin(size, layers, stream, tmp_path):
    arrays = resemblyzer(size, layers, embedding_size=8)
    state = {name.removeprefix("model_state."): torch.tensor(array) for name, array in arrays.items()
             if name.startswith("model_state.")}
    torch.save({"step": 1, "model_state": state}, tmp_path / "pretrained.pt",
               _use_new_zipfile_serialization=not stream)
    check_equal(tmp_path / "pretrained.pt", tmp_path / "imported")


@pytest.mark.published
@pytest.mark.skipif(not REAL, reason="SPEECHZOO_RESEMBLYZER_PT names no pretrained.pt")
def test_the_published_encoder_equals_its_twin(tmp_path):
    check_equal(REAL, tmp_path / "imported")
