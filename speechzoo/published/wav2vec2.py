"""wav2vec 2.0 and HuBERT, as transformers names them -> front end `waveform`, backbone `wav2vec2` and a head `ctc`.

Sources of the names: `modeling_wav2vec2.py`, `modeling_hubert.py` and `tokenization_wav2vec2.py` of transformers 5.23.
"""

import fnmatch
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from speechzoo.published.ctc_units import HEAD, ctc_head
from speechzoo.published.model import PublishedModel, Taker
from speechzoo.published.sources import Source, read_settings

_FIRST = "feature_extractor.conv_layers.0.conv.weight"
# `model_type` of config.json -> what people call it.
_NAMES = {"wav2vec2": "wav2vec 2.0", "hubert": "HuBERT"}
_SAMPLE_RATE = 16000
# What transformers can be told of such a model, and what those are that the backbone computes.
_SETTINGS = {"hidden_act": "gelu", "feat_extract_activation": "gelu", "layer_norm_eps": 1e-5, "add_adapter": False,
             "adapter_attn_dim": None, "conv_pos_batch_norm": False, "feat_proj_layer_norm": True}
# (feat_extract_norm, conv_bias) -> normalization of the backbone.
_NORMALIZATIONS = {("group", False): "utterance", ("layer", True): "layer"}
_LEFT_OUT = {
    "*masked_spec_embed": "masks: what stands for frames that training masks",
    "quantizer.*": "pretraining: the quantiser of its targets",
    "project_*": "pretraining: what its targets are compared with",
    "*.k_proj.bias": "biases of the keys: they add the same to each key's score, which softmax takes away",
}
# Both spellings of PyTorch's weight normalisation: (length of each tap, direction).
_WEIGHT_NORMS = [("weight_g", "weight_v"),
                 ("parametrizations.weight.original0", "parametrizations.weight.original1")]
_NO_HEAD = "or import the encoder alone (--encoder)"


def is_wav2vec2(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether the arrays are those of wav2vec 2.0, HuBERT or one of their relatives."""
    return any(name.endswith(_FIRST) for name in arrays)


def read_wav2vec2(arrays: Mapping[str, np.ndarray], found: Source, encoder_only: bool = False) -> PublishedModel:
    """The model, with its CTC head where it has one.

    Args:
        arrays: Name of transformers' -> array, such as `open_weights` gives them.
        found: The file; `config.json`, `preprocessor_config.json` and, for the head, `vocab.json` lie beside it.
        encoder_only: Leave the head out.

    Raises:
        ValueError: A relative that computes something else, an array that is missing, unknown, of another shape or not
            finite, or a file that should lie beside the weights.
    """
    source, config = str(found.path), found.config
    name = _NAMES.get(config.get("model_type"))
    if name is None:
        raise ValueError(f"{source}: a model of type '{str(config.get('model_type'))[:40]}' as config.json says; only "
                         f"{' and '.join(_NAMES)} can be imported" if config else
                         f"{source}: no config.json beside it; put the one of the same model there")
    backbone, window, hop = _backbone(config, source)
    frontend = {"type": "waveform", "window_length": window, "hop_length": hop,
                "normalize": _normalizes(found.path.parent, source)}
    taker = Taker(arrays, source, name, f"{name} as transformers has it")
    prefix = next(name for name in arrays if name.endswith(_FIRST)).removesuffix(_FIRST)
    _take_backbone(taker, arrays, prefix, backbone, window, source)
    left_out = _LEFT_OUT | ({"lm_head.*": "head: the encoder was asked for"} if encoder_only else {})
    taker.left_out |= {array: reason for pattern, reason in left_out.items()
                       for array in fnmatch.filter(arrays, pattern)}
    heads = {} if encoder_only or "lm_head.weight" not in arrays else _take_head(taker, backbone["size"], found, source)
    taker.check_nothing_left()
    return PublishedModel(name, taker.weights, frontend, backbone, taker.used, taker.left_out, heads)


def _backbone(config, source):
    """The backbone as a zoo config has it, and window and hop of the front end."""
    def bad(problem):
        return ValueError(f"{source}: config.json says {problem}; only wav2vec 2.0 and HuBERT as they were published "
                          "can be imported")

    def number(key, default):
        value = config.get(key, default)
        if type(value) is not int or not 0 < value < 100_000:
            raise bad(f"{key}: {str(value)[:40]}")
        return value

    def numbers(key, default):
        values = config.get(key, default)
        if not isinstance(values, list) or not 2 <= len(values) < 100 or not all(
                type(value) is int and 0 < value < 100_000 for value in values):
            raise bad(f"{key}: {str(values)[:40]}")
        return values

    for key, value in _SETTINGS.items():
        if config.get(key, value) != value:
            raise bad(f"{key}: {str(config[key])[:40]}")
    norms = config.get("feat_extract_norm", "group"), config.get("conv_bias", False)
    if norms not in _NORMALIZATIONS:
        raise bad(f"feat_extract_norm: {str(norms[0])[:40]} and conv_bias: {str(norms[1])[:40]}")
    kernels, strides = numbers("conv_kernel", [10, 3, 3, 3, 3, 2, 2]), numbers("conv_stride", [5, 2, 2, 2, 2, 2, 2])
    channels = numbers("conv_dim", [512] * 7)
    if len({len(kernels), len(strides), len(channels)}) > 1 or len({*channels}) > 1:
        raise bad("conv_kernel, conv_stride and conv_dim that don't fit each other, or channels that change")
    if strides[0] > kernels[0]:
        raise bad(f"conv_stride: {strides[0]} beyond conv_kernel: {kernels[0]}")
    return {"type": "wav2vec2", "size": number("hidden_size", 768), "num_blocks": number("num_hidden_layers", 12),
            "num_heads": number("num_attention_heads", 12), "feed_forward_size": number("intermediate_size", 3072),
            "normalization": _NORMALIZATIONS[norms], "norm_first": bool(config.get("do_stable_layer_norm", False)),
            "convolution_size": channels[0], "kernel_sizes": kernels[1:], "strides": strides[1:],
            "position_kernel_size": number("num_conv_pos_embeddings", 128),
            "position_groups": number("num_conv_pos_embedding_groups", 16)}, kernels[0], strides[0]


def _normalizes(folder, source):
    """Whether the samples get mean 0 and variance 1."""
    settings = read_settings(folder / "preprocessor_config.json")
    if not settings:
        raise ValueError(f"{source}: no preprocessor_config.json beside it, which says how samples are scaled; put the "
                         "one of the same model there")
    if settings.get("sampling_rate", _SAMPLE_RATE) != _SAMPLE_RATE or settings.get("feature_size", 1) != 1:
        raise ValueError(f"{source}: preprocessor_config.json says another rate or shape of samples than "
                         f"{_SAMPLE_RATE} Hz mono, which is what wav2vec 2.0 and HuBERT were published with")
    return bool(settings.get("do_normalize", True))


def _take_backbone(taker, arrays, prefix, backbone, window, source):
    size, channels = backbone["size"], backbone["convolution_size"]
    if size % backbone["num_heads"] or size % backbone["position_groups"]:
        raise ValueError(f"{source}: {backbone['num_heads']} heads, {backbone['position_groups']} groups and a "
                         f"size of {size}, which they must divide evenly; it is damaged, fetch it again")
    layers = f"{prefix}feature_extractor.conv_layers"
    per_layer = backbone["normalization"] == "layer"
    # (out, in, kernel) there; the first one, of one channel, is a dense layer on its windows here.
    first = taker.take(f"{layers}.0.conv.weight", (channels, 1, window))
    taker.weights["backbone/convolution_1/kernel"] = first[:, 0].T
    for number, width in enumerate(backbone["kernel_sizes"], 1):
        kernel = taker.take(f"{layers}.{number}.conv.weight", (channels, channels, width))
        taker.weights[f"backbone/convolution_{number + 1}/kernel"] = kernel.transpose(2, 1, 0)
    for number in range(len(backbone["kernel_sizes"]) + 1):
        if per_layer:
            bias = taker.take(f"{layers}.{number}.conv.bias", (channels,))
            taker.weights[f"backbone/convolution_{number + 1}/bias"] = bias
        if per_layer or number == 0:
            _take_norm(taker, f"{layers}.{number}.layer_norm", f"norm_convolution_{number + 1}", channels)
    _take_norm(taker, f"{prefix}feature_projection.layer_norm", "norm_features", channels)
    _take_dense(taker, f"{prefix}feature_projection.projection", "projection", channels, size)
    _take_positions(taker, arrays, f"{prefix}encoder.pos_conv_embed.conv", backbone)
    _take_norm(taker, f"{prefix}encoder.layer_norm", "norm", size)
    for number in range(backbone["num_blocks"]):
        _take_block(taker, f"{prefix}encoder.layers.{number}", f"block_{number + 1}", size,
                    backbone["feed_forward_size"])


def _take_positions(taker, arrays, name, backbone):
    """The convolution that tells positions: what is stored is a direction and, for each of its taps, a length."""
    size, width, groups = backbone["size"], backbone["position_kernel_size"], backbone["position_groups"]
    per_group = size // groups
    old, new = _WEIGHT_NORMS
    lengths, direction = old if f"{name}.{old[0]}" in arrays else new
    lengths = taker.take(f"{name}.{lengths}", (1, 1, width)).astype(np.float64)
    kernel = taker.take(f"{name}.{direction}", (size, per_group, width)).astype(np.float64)
    norm = np.sqrt(np.square(kernel).sum(axis=(0, 1), keepdims=True))
    if not norm.all():
        raise taker.unfit(f"{name}.{direction}", "holds a tap that is zero")
    kernel = (lengths * kernel / norm).astype(np.float32)
    bias = taker.take(f"{name}.bias", (size,))
    for number in range(groups):
        own = slice(number * per_group, (number + 1) * per_group)
        path = f"backbone/positions/group_{number + 1}"
        taker.weights[f"{path}/kernel"], taker.weights[f"{path}/bias"] = kernel[own].transpose(2, 1, 0), bias[own]


def _take_block(taker, name, path, size, inner):
    for their, part in (("q_proj", "query"), ("k_proj", "key"), ("v_proj", "value"), ("out_proj", "output")):
        _take_dense(taker, f"{name}.attention.{their}", f"{path}/attention/{part}", size, size, bias=part != "key")
    _take_norm(taker, f"{name}.layer_norm", f"{path}/norm_attention", size)
    _take_dense(taker, f"{name}.feed_forward.intermediate_dense", f"{path}/feed_forward/expand", size, inner)
    _take_dense(taker, f"{name}.feed_forward.output_dense", f"{path}/feed_forward/project", inner, size)
    _take_norm(taker, f"{name}.final_layer_norm", f"{path}/norm_feed_forward", size)


def _take_dense(taker, name, path, units_in, units_out, bias=True):
    taker.weights[f"backbone/{path}/kernel"] = taker.take(f"{name}.weight", (units_out, units_in)).T
    if bias:
        taker.weights[f"backbone/{path}/bias"] = taker.take(f"{name}.bias", (units_out,))


def _take_norm(taker, name, path, size):
    taker.weights[f"backbone/{path}/gamma"] = taker.take(f"{name}.weight", (size,))
    taker.weights[f"backbone/{path}/beta"] = taker.take(f"{name}.bias", (size,))


def _take_head(taker, size, found, source):
    count = taker.sizes("lm_head.weight", 2)[0]
    folder = found.path.parent
    blank = found.config.get("pad_token_id", 0)
    if type(blank) is not int:
        raise ValueError(f"{source}: config.json says pad_token_id: {str(blank)[:40]}, which is no output; fetch it "
                         f"again, {_NO_HEAD}")
    delimiter = read_settings(folder / "tokenizer_config.json").get("word_delimiter_token", "|")
    head, weights = ctc_head(taker.take("lm_head.weight", (count, size)), taker.take("lm_head.bias", (count,)),
                             _vocabulary(folder, count, source), blank, source, delimiter)
    taker.weights |= weights
    return {HEAD: head}


def _vocabulary(folder: Path, count: int, source: str) -> list[str]:
    """What each output stands for: `vocab.json`, and `added_tokens.json` for the outputs that it lacks."""
    tokens = read_settings(folder / "vocab.json")
    if not tokens:
        raise ValueError(f"{source}: no vocab.json beside it; put the one of the same model there, {_NO_HEAD}")
    numbered = {number: token for file in (read_settings(folder / "added_tokens.json"), tokens)
                for token, number in file.items() if type(number) is int}
    if sorted(numbered) != list(range(count)):
        raise ValueError(f"{source}: {count} outputs, and {len(numbered)} tokens beside it; take the vocab.json that "
                         f"came with the weights, {_NO_HEAD}")
    return [numbered[number] for number in range(count)]
