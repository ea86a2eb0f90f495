"""Resemblyzer's speaker encoder -> weights of the backbone `ge2e_lstm` and of a head `speaker`.

The names are those of `VoiceEncoder` in `resemblyzer/voice_encoder.py` of Resemblyzer 0.1.4; the network is that of
Wan et al. 2018, https://arxiv.org/abs/1710.10467.
"""

from collections.abc import Mapping

import numpy as np

from speechzoo.published.model import PublishedModel, Taker

_PREFIX = "model_state."
_NAME = "Resemblyzer's speaker encoder"
_NUM_MEL_BINS = 40


def is_resemblyzer(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether the arrays are those of a checkpoint of Resemblyzer's speaker encoder."""
    return all(_PREFIX + name in arrays for name in ("lstm.weight_ih_l0", "linear.weight"))


def read_resemblyzer(arrays: Mapping[str, np.ndarray], source: str, encoder_only: bool = False) -> PublishedModel:
    """The speaker encoder of a checkpoint of Resemblyzer's.

    Args:
        arrays: Name -> array, as `open_weights` gives them.
        source: Names the file in messages.
        encoder_only: Leave the head out, for models with heads of their own.

    Raises:
        ValueError: An array that is missing, unknown, of another shape or type than the encoder has, or not finite.
    """
    taker = Taker(arrays, source, _NAME, "Resemblyzer's architecture")
    size = taker.sizes(f"{_PREFIX}lstm.weight_hh_l0", 2)[1]
    num_mel_bins = taker.sizes(f"{_PREFIX}lstm.weight_ih_l0", 2)[1]
    layers = sum(name.startswith(f"{_PREFIX}lstm.weight_ih_l") for name in arrays)
    for layer in range(layers):
        _take_lstm(taker, layer, num_mel_bins if layer == 0 else size, size)
    heads = {}
    if encoder_only:
        for name in ("linear.weight", "linear.bias"):
            taker.left_out[_PREFIX + name] = "head: the encoder was asked for"
    else:
        embedding_size = taker.sizes(f"{_PREFIX}linear.weight", 2)[0]
        taker.weights["speaker/embedding/kernel"] = taker.take(f"{_PREFIX}linear.weight", (embedding_size, size)).T
        taker.weights["speaker/embedding/bias"] = taker.take(f"{_PREFIX}linear.bias", (embedding_size,))
        heads = {"speaker": {"type": "speaker", "embedding_size": embedding_size, "pooling": "embeddings"}}
    for name in arrays:
        if name.startswith("optimizer_state."):
            taker.left_out[name] = "state of the optimizer that trained it"
        elif name in (f"{_PREFIX}similarity_weight", f"{_PREFIX}similarity_bias"):
            taker.left_out[name] = "scale of the loss that trained it"
    taker.check_nothing_left()
    frontend = {"type": "ge2e_mel"} | ({"num_mel_bins": num_mel_bins} if num_mel_bins != _NUM_MEL_BINS else {})
    backbone = {"type": "ge2e_lstm", "size": size, "num_blocks": layers}
    return PublishedModel(_NAME, taker.weights, frontend, backbone, taker.used, taker.left_out, heads)


def _take_lstm(taker, layer, units_in, size):
    """A layer of `torch.nn.LSTM`: gates in our order (input, forget, cell, output), (out, in), and two biases."""
    name, path = f"{_PREFIX}lstm.{{}}_l{layer}", f"backbone/block_{layer + 1}"
    projection = "forward_projection" if layer else "energy_projection"
    taker.weights[f"{path}/{projection}/kernel"] = taker.take(name.format("weight_ih"), (4 * size, units_in)).T
    taker.weights[f"{path}/forward/cell/recurrent_kernel"] = taker.take(name.format("weight_hh"), (4 * size, size)).T
    taker.weights[f"{path}/forward/cell/bias"] = (taker.take(name.format("bias_ih"), (4 * size,))
                                                  + taker.take(name.format("bias_hh"), (4 * size,)))
