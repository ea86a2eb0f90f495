"""The Conformer against NVIDIA's Fast Conformer encoder in PyTorch (`transformers`): same weights, same output."""

import numpy as np
import pytest

from speechzoo.backbones import Conformer
from tests.helpers import run_layer

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="no PyTorch: pip install speechzoo[parity]")
transformers = pytest.importorskip("transformers", reason="no transformers: pip install speechzoo[parity]")

BINS = 80


def parakeet(size, num_blocks, num_heads, feed_forward_size, kernel_size, subsampling, subsampling_channels):
    """A `ParakeetEncoder` in evaluation mode whose every weight and batch statistic is random."""
    encoder = transformers.ParakeetEncoder(transformers.ParakeetEncoderConfig(
        hidden_size=size, num_hidden_layers=num_blocks, num_attention_heads=num_heads, num_key_value_heads=num_heads,
        intermediate_size=feed_forward_size, conv_kernel_size=kernel_size, subsampling_factor=subsampling,
        subsampling_conv_channels=subsampling_channels, num_mel_bins=BINS, scale_input=True)).eval()
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


def mapped_weights(state, num_blocks, num_heads):
    """PyTorch's weights under the paths and in the shapes of `Conformer`."""
    weights = {}

    def dense(ours, theirs):
        matrix = state[f"{theirs}.weight"]
        weights[f"{ours}/kernel"] = matrix.reshape(matrix.shape[0], -1).T  # pointwise convolutions too
        weights[f"{ours}/bias"] = state[f"{theirs}.bias"]

    def norm(ours, theirs):
        weights[f"{ours}/gamma"], weights[f"{ours}/beta"] = state[f"{theirs}.weight"], state[f"{theirs}.bias"]

    # Sequence of layers there: convolution, ReLU, (depthwise, pointwise, ReLU) ...
    stages = sum(name.startswith("subsampling.layers") and name.endswith("weight") for name in state) // 2 + 1
    for stage in range(stages):
        full, depthwise = (2, 3, 1, 0), (2, 3, 0, 1)
        for ours, layer, axes in [("conv_1", 0, full)] if not stage else [
                (f"depthwise_{stage + 1}", 3 * stage - 1, depthwise), (f"pointwise_{stage + 1}", 3 * stage, full)]:
            weights[f"subsampling/{ours}/kernel"] = state[f"subsampling.layers.{layer}.weight"].transpose(axes)
            weights[f"subsampling/{ours}/bias"] = state[f"subsampling.layers.{layer}.bias"]
    # Flattened there as (channels, bins), here as (bins, channels).
    channels = len(state["subsampling.layers.0.weight"])
    matrix = state["subsampling.linear.weight"]
    matrix = matrix.reshape(len(matrix), channels, -1).transpose(2, 1, 0)
    weights["subsampling/projection/kernel"] = matrix.reshape(-1, matrix.shape[-1])
    weights["subsampling/projection/bias"] = state["subsampling.linear.bias"]

    for number in range(num_blocks):
        ours, theirs = f"block_{number + 1}", f"layers.{number}"
        for one, two in (("feed_forward_1", "feed_forward1"), ("feed_forward_2", "feed_forward2")):
            dense(f"{ours}/{one}/expand", f"{theirs}.{two}.linear1")
            dense(f"{ours}/{one}/project", f"{theirs}.{two}.linear2")
        for one, two in (("query", "q"), ("key", "k"), ("value", "v"), ("output", "o")):
            dense(f"{ours}/attention/{one}", f"{theirs}.self_attn.{two}_proj")
        for one, two in (("content_bias", "bias_u"), ("position_bias", "bias_v")):
            weights[f"{ours}/attention/{one}"] = state[f"{theirs}.self_attn.{two}"][:, None]
        # Rows of the transposed projection belong to sine and cosine of each frequency in turn.
        projection = state[f"{theirs}.self_attn.relative_k_proj.weight"].T
        for one, rows in (("position_sine", projection[0::2]), ("position_cosine", projection[1::2])):
            weights[f"{ours}/attention/{one}"] = rows.reshape(len(rows), num_heads, -1).transpose(1, 2, 0)
        dense(f"{ours}/convolution/expand", f"{theirs}.conv.pointwise_conv1")
        dense(f"{ours}/convolution/project", f"{theirs}.conv.pointwise_conv2")
        # (channels, 1, width) -> (width, channels, 1)
        kernel = state[f"{theirs}.conv.depthwise_conv.weight"]
        weights[f"{ours}/convolution/depthwise/kernel"] = kernel.transpose(2, 0, 1)
        weights[f"{ours}/convolution/depthwise/bias"] = state[f"{theirs}.conv.depthwise_conv.bias"]
        norm(f"{ours}/convolution/normalization", f"{theirs}.conv.norm")
        for one, two in (("mean", "running_mean"), ("variance", "running_var")):
            weights[f"{ours}/convolution/normalization/moving_{one}"] = state[f"{theirs}.conv.norm.{two}"]
        for one, two in (("feed_forward_1", "feed_forward1"), ("attention", "self_att"), ("convolution", "conv"),
                         ("feed_forward_2", "feed_forward2"), ("output", "out")):
            norm(f"{ours}/norm_{one}", f"{theirs}.norm_{two}")
    return weights


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
    unused = set(weights)
    for weight in layer.weights:
        path = weight.path.split("/", 1)[1]
        weight.assign(weights[path])
        unused.remove(path)
    assert not unused
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
