"""ESPnet's Conformer of joint CTC and attention (`.pth` with its `config.yaml`) -> front end `espnet_log_mel`, backbone
`espnet_conformer`, heads `ctc` and `seq2seq`.

Sources of names and defaults: `asr/frontend/default.py`, `asr/encoder/conformer_encoder.py`, `asr/ctc.py`,
`layers/global_mvn.py` and `asr/espnet_model.py` of espnet2, release 202511 (Apache-2.0).
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from speechzoo.published.conformer_block import take_block, take_layer, take_norm, take_projection
from speechzoo.published.ctc_units import HEAD, ctc_head
from speechzoo.published.espnet_decoder import take_decoder
from speechzoo.published.model import PublishedModel, Taker
from speechzoo.published.settings import ANY, MAXIMUM_BYTES, check_settings, read_settings, whole_number

CONFIG = "config.yaml"
CTC_HEAD = "ctc"
"""`CTC_HEAD` is the name of the CTC layer's head where an attention decoder writes the transcript."""
_FIRST = "encoder.encoders.0.self_attn.linear_q.weight"
# Parts of a model, and which of each are known. Others of the file's many settings are of training.
_PARTS = {"frontend": ("default",), "encoder": ("conformer",), "normalize": ("global_mvn", "utterance_mvn"),
          "preencoder": (None,), "postencoder": (None,)}
_SETTINGS = {
    "frontend_conf": {
        "fs": (16000, "16k"), "n_fft": (512,), "win_length": ANY, "hop_length": ANY, "window": ("hann",),
        "center": (True,), "normalized": (False,), "onesided": (True,), "n_mels": ANY, "fmin": (None, 0),
        "fmax": (None, 8000), "htk": (False,), "frontend_conf": (None,), "apply_stft": (True,)},
    "encoder_conf": {
        "output_size": ANY, "attention_heads": ANY, "linear_units": ANY, "num_blocks": ANY, "cnn_module_kernel": ANY,
        "input_layer": ("conv2d",), "normalize_before": (True,), "concat_after": (False,),
        "positionwise_layer_type": ("linear",), "positionwise_conv_kernel_size": ANY, "macaron_style": (True,),
        "rel_pos_type": ("latest",), "pos_enc_layer_type": ("rel_pos",), "selfattention_layer_type": ("rel_selfattn",),
        "activation_type": ("swish",), "use_cnn_module": (True,), "zero_triu": (False,), "padding_idx": ANY,
        "interctc_layer_idx": ANY, "interctc_use_conditioning": (False,), "ctc_trim": (False,), "qk_norm": (False,),
        "stochastic_depth_rate": ANY, "layer_drop_rate": ANY, "max_pos_emb_len": ANY, "use_flash_attn": ANY,
        "dropout_rate": ANY, "positional_dropout_rate": ANY, "attention_dropout_rate": ANY},
}
# Those whose default in ESPnet is another network.
_STATED = {"encoder_conf": ("macaron_style", "rel_pos_type")}
_NORMALIZATION = {"global_mvn": {"stats_file": ANY, "norm_means": (True,), "norm_vars": (True,), "eps": ANY},
                  "utterance_mvn": {"norm_means": (True,), "norm_vars": (False,), "eps": ANY}}
# A block's modules by the names of our layers.
_NAMES = {"feed_forward_1": "feed_forward_macaron", "feed_forward_2": "feed_forward", "expand": "w_1", "project": "w_2",
          "convolution": "conv_module", "normalization": "conv_module.norm",
          "norm_feed_forward_1": "norm_ff_macaron", "norm_attention": "norm_mha", "norm_convolution": "norm_conv",
          "norm_feed_forward_2": "norm_ff", "norm_output": "norm_final"}
_DECODER, _CTC = "decoder.", "ctc."


def is_espnet(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether the arrays are those of an ESPnet Conformer."""
    return _FIRST in arrays


def read_espnet(arrays: Mapping[str, np.ndarray], source: str, config: Path,
                encoder_only: bool = False) -> PublishedModel:
    """Front end, encoder, attention decoder and CTC layer of an ESPnet Conformer.

    The attention decoder becomes the head `transcript` and the CTC layer the head `ctc`; where there is only one of
    them, it is `transcript`. Decoders of other kinds than `transformer` are left out.

    Args:
        arrays: The file.
        source: Names it in messages.
        config: The `config.yaml` of its training, which ESPnet writes beside it.
        encoder_only: Leave the decoder and the CTC layer out.

    Raises:
        ValueError: No config, a setting that the backbone doesn't have, or an array that is missing, unknown, of
            another shape or type than the config says, or not finite.
    """
    settings = _read_config(config, source)
    frontend, bins = _frontend(settings, source)
    encoder = {name: whole_number(settings["encoder_conf"], "encoder_conf", name, default, source)
               for name, default in (("output_size", 256), ("attention_heads", 4), ("linear_units", 2048),
                                     ("num_blocks", 6), ("cnn_module_kernel", 31))}
    size, num_heads = encoder["output_size"], encoder["attention_heads"]
    if size % num_heads or size % 2 or encoder["cnn_module_kernel"] % 2 == 0 or bins < 7:
        raise ValueError(f"{source}: {bins} features, {num_heads} heads, a size of {size} and a kernel of "
                         f"{encoder['cnn_module_kernel']}: no network has these together")
    backbone = {"type": "espnet_conformer", "size": size, "num_blocks": encoder["num_blocks"], "num_heads": num_heads,
                "feed_forward_size": encoder["linear_units"], "kernel_size": encoder["cnn_module_kernel"]}
    taker = Taker(arrays, source, "a Conformer", "ESPnet's Conformer")
    if settings["normalize"] == "global_mvn":
        for ours, theirs in (("mean", "mean"), ("deviation", "std")):
            taker.weights[f"frontend/{ours}"] = taker.take(f"normalize.{theirs}", (bins,))
    for ours, theirs, inputs in (("conv_1", 0, 1), ("conv_2", 2, size)):
        take_layer(taker, f"encoder.embed.conv.{theirs}", f"backbone/subsampling/{ours}", (size, inputs, 3, 3),
                   (2, 3, 1, 0))
    take_projection(taker, "encoder.embed.out.0", size, size, ((bins - 1) // 2 - 1) // 2)
    for number in range(encoder["num_blocks"]):
        take_block(taker, f"encoder.encoders.{number}", f"backbone/block_{number + 1}", backbone, _NAMES)
    take_norm(taker, "encoder.after_norm", "backbone/norm", size)
    heads = {} if encoder_only else _take_heads(taker, arrays, settings, source, size)
    for name in arrays:
        if name == "frontend.logmel.melmat":
            taker.left_out[name] = "features: the front end has the formula of the filters"
        elif encoder_only and name.startswith((_DECODER, _CTC)):
            taker.left_out[name] = "decoder: the encoder was asked for"
        elif name.startswith(_DECODER) and settings.get("decoder") != "transformer":
            taker.left_out[name] = (f"decoder: it is a {str(settings.get('decoder'))[:80]}, and this version has "
                                    "networks of transformer")
    taker.check_nothing_left()
    return PublishedModel("ESPnet Conformer", taker.weights, frontend, backbone, taker.used, taker.left_out, heads)


def _read_config(path, source):
    """The settings of a model whose every part is known."""
    if not path.is_file():
        raise ValueError(f"{source}: an ESPnet model, and no {path.name} beside it that says which; put the one of its "
                         "training there")
    with path.open("rb") as file:
        settings = read_settings(file.read(MAXIMUM_BYTES + 1), path.name, source)
    for name, known in _PARTS.items():
        if settings.get(name) not in known:
            raise ValueError(f"{source}: its {name} is {str(settings.get(name))[:80]}; this version has networks of "
                             f"{' or '.join(map(str, known))}")
    for section, known in _SETTINGS.items():
        check_settings(settings.get(section), section, known, _STATED.get(section, ()), source)
    normalization = settings.get("normalize_conf") or {}
    check_settings(normalization, "normalize_conf", _NORMALIZATION[settings["normalize"]], (), source)
    return settings


def _frontend(settings, source):
    """The front end as a zoo config has it, and its mel bins."""
    options = {name: value for name, value in settings["frontend_conf"].items() if value is not None}
    bins, hop, window = (whole_number(options, "frontend_conf", name, default, source)
                         for name, default in (("n_mels", 80), ("hop_length", 128), ("win_length", 512)))
    if not hop <= window <= 512:
        raise ValueError(f"{source}: a window of {window} samples and a step of {hop}; this version has windows of at "
                         "most 512, and steps no longer")
    frontend = {"type": "espnet_log_mel", "num_mel_bins": bins, "window_seconds": window / 16000,
                "hop_seconds": hop / 16000}
    return frontend | ({} if settings["normalize"] == "global_mvn" else {"normalization": "utterance"}), bins


def _take_heads(taker, arrays, settings, source, size):
    """What writes text; a model was trained with an attention decoder, a CTC layer or both."""
    tokens, kind = settings.get("token_list"), settings.get("token_type", "bpe")
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise ValueError(f"{source}: token_list is no list of texts in its {CONFIG}; fetch it again")
    if kind not in ("bpe", "char"):
        raise ValueError(f"{source}: token_type is {str(kind)[:80]}; this version has units of bpe or char")
    heads = {}
    if settings.get("decoder") == "transformer" and any(name.startswith(_DECODER) for name in arrays):
        heads[HEAD] = take_decoder(taker, settings, tokens, HEAD, source, size)
    if not heads or any(name.startswith(_CTC) for name in arrays):
        # The blank is the first token.
        head, weights = ctc_head(taker.take("ctc.ctc_lo.weight", (len(tokens), size)),
                                 taker.take("ctc.ctc_lo.bias", (len(tokens),)), tokens, 0, source, "<space>")
        name = CTC_HEAD if heads else HEAD
        taker.weights |= {path.replace(HEAD, name, 1): array for path, array in weights.items()}
        heads[name] = {**head, "label": HEAD} if heads else head
    return heads
