"""Speaker encoders with random weights under the names that Resemblyzer and SpeechBrain give their arrays."""

import numpy as np


def resemblyzer(size: int = 6, layers: int = 3, num_mel_bins: int = 40, embedding_size: int = 5) -> dict:
    """The arrays of a checkpoint as Resemblyzer's `pretrained.pt` has them."""
    random = np.random.default_rng(0)

    def fill(*shape):
        return (random.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)

    arrays = {"similarity_weight": fill(1), "similarity_bias": fill(1)}
    for layer in range(layers):
        arrays |= {f"lstm.weight_ih_l{layer}": fill(4 * size, size if layer else num_mel_bins),
                   f"lstm.weight_hh_l{layer}": fill(4 * size, size),
                   f"lstm.bias_ih_l{layer}": fill(4 * size), f"lstm.bias_hh_l{layer}": fill(4 * size)}
    arrays |= {"linear.weight": fill(embedding_size, size), "linear.bias": fill(embedding_size) + 1}
    return {f"model_state.{name}": array for name, array in arrays.items()} | {
        "optimizer_state.state.1.exp_avg": fill(3)}


def speechbrain_ecapa(size: int = 12, blocks: int = 3, scale: int = 3, squeeze_size: int = 5,
                      aggregation_size: int = 10, embedding_size: int = 7, num_mel_bins: int = 80) -> dict:
    """The arrays of `ECAPA_TDNN.state_dict()` of SpeechBrain."""
    random, arrays = np.random.default_rng(0), {}

    def fill(*shape):
        return (random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    def convolution(name, channels_in, channels_out, kernel_size=1):
        arrays[f"{name}.conv.weight"] = fill(channels_out, channels_in, kernel_size)
        arrays[f"{name}.conv.bias"] = 0.3 * fill(channels_out)

    def norm(name, channels):
        for part in ("weight", "bias", "running_mean"):
            arrays[f"{name}.{part}"] = 0.3 * fill(channels) + (part == "weight")
        arrays[f"{name}.running_var"] = random.uniform(0.5, 2.0, channels).astype(np.float32)
        arrays[f"{name}.num_batches_tracked"] = np.array(9, np.int64)

    def tdnn(name, channels_in, channels_out, kernel_size=1):
        convolution(f"{name}.conv", channels_in, channels_out, kernel_size)
        norm(f"{name}.norm.norm", channels_out)

    tdnn("blocks.0", num_mel_bins, size, 5)
    for block in range(1, blocks + 1):
        tdnn(f"blocks.{block}.tdnn1", size, size)
        for group in range(scale - 1):
            tdnn(f"blocks.{block}.res2net_block.blocks.{group}", size // scale, size // scale, 3)
        tdnn(f"blocks.{block}.tdnn2", size, size)
        convolution(f"blocks.{block}.se_block.conv1", size, squeeze_size)
        convolution(f"blocks.{block}.se_block.conv2", squeeze_size, size)
    tdnn("mfa", blocks * size, aggregation_size)
    tdnn("asp.tdnn", 3 * aggregation_size, 128)
    convolution("asp.conv", 128, aggregation_size)
    norm("asp_bn.norm", 2 * aggregation_size)
    convolution("fc", 2 * aggregation_size, embedding_size)
    return arrays
