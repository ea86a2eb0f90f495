"""SpeechBrain's ECAPA-TDNN against a twin in PyTorch: features, every block, pooling and embedding.

The twin follows `speechbrain/lobes/models/ECAPA_TDNN.py` and `speechbrain/processing/features.py`, without its
packages. Differences are shares of the greatest value of what is compared.
"""

import numpy as np
import pytest

from speechzoo.exporters.recordings import bundled_recordings
from speechzoo.published.importing import import_published
from speechzoo.registry import load
from tests.helpers import tone
from tests.published.tiny_speakers import speechbrain_ecapa

torch = pytest.importorskip("torch", reason="no torch: make parity")

# Observed: 1.5e-5 on a tone, whose empty bins hold little but float32's rounding of the full ones, 3.1e-6 on speech.
FEATURES_TOLERANCE = 1.5e-4
# Observed: at most 6.4e-7.
BLOCK_TOLERANCE = 1e-5
# Observed: at most 3.9e-7.
EMBEDDING_TOLERANCE = 1e-5
pytestmark = pytest.mark.parity


def features_of(audio):
    """`Fbank` and `InputNormalization` of one utterance, in double precision: float64 (1, frames, 80)."""
    window = torch.hamming_window(400, dtype=torch.float64)
    spectrum = torch.stft(torch.tensor(audio, dtype=torch.float64)[None], 400, 160, 400, window, center=True,
                          pad_mode="constant", return_complex=True)
    power = torch.view_as_real(spectrum).pow(2).sum(-1).transpose(1, 2)
    mel = torch.linspace(0, 2595 * np.log10(1 + 8000 / 700), 82, dtype=torch.float64)
    hertz = 700 * (10 ** (mel / 2595) - 1)
    slope = (torch.linspace(0, 8000, 201, dtype=torch.float64)[:, None] - hertz[1:-1]) / (hertz[1:] - hertz[:-1])[:-1]
    filters = torch.clamp(torch.minimum(slope + 1, 1 - slope), min=0)
    energies = 10 * torch.log10(torch.clamp(power @ filters, min=1e-10))
    energies = torch.maximum(energies, energies.amax() - 80)
    return energies - energies.mean(dim=1, keepdim=True)


class Twin:
    """The network by functions of PyTorch on the arrays of a state."""

    def __init__(self, arrays, scale):
        self.state = {name: torch.tensor(array) for name, array in arrays.items()}
        self.scale = scale

    def conv(self, name, x, dilation=1):
        weight = self.state[f"{name}.conv.weight"]
        around = dilation * (weight.shape[-1] - 1) // 2
        x = torch.nn.functional.pad(x, (around, around), mode="reflect") if around else x
        return torch.nn.functional.conv1d(x, weight, self.state[f"{name}.conv.bias"], dilation=dilation)

    def norm(self, name, x):
        weight, bias, mean, variance = (self.state[f"{name}.{part}"] for part in (
            "weight", "bias", "running_mean", "running_var"))
        return torch.nn.functional.batch_norm(x, mean, variance, weight, bias, eps=1e-5)

    def tdnn(self, name, x, dilation=1):
        return self.norm(f"{name}.norm.norm", torch.relu(self.conv(f"{name}.conv", x, dilation)))

    def block(self, number, x):
        name = f"blocks.{number}"
        first, *others = torch.chunk(self.tdnn(f"{name}.tdnn1", x), self.scale, dim=1)
        outputs = [first]
        for group, part in enumerate(others):
            part = part if group == 0 else part + outputs[-1]
            outputs.append(self.tdnn(f"{name}.res2net_block.blocks.{group}", part, number + 1))
        hidden = self.tdnn(f"{name}.tdnn2", torch.cat(outputs, dim=1))
        squeezed = torch.relu(self.conv(f"{name}.se_block.conv1", hidden.mean(dim=2, keepdim=True)))
        return x + hidden * torch.sigmoid(self.conv(f"{name}.se_block.conv2", squeezed))

    def __call__(self, features):
        """Features (1, frames, bins) -> frames after each block, the aggregation last, and the embedding."""
        hidden, blocks = self.tdnn("blocks.0", features.transpose(1, 2)), []
        for number in (1, 2, 3):
            hidden = self.block(number, hidden)
            blocks.append(hidden)
        frames = self.tdnn("mfa", torch.cat(blocks, dim=1))

        def statistics(weights):
            mean = (weights * frames).sum(2)
            return mean, torch.sqrt((weights * (frames - mean[..., None]) ** 2).sum(2).clamp(1e-12))

        count = frames.shape[2]
        context = torch.cat([frames] + [value[..., None].repeat(1, 1, count) for value in statistics(1 / count)], dim=1)
        scores = self.conv("asp.conv", torch.tanh(self.tdnn("asp.tdnn", context)))
        pooled = torch.cat(statistics(torch.softmax(scores, dim=2)), dim=1)[..., None]
        embedding = self.conv("fc", self.norm("asp_bn.norm", pooled))
        return [*blocks[:-1], frames], embedding[..., 0]


def difference(one, other):
    """Greatest difference as a share of the greatest value."""
    assert one.shape == other.shape
    return float(np.abs(one - other).max() / np.abs(other).max())


@pytest.mark.parametrize("size, scale, aggregation_size, embedding_size", [(24, 3, 20, 7), (64, 8, 96, 192)])
def test_a_random_encoder_equals_its_twin(size, scale, aggregation_size, embedding_size, tmp_path):
    arrays = speechbrain_ecapa(size, 3, scale, 16, aggregation_size, embedding_size)
    torch.save({name: torch.tensor(array) for name, array in arrays.items()}, tmp_path / "embedding_model.ckpt")
    import_published(tmp_path / "embedding_model.ckpt", tmp_path / "imported")
    model, twin = load(tmp_path / "imported"), Twin(arrays, scale)
    for audio in (tone(0.4, 300, seed=1), bundled_recordings(16000)[0]):
        expected = features_of(audio)
        features, _ = model.frontend(audio[None])
        assert difference(np.asarray(features), expected.numpy()) < FEATURES_TOLERANCE
        expected = expected.float()
        blocks, embedding = twin(expected)
        found, _ = model.backbone(expected.numpy())
        for ours, theirs in zip(found, blocks, strict=True):
            assert difference(np.asarray(ours)[0], theirs[0].T.numpy()) < BLOCK_TOLERANCE
        ours = np.asarray(model.recognize(audio, 16000).speaker)
        assert difference(ours, (embedding[0] / torch.linalg.norm(embedding[0])).numpy()) < EMBEDDING_TOLERANCE
