"""SpeechBrain's ECAPA-TDNN -> weights of the backbone `ecapa_tdnn` and of a head `speaker`.

The names are those of `ECAPA_TDNN` in `speechbrain/lobes/models/ECAPA_TDNN.py` of SpeechBrain 1.0; the network is that
of Desplanques et al. 2020, https://arxiv.org/abs/2005.07143. No array says how far the convolutions are dilated:
2, 3, 4, ..., as in the paper.
"""

import re
from collections.abc import Mapping

import numpy as np

from speechzoo.published.model import PublishedModel, Taker

_NAME = "SpeechBrain's ECAPA-TDNN"
_NUM_MEL_BINS = 80


def is_speechbrain_ecapa(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether the arrays are those of SpeechBrain's ECAPA-TDNN (`embedding_model.ckpt`)."""
    return all(name in arrays for name in ("blocks.1.res2net_block.blocks.0.conv.conv.weight", "asp_bn.norm.weight"))


def read_speechbrain_ecapa(arrays: Mapping[str, np.ndarray], source: str, encoder_only: bool = False) -> PublishedModel:
    """The speaker encoder of SpeechBrain's `embedding_model.ckpt`.

    Args:
        arrays: Name -> array, as `open_weights` gives them.
        source: Names the file in messages.
        encoder_only: Leave the head out, for models with heads of their own.

    Raises:
        ValueError: An array that is missing, unknown, of another shape or type than the encoder has, or not finite.
    """
    taker = Taker(arrays, source, _NAME, "SpeechBrain's architecture")
    size, num_mel_bins, _ = taker.sizes("blocks.0.conv.conv.weight", 3)
    blocks = len({match[1] for name in arrays if (match := re.match(r"blocks\.([0-9]{1,3})\.tdnn1\.", name))})
    scale = 1 + len({match[1] for name in arrays
                     if (match := re.match(r"blocks\.1\.res2net_block\.blocks\.([0-9]{1,3})\.", name))})
    squeeze_size = taker.sizes("blocks.1.se_block.conv1.conv.weight", 3)[0]
    aggregation_size = taker.sizes("mfa.conv.conv.weight", 3)[0]
    if size % scale:
        raise taker.unfit("blocks.0.conv.conv.weight", f"has {size} channels, which {scale} groups do not divide")
    _take_tdnn(taker, "blocks.0", "backbone/layer_1", num_mel_bins, size, 5)
    for number in range(1, blocks + 1):
        name, path = f"blocks.{number}", f"backbone/block_{number}"
        _take_tdnn(taker, f"{name}.tdnn1", f"{path}/layer_1", size, size, 1)
        for group in range(scale - 1):
            _take_tdnn(taker, f"{name}.res2net_block.blocks.{group}", f"{path}/res2net/group_{group + 2}",
                       size // scale, size // scale, 3)
        _take_tdnn(taker, f"{name}.tdnn2", f"{path}/layer_2", size, size, 1)
        _take_dense(taker, f"{name}.se_block.conv1.conv", f"{path}/squeeze", size, squeeze_size)
        _take_dense(taker, f"{name}.se_block.conv2.conv", f"{path}/excite", squeeze_size, size)
    _take_tdnn(taker, "mfa", "backbone/aggregation", blocks * size, aggregation_size, 1)
    heads = {} if encoder_only else _take_head(taker, aggregation_size)
    for name in arrays:
        if encoder_only and name.startswith(("asp.", "asp_bn.", "fc.")):
            taker.left_out[name] = "head: the encoder was asked for"
        elif name.endswith(".num_batches_tracked"):
            taker.left_out[name] = "number of batches, which normalisation doesn't need"
    taker.check_nothing_left()
    frontend = {"type": "speechbrain_fbank"}
    frontend |= {"num_mel_bins": num_mel_bins} if num_mel_bins != _NUM_MEL_BINS else {}
    backbone = {"type": "ecapa_tdnn", "size": size, "num_blocks": blocks, "scale": scale, "squeeze_size": squeeze_size,
                "aggregation_size": aggregation_size, "mirrored": True}
    return PublishedModel(_NAME, taker.weights, frontend, backbone, taker.used, taker.left_out, heads)


def _take_head(taker, channels):
    hidden_size = taker.sizes("asp.tdnn.conv.conv.weight", 3)[0]
    if hidden_size != 128:
        raise taker.unfit("asp.tdnn.conv.conv.weight", f"has {hidden_size} units, where 128 were expected")
    # The utterance's mean and deviation have a layer of their own here.
    kernel = taker.take("asp.tdnn.conv.conv.weight", (hidden_size, 3 * channels, 1))[..., 0].T
    taker.weights["speaker/pooling/hidden/kernel"] = kernel[:channels]
    taker.weights["speaker/pooling/context/kernel"] = kernel[channels:]
    taker.weights["speaker/pooling/hidden/bias"] = taker.take("asp.tdnn.conv.conv.bias", (hidden_size,))
    _take_norm(taker, "asp.tdnn.norm.norm", "speaker/pooling/norm", hidden_size)
    _take_dense(taker, "asp.conv.conv", "speaker/pooling/score", hidden_size, channels)
    _take_norm(taker, "asp_bn.norm", "speaker/norm", 2 * channels)
    embedding_size = taker.sizes("fc.conv.weight", 3)[0]
    _take_dense(taker, "fc.conv", "speaker/embedding", 2 * channels, embedding_size)
    return {"speaker": {"type": "speaker", "embedding_size": embedding_size, "pooling": "channel_attentive"}}


def _take_tdnn(taker, name, path, channels_in, channels_out, kernel_size):
    # (out, in, kernel) there, (kernel, in, out) in Keras.
    kernel = taker.take(f"{name}.conv.conv.weight", (channels_out, channels_in, kernel_size))
    taker.weights[f"{path}/convolution/kernel"] = kernel.transpose(2, 1, 0)
    taker.weights[f"{path}/convolution/bias"] = taker.take(f"{name}.conv.conv.bias", (channels_out,))
    _take_norm(taker, f"{name}.norm.norm", f"{path}/norm", channels_out)


def _take_norm(taker, name, path, size):
    for part, their in (("gamma", "weight"), ("beta", "bias"), ("moving_mean", "running_mean"),
                        ("moving_variance", "running_var")):
        taker.weights[f"{path}/{part}"] = taker.take(f"{name}.{their}", (size,))


def _take_dense(taker, name, path, units_in, units_out):
    """A convolution of one frame, which is a dense layer."""
    taker.weights[f"{path}/kernel"] = taker.take(f"{name}.weight", (units_out, units_in, 1))[..., 0].T
    taker.weights[f"{path}/bias"] = taker.take(f"{name}.bias", (units_out,))
