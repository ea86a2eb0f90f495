"""A block of a Conformer as PyTorch's frameworks name and store it -> weights of the backbone `conformer`."""

import numpy as np

from speechzoo.published.model import Taker


def take_block(taker: Taker, name: str, path: str, backbone: dict, names: dict[str, str], use_bias: bool = True):
    """Takes all arrays of a block.

    Args:
        taker: Takes them.
        name: The block's, such as "encoder.layers.0".
        path: Ours, such as "backbone/block_1".
        backbone: The backbone as a zoo config has it.
        names: Our layer -> the name of the module in the file.
        use_bias: Whether products have biases; where not, they are zeros here.
    """
    size, inner, num_heads = backbone["size"], backbone["feed_forward_size"], backbone["num_heads"]
    for ours in ("feed_forward_1", "feed_forward_2"):
        theirs = f"{name}.{names[ours]}"
        take_layer(taker, f"{theirs}.{names['expand']}", f"{path}/{ours}/expand", (inner, size), (1, 0), use_bias)
        take_layer(taker, f"{theirs}.{names['project']}", f"{path}/{ours}/project", (size, inner), (1, 0), use_bias)
    for ours, theirs in (("query", "q"), ("key", "k"), ("value", "v"), ("output", "out")):
        take_layer(taker, f"{name}.self_attn.linear_{theirs}", f"{path}/attention/{ours}", (size, size), (1, 0),
                   use_bias)
    for ours, theirs in (("content_bias", "u"), ("position_bias", "v")):
        biases = taker.take(f"{name}.self_attn.pos_bias_{theirs}", (num_heads, size // num_heads))
        taker.weights[f"{path}/attention/{ours}"] = biases[:, None]
    # Its columns belong to the sine and the cosine of each frequency in turn.
    positions = taker.take(f"{name}.self_attn.linear_pos.weight", (size, size)).T
    for ours, rows in (("position_sine", positions[0::2]), ("position_cosine", positions[1::2])):
        taker.weights[f"{path}/attention/{ours}"] = rows.reshape(size // 2, num_heads, -1).transpose(1, 2, 0)
    ours, theirs = f"{path}/convolution", f"{name}.{names['convolution']}"
    for part, number, units in (("expand", 1, 2 * size), ("project", 2, size)):
        take_layer(taker, f"{theirs}.pointwise_conv{number}", f"{ours}/{part}", (units, size, 1), (2, 1, 0), use_bias)
        taker.weights[f"{ours}/{part}/kernel"] = taker.weights[f"{ours}/{part}/kernel"][0]
    take_layer(taker, f"{theirs}.depthwise_conv", f"{ours}/depthwise", (size, 1, backbone["kernel_size"]), (2, 0, 1),
               use_bias)
    normalization = f"{name}.{names['normalization']}"
    take_norm(taker, normalization, f"{ours}/normalization", size)
    for part, their in (("moving_mean", "running_mean"), ("moving_variance", "running_var")):
        taker.weights[f"{ours}/normalization/{part}"] = taker.take(f"{normalization}.{their}", (size,))
    taker.leave_out(f"{normalization}.num_batches_tracked", "batches: a count that training alone reads")
    for part in ("norm_feed_forward_1", "norm_attention", "norm_convolution", "norm_feed_forward_2", "norm_output"):
        take_norm(taker, f"{name}.{names[part]}", f"{path}/{part}", size)


def take_projection(taker: Taker, name: str, size: int, channels: int, bins: int):
    """Takes the projection behind the convolutions, flattened there as (channels, bins), here as (bins, channels)."""
    kernel = taker.take(f"{name}.weight", (size, channels * bins)).reshape(size, channels, bins)
    taker.weights["backbone/subsampling/projection/kernel"] = kernel.transpose(2, 1, 0).reshape(-1, size)
    taker.weights["backbone/subsampling/projection/bias"] = taker.take(f"{name}.bias", (size,))


def take_layer(taker: Taker, name: str, path: str, shape: tuple, axes: tuple, use_bias: bool = True):
    """Takes a product's kernel, transposed to Keras's order of axes, and its bias."""
    taker.weights[f"{path}/kernel"] = taker.take(f"{name}.weight", shape).transpose(axes)
    taker.weights[f"{path}/bias"] = taker.take(f"{name}.bias", shape[:1]) if use_bias else np.zeros(
        shape[:1], np.float32)


def take_norm(taker: Taker, name: str, path: str, size: int):
    """Takes a normalisation's scale and offset."""
    taker.weights[f"{path}/gamma"] = taker.take(f"{name}.weight", (size,))
    taker.weights[f"{path}/beta"] = taker.take(f"{name}.bias", (size,))
