"""The decoder of a Whisper model in CTranslate2's format -> weights of a head `seq2seq`.

Radford et al. 2022, https://arxiv.org/abs/2212.04356, section 2.2.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from speechzoo.published.model import PublishedModel
from speechzoo.published.settings import MAXIMUM_BYTES
from speechzoo.published.whisper import take_attention, take_dense, take_encoder, take_norm, whisper_taker
from speechzoo.text.whisper_tokens import VOCABULARIES, recognize_vocabulary, whisper_vocabulary

HEAD = "transcript"
"""`HEAD` is the name of the head that the decoder becomes."""
SILENCE_SECONDS = 3.0
"""`SILENCE_SECONDS` of zeros behind a recording let a published decoder find the end of its text: on sentences of 3 to
10 s, 3 s of them are as good as Whisper's own 30 s, and with 2 s it repeats itself (docs/published.md)."""
_BLOCK = re.compile(r"decoder/layer_([0-9]+)/")
# What CTranslate2 can be told of a decoder, and what Whisper's is: exact GELU (number 3), norms before the modules.
_SETTINGS = {"activation": 3, "alibi": 0, "pre_norm": 1, "scale_embeddings": 0, "start_from_zero_embedding": 0}
# What else CTranslate2 writes, according to its version, and why it is left out.
_LEFT_OUT = {"alignment_heads": "alignment: the model's config.json names the attention heads",
             "alibi_use_positive_positions": "alibi: there is none", "scale_alibi": "alibi: there is none"}
_LEFT_OUT["alignment_layer"] = _LEFT_OUT["alignment_heads"]


def read_whisper(arrays: Mapping[str, np.ndarray], source: str, vocabulary: list[str] | None = None,
                 alignment_heads: list | None = None) -> PublishedModel:
    """Encoder and decoder of a Whisper model.

    Args:
        arrays: Name of CTranslate2's -> array, such as a `CTranslate2File`.
        source: Names the file in messages.
        vocabulary: All tokens in their order, see `read_vocabulary`; those of OpenAI's models when None.
        alignment_heads: [block, attention head] pairs, see `read_alignment_heads`; the head's default when None.

    Raises:
        ValueError: An array that is missing, unknown, of another shape or type than a Whisper has, or not finite; or a
            vocabulary of another size.
    """
    taker = whisper_taker(arrays, source)
    frontend, backbone = take_encoder(taker, arrays, source)
    head = _take_decoder(taker, arrays, source, backbone["size"])
    head |= {"units": _vocabulary(vocabulary, len(taker.weights[f"{HEAD}/embedding"]), source)}
    head |= {"alignment_heads": alignment_heads} if alignment_heads else {}
    taker.check_nothing_left()
    frontend |= {"silence_seconds": SILENCE_SECONDS}
    return PublishedModel("Whisper", taker.weights, frontend, backbone, taker.used, taker.left_out, {HEAD: head})


def _take_decoder(taker, arrays, source, channels):
    count, size = taker.sizes("decoder/embeddings/weight", 2)
    num_heads = taker.whole_number("decoder/num_heads")
    if num_heads < 1 or size % num_heads:
        raise ValueError(f"{source}: {num_heads} heads of the decoder and a size of {size}, which they must divide "
                         "evenly; it is damaged, fetch it again")
    for name, value in _SETTINGS.items():
        if taker.whole_number(f"decoder/{name}") != value:
            raise taker.unfit(f"decoder/{name}", f"is not {value}")
    taker.left_out |= {f"decoder/{name}": reason for name, reason in _LEFT_OUT.items() if f"decoder/{name}" in arrays}
    maximum_tokens = taker.sizes("decoder/position_encodings/encodings", 2)[0]
    taker.weights[f"{HEAD}/embedding"] = taker.take("decoder/embeddings/weight", (count, size))
    taker.weights[f"{HEAD}/positions"] = taker.take("decoder/position_encodings/encodings", (maximum_tokens, size))
    num_blocks = len({match[1] for name in arrays if (match := _BLOCK.match(name))})
    for block in range(num_blocks):
        _take_block(taker, f"decoder/layer_{block}", f"{HEAD}/block_{block + 1}", size, channels)
    take_norm(taker, "decoder/layer_norm", f"{HEAD}/norm", size)
    if (arrays["decoder/projection/weight"] != arrays["decoder/embeddings/weight"]).any():
        raise taker.unfit("decoder/projection/weight", "differs from the embeddings")
    taker.left_out["decoder/projection/weight"] = "projection: the embeddings again"
    return {"type": "seq2seq", "layers": num_blocks, "size": size, "num_heads": num_heads, "dropout": 0.0,
            "maximum_tokens": maximum_tokens}


def read_vocabulary(folder: Path) -> list[str] | None:
    """The tokens that lie beside a `model.bin`: `vocabulary.json` or, of older converters, `vocabulary.txt`.

    Raises:
        ValueError: The file is no list of tokens.
    """
    listed, plain = folder / "vocabulary.json", folder / "vocabulary.txt"
    if not listed.is_file():
        # One token per line; bytes stand for themselves in letters, so that no token has a line's end in it.
        return _text(plain).removesuffix("\n").split("\n") if plain.is_file() else None
    tokens = _json(listed)
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise ValueError(f"{listed}: no list of tokens; fetch it again")
    return tokens


def read_alignment_heads(folder: Path) -> list[list[int]] | None:
    """The pairs that the `config.json` beside a `model.bin` names, or None.

    Raises:
        ValueError: They are no pairs of whole numbers.
    """
    path = folder / "config.json"
    config = _json(path) if path.is_file() else {}
    pairs = config.get("alignment_heads") if isinstance(config, dict) else None
    if pairs is not None and not (isinstance(pairs, list) and all(
            isinstance(pair, list) and len(pair) == 2 and all(type(number) is int for number in pair)
            for pair in pairs)):
        raise ValueError(f"{path}: alignment_heads are no pairs of numbers; fetch it again")
    return pairs


def _json(path):
    try:
        return json.loads(_text(path))
    except (ValueError, RecursionError):
        raise ValueError(f"{path}: damaged, not valid JSON; fetch it again") from None


def _text(path):
    """A text of a file that is no larger than a list of tokens may be."""
    with path.open("rb") as file:
        data = file.read(MAXIMUM_BYTES + 1)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    if text is None or len(data) > MAXIMUM_BYTES:
        raise ValueError(f"{path}: damaged, no text of at most {MAXIMUM_BYTES >> 20} MB; fetch it again")
    return text


def _vocabulary(vocabulary, count, source):
    """Name of the vocabulary of one of Whisper's models, or the tokens of another."""
    if vocabulary is None:
        named = [name for name in VOCABULARIES if len(whisper_vocabulary(name)) == count]
        if not named:
            raise ValueError(f"{source}: {count} tokens, and no vocabulary.json or vocabulary.txt beside it that lists "
                             "them; put it there, or import the encoder alone (--encoder)")
        return named[0]
    if len(vocabulary) != count:
        raise ValueError(f"{source}: {count} tokens, and {len(vocabulary)} in the vocabulary beside it; take the one "
                         "that came with it, or import the encoder alone (--encoder)")
    return recognize_vocabulary(vocabulary)


def _take_block(taker, name, path, size, channels):
    take_norm(taker, f"{name}/self_attention/layer_norm", f"{path}/norm_self", size)
    take_attention(taker, f"{name}/self_attention", f"{path}/self_attention", size)
    take_norm(taker, f"{name}/attention/layer_norm", f"{path}/norm_cross", size)
    cross, other = f"{path}/cross_attention", f"{name}/attention"
    take_dense(taker, f"{other}/linear_0", f"{cross}/query", size, size)
    kernels = taker.take(f"{other}/linear_1/weight", (2 * size, channels)).reshape(2, size, channels)
    biases = taker.take(f"{other}/linear_1/bias", (2 * size,)).reshape(2, size)
    if biases[0].any():
        raise taker.unfit(f"{other}/linear_1/bias", "has a bias of the keys")
    taker.weights[f"{cross}/key/kernel"], taker.weights[f"{cross}/value/kernel"] = (kernel.T for kernel in kernels)
    taker.weights[f"{cross}/value/bias"] = biases[1]
    take_dense(taker, f"{other}/linear_2", f"{cross}/output", size, size)
    take_norm(taker, f"{name}/ffn/layer_norm", f"{path}/norm_feed_forward", size)
    take_dense(taker, f"{name}/ffn/linear_0", f"{path}/feed_forward/expand", size, 4 * size)
    take_dense(taker, f"{name}/ffn/linear_1", f"{path}/feed_forward/project", 4 * size, size)
