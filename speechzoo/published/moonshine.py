"""Moonshine's encoder, as transformers names it -> the front end `waveform` and the backbone `moonshine`.

Source of the names: `modeling_moonshine.py` of transformers 5.23.
"""

import fnmatch
from collections.abc import Mapping

import numpy as np

from speechzoo.published.model import PublishedModel, Taker
from speechzoo.published.sources import Source

_PREFIX = "model.encoder."
_FIRST = f"{_PREFIX}groupnorm.weight"
_WINDOW, _HOP = 127, 64
# What transformers can be told of such a model, and what that is that the backbone computes.
_SETTINGS = {"encoder_hidden_act": "gelu", "attention_bias": False, "head_dim": None}
_DECODER = "decoder: its rotary positions and gated modules are in no head here"


def is_moonshine(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether the arrays are those of a Moonshine model."""
    return _FIRST in arrays


def read_moonshine(arrays: Mapping[str, np.ndarray], found: Source) -> PublishedModel:
    """The encoder of a Moonshine model; its decoder is left out.

    Args:
        arrays: Name of transformers' -> array, such as `open_weights` gives them.
        found: The file; `config.json` lies beside it.

    Raises:
        ValueError: Settings of another architecture, or an array that is missing, unknown, of another shape or not
            finite.
    """
    source, config = str(found.path), found.config
    if config.get("model_type") != "moonshine":
        raise ValueError(f"{source}: no config.json beside it that says model_type: moonshine; put the one of the same "
                         "model there")
    taker = Taker(arrays, source, "Moonshine", "Moonshine as transformers has it")
    backbone = _backbone(config, arrays, taker, source)
    size, inner = backbone["size"], backbone["feed_forward_size"]
    # (out, in, kernel) there; the first one, of one channel, is a dense layer on its windows here.
    first = taker.take(f"{_PREFIX}conv1.weight", (size, 1, _WINDOW))
    taker.weights["backbone/convolution_1/kernel"] = first[:, 0].T
    _take(taker, "groupnorm", "norm_convolution_1", {"weight": "gamma", "bias": "beta"}, (size,))
    for number, shape in ((2, (2 * size, size, 7)), (3, (size, 2 * size, 3))):
        kernel = taker.take(f"{_PREFIX}conv{number}.weight", shape)
        taker.weights[f"backbone/convolution_{number}/kernel"] = kernel.transpose(2, 1, 0)
        taker.weights[f"backbone/convolution_{number}/bias"] = taker.take(f"{_PREFIX}conv{number}.bias", shape[:1])
    for number in range(backbone["num_blocks"]):
        layer, block = f"layers.{number}", f"block_{number + 1}"
        _take(taker, f"{layer}.input_layernorm", f"{block}/norm_attention", {"weight": "gamma"}, (size,))
        for their, part in (("q_proj", "query"), ("k_proj", "key"), ("v_proj", "value"), ("o_proj", "output")):
            kernel = taker.take(f"{_PREFIX}{layer}.self_attn.{their}.weight", (size, size))
            kernel = _pairs_apart(kernel, backbone) if part in ("query", "key") else kernel
            taker.weights[f"backbone/{block}/attention/{part}/kernel"] = kernel.T
        _take(taker, f"{layer}.post_attention_layernorm", f"{block}/norm_feed_forward", {"weight": "gamma"}, (size,))
        for their, part, shape in (("fc1", "expand", (inner, size)), ("fc2", "project", (size, inner))):
            path, name = f"backbone/{block}/feed_forward/{part}", f"{_PREFIX}{layer}.mlp.{their}"
            taker.weights[f"{path}/kernel"] = taker.take(f"{name}.weight", shape).T
            taker.weights[f"{path}/bias"] = taker.take(f"{name}.bias", shape[:1])
    _take(taker, "layer_norm", "norm", {"weight": "gamma"}, (size,))
    for pattern in ("model.decoder.*", "proj_out.*"):
        taker.left_out |= dict.fromkeys(fnmatch.filter(arrays, pattern), _DECODER)
    taker.check_nothing_left()
    frontend = {"type": "waveform", "window_length": _WINDOW, "hop_length": _HOP, "normalize": False}
    return PublishedModel("Moonshine", taker.weights, frontend, backbone, taker.used, taker.left_out)


def _backbone(config, arrays, taker, source):
    """The backbone as a zoo config has it."""
    def bad(problem):
        return ValueError(f"{source}: config.json says {problem}; only Moonshine as it was published can be imported")

    for key, value in _SETTINGS.items():
        if config.get(key, value) != value:
            raise bad(f"{key}: {str(config[key])[:40]}")
    size, num_heads = taker.sizes(f"{_PREFIX}conv1.weight", 3)[0], config.get("encoder_num_attention_heads", 8)
    if type(num_heads) is not int or num_heads < 1 or size % num_heads:
        raise bad(f"encoder_num_attention_heads: {str(num_heads)[:40]}, which don't divide {size} channels")
    if config.get("encoder_num_key_value_heads") not in (None, num_heads):
        raise bad(f"encoder_num_key_value_heads: {str(config['encoder_num_key_value_heads'])[:40]}")
    # Newer files have the settings of rotary positions together.
    rotary = config.get("rope_parameters") or {}
    share = rotary.get("partial_rotary_factor", config.get("partial_rotary_factor", 0.9))
    base = rotary.get("rope_theta", config.get("rope_theta", 1e4))
    if rotary.get("rope_type", "default") != "default" or base != 1e4:
        raise bad(f"rope_parameters: {str(rotary)[:40]}")
    if type(share) not in (int, float) or not 0 < share <= 1 or int(size // num_heads * share) % 2:
        raise bad(f"partial_rotary_factor: {str(share)[:40]}")
    num_blocks = len({name.split(".")[3] for name in arrays if name.startswith(f"{_PREFIX}layers.")})
    inner = taker.sizes(f"{_PREFIX}layers.0.mlp.fc1.weight", 2)[0]
    return {"type": "moonshine", "size": size, "num_blocks": num_blocks, "num_heads": num_heads,
            "rotary_size": int(size // num_heads * share), "feed_forward_size": inner}


def _pairs_apart(kernel, backbone):
    """(out, in) with the turning channels of each head reordered: pairs are neighbours there, and in two halves here.

    Scores are the same, because queries and keys have the same order.
    """
    heads, rotary = backbone["num_heads"], backbone["rotary_size"]
    depth = len(kernel) // heads
    order = [*range(0, rotary, 2), *range(1, rotary, 2), *range(rotary, depth)]
    return kernel.reshape(heads, depth, -1)[:, order].reshape(kernel.shape)


def _take(taker, name, path, parts, shape):
    for their, ours in parts.items():
        taker.weights[f"backbone/{path}/{ours}"] = taker.take(f"{_PREFIX}{name}.{their}", shape)
