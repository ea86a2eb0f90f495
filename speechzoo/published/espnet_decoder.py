"""The attention decoder of an ESPnet model, a Transformer's -> weights of a head `seq2seq`.

Sources of names and defaults: `asr/decoder/transformer_decoder.py` and `asr/espnet_model.py` of espnet2, and
`nets/pytorch_backend/transformer/` of espnet, release 202511 (Apache-2.0).
"""

from speechzoo.published.conformer_block import take_layer, take_norm
from speechzoo.published.ctc_units import units_of_tokens
from speechzoo.published.model import Taker
from speechzoo.published.settings import ANY, check_settings, whole_number
from speechzoo.text.whisper_tokens import END

MAXIMUM_TOKENS = 3000
"""`MAXIMUM_TOKENS` can be read by a decoder whose positions are a formula: 25 for each second of 120 s, the longest
recording that is decoded in one piece."""
_SECTION = "decoder_conf"
_SETTINGS = {"attention_heads": ANY, "linear_units": ANY, "num_blocks": ANY, "dropout_rate": ANY,
             "positional_dropout_rate": ANY, "self_attention_dropout_rate": ANY, "src_attention_dropout_rate": ANY,
             "input_layer": ("embed",), "use_output_layer": (True,), "normalize_before": (True,),
             "concat_after": (False,), "layer_drop_rate": ANY, "qk_norm": (False,), "use_flash_attn": ANY,
             "gradient_checkpoint_layers": ANY}
_KEY_BIAS = "biases of the keys: they add the same to each key's score, which softmax takes away"


def take_decoder(taker: Taker, settings: dict, tokens: list[str], head: str, source: str, size: int) -> dict:
    """Takes all arrays of a decoder.

    Args:
        taker: Takes them.
        settings: The model's `config.yaml`.
        tokens: Its `token_list`.
        head: Name of the head.
        source: Names the model in messages.
        size: Channels of the encoder, which are the decoder's, too.

    Returns:
        The head as a zoo config has it.

    Raises:
        ValueError: A setting that the head doesn't have, a vocabulary without an end, or an array that is missing or of
            another shape than the config says.
    """
    options = settings.get(_SECTION) or {}
    check_settings(options, _SECTION, _SETTINGS, (), source)
    num_heads, inner, num_blocks = (whole_number(options, _SECTION, name, default, source) for name, default in
                                    (("attention_heads", 4), ("linear_units", 2048), ("num_blocks", 6)))
    if size % num_heads:
        raise ValueError(f"{source}: {num_heads} heads of the decoder and a size of {size}, which they must divide "
                         "evenly; it is damaged, fetch it again")
    # Scaled by the formula of its embedding; what begins and ends a text are tokens like others.
    taker.weights[f"{head}/embedding"] = size ** 0.5 * taker.take("decoder.embed.0.weight", (len(tokens), size))
    for number in range(num_blocks):
        theirs, ours = f"decoder.decoders.{number}", f"{head}/block_{number + 1}"
        for part, their in (("self_attention", "self_attn"), ("cross_attention", "src_attn")):
            _take_attention(taker, f"{theirs}.{their}", f"{ours}/{part}", size)
        for part, shape in (("expand", (inner, size)), ("project", (size, inner))):
            their = {"expand": "w_1", "project": "w_2"}[part]
            take_layer(taker, f"{theirs}.feed_forward.{their}", f"{ours}/feed_forward/{part}", shape, (1, 0))
        for place, part in enumerate(("norm_self", "norm_cross", "norm_feed_forward"), 1):
            take_norm(taker, f"{theirs}.norm{place}", f"{ours}/{part}", size)
    take_norm(taker, "decoder.after_norm", f"{head}/norm", size)
    take_layer(taker, "decoder.output_layer", f"{head}/logits", (len(tokens), size), (1, 0))
    # As `ESPnetASRModel` finds them.
    first, last = ((settings.get("model_conf") or {}).get(name, "<sos/eos>") for name in ("sym_sos", "sym_eos"))
    begin, end = (tokens.index(name) if name in tokens else len(tokens) - 1 for name in (first, last))
    units = units_of_tokens(tokens, source, "<space>")
    units[end] = END
    return {"type": "seq2seq", "units": units, "start": [units[begin]], "layers": num_blocks, "size": size,
            "num_heads": num_heads, "feed_forward_size": inner, "activation": "relu", "positions": "sinusoids",
            "tied": False, "epsilon": 1e-12, "maximum_tokens": MAXIMUM_TOKENS}


def _take_attention(taker, name, path, size):
    for part, their in (("query", "q"), ("key", "k"), ("value", "v"), ("output", "out")):
        kernel, bias = (f"{name}.linear_{their}.{kind}" for kind in ("weight", "bias"))
        taker.weights[f"{path}/{part}/kernel"] = taker.take(kernel, (size, size)).T
        if part == "key":
            taker.leave_out(bias, _KEY_BIAS)
        else:
            taker.weights[f"{path}/{part}/bias"] = taker.take(bias, (size,))
