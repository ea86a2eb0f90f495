"""The Conformer against NVIDIA's Fast Conformer encoder in PyTorch (`transformers`): same weights, same output."""

import numpy as np
import pytest

from benchmarks.speed.parakeet import assign_weights, make_encoder, mapped_weights
from speechzoo.backbones import Conformer
from tests.helpers import run_layer

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="no PyTorch: pip install speechzoo[parity]")
pytest.importorskip("transformers", reason="no transformers: pip install speechzoo[parity]")

BINS = 80


def parakeet(size, num_blocks, num_heads, feed_forward_size, kernel_size, subsampling, subsampling_channels):
    """A `ParakeetEncoder` in evaluation mode whose every weight and batch statistic is random."""
    encoder = make_encoder(size, num_blocks, num_heads, BINS, intermediate_size=feed_forward_size,
                           conv_kernel_size=kernel_size, subsampling_factor=subsampling,
                           subsampling_conv_channels=subsampling_channels).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in encoder.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2.0, generator=generator)
            elif tensor.is_floating_point():
                noise = torch.randn(tensor.shape, generator=generator)
                fan_in = tensor[0].numel() if tensor.ndim > 1 else 1
                # Matrices keep the size of what passes through them; vectors move around what they were made with.
                tensor.copy_(noise / fan_in ** 0.5 if tensor.ndim > 1 and "bias" not in name else tensor + 0.2 * noise)
    return encoder


@pytest.mark.parametrize("subsampling", [4, 8])
@pytest.mark.parametrize("size, num_blocks, num_heads, feed_forward_size, kernel_size, channels", [
    (32, 2, 4, 64, 9, 8), (48, 1, 3, 100, 5, 16), (144, 4, 4, 576, 9, 64)])
def test_equals_parakeet(subsampling, size, num_blocks, num_heads, feed_forward_size, kernel_size, channels):
    encoder = parakeet(size, num_blocks, num_heads, feed_forward_size, kernel_size, subsampling, channels)
    state = {name: tensor.numpy() for name, tensor in encoder.state_dict().items()}
    layer = Conformer(size=size, num_blocks=num_blocks, num_heads=num_heads, feed_forward_size=feed_forward_size,
                      kernel_size=kernel_size, subsampling=subsampling, subsampling_channels=channels)
    layer.build((None, None, BINS))
    weights = mapped_weights(state, num_blocks, num_heads)
    assign_weights(layer, weights)
    assert sum(np.size(value) for value in weights.values()) == sum(
        value.size for name, value in state.items() if not name.endswith("num_batches_tracked"))

    frames = np.array([203, 201, 140, 64, 9])
    features = np.random.default_rng(0).standard_normal((len(frames), frames.max(), BINS)).astype(np.float32)
    mask = np.arange(frames.max())[None] < frames[:, None]
    # Its feature extractor leaves zeros in the padding and its first convolution sees them; ours masks whatever is there.
    zeroed = torch.tensor(features * mask[..., None])
    with torch.no_grad():
        expected = encoder(zeroed, attention_mask=torch.tensor(mask)).last_hidden_state.numpy()
    (*_, output), lengths = run_layer(layer, features, frames)
    assert output.shape == expected.shape and lengths.tolist() == [-(-count // subsampling) for count in frames]
    worst = 0.0
    for row, length in enumerate(lengths):
        worst = max(worst, np.abs(output[row, :length] - expected[row, :length]).max())
        assert expected[row, :length].std() > 0.1
    print(f"largest difference {worst:.2e}, output's deviation {expected.std():.2f}")  # shown by pytest -s
    assert worst < 1e-4
