"""Whisper's weights under the names of transformers or of OpenAI -> under CTranslate2's, which the readers take.

Sources of the names: `modeling_whisper.py` of transformers 5.23, `model.py` of openai-whisper 20250625 and
`converters/transformers.py` of CTranslate2 4.8.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

# A row is a module: CTranslate2's name, transformers', OpenAI's. Several modules are one array there, in this order.
_BLOCK = [
    ("self_attention/layer_norm", "self_attn_layer_norm", "attn_ln"),
    ("self_attention/linear_0", ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
     ("attn.query", "attn.key", "attn.value")),
    ("self_attention/linear_1", "self_attn.out_proj", "attn.out"),
    ("ffn/layer_norm", "final_layer_norm", "mlp_ln"),
    ("ffn/linear_0", "fc1", "mlp.0"),
    ("ffn/linear_1", "fc2", "mlp.2"),
]
_CROSS_ATTENTION = [
    ("attention/layer_norm", "encoder_attn_layer_norm", "cross_attn_ln"),
    ("attention/linear_0", "encoder_attn.q_proj", "cross_attn.query"),
    ("attention/linear_1", ("encoder_attn.k_proj", "encoder_attn.v_proj"), ("cross_attn.key", "cross_attn.value")),
    ("attention/linear_2", "encoder_attn.out_proj", "cross_attn.out"),
]
_BLOCKS = {"encoder": _BLOCK, "decoder": _BLOCK + _CROSS_ATTENTION}
_AROUND_BLOCKS = {
    "encoder": [("conv1", "conv1", "conv1"), ("conv2", "conv2", "conv2"), ("layer_norm", "layer_norm", "ln_post")],
    "decoder": [("layer_norm", "layer_norm", "ln")],
}
# A row is an array.
_TABLES = {
    "encoder": [("position_encodings/encodings", "embed_positions.weight", "positional_embedding")],
    "decoder": [("position_encodings/encodings", "embed_positions.weight", "positional_embedding"),
                ("embeddings/weight", "embed_tokens.weight", "token_embedding.weight"),
                ("projection/weight", "embed_tokens.weight", "token_embedding.weight")],
}
# The product with the embeddings, which transformers may write a second time.
_TRANSFORMERS_PROJECTION = "proj_out.weight"
# What CTranslate2 writes of a decoder as numbers: the exact GELU is its third activation.
_SETTINGS = {"decoder/activation": 3, "decoder/alibi": 0, "decoder/alignment_heads": 1, "decoder/alignment_layer": -1,
             "decoder/pre_norm": 1, "decoder/scale_embeddings": 0, "decoder/start_from_zero_embedding": 0}


@dataclass(frozen=True)
class _Scheme:
    """How a framework names the weights: its column in the tables, what stands before all names, and the blocks."""

    column: int
    prefixes: tuple[str, ...]
    blocks: str


_TRANSFORMERS = _Scheme(1, ("model.", ""), "layers")
_OPENAI = _Scheme(2, ("model_state_dict.", ""), "blocks")


class WhisperNames(Mapping):
    """The arrays of a Whisper model by CTranslate2's names, each read when it is asked for.

    Args:
        arrays: The arrays by the names of transformers or of OpenAI, such as `open_weights` gives them.
        num_heads: Attention heads of "encoder" and "decoder".
        source: Names the file in messages.

    Attributes:
        sources: CTranslate2's name -> the names in the file that its array is made of; none for settings.

    Raises:
        ValueError: An array that such a model has is missing, or there is one that none has.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], num_heads: dict[str, int], source: str):
        self._arrays, self._source = arrays, source
        scheme = _scheme(arrays)
        prefix = next(prefix for prefix in scheme.prefixes
                      if any(name.startswith(f"{prefix}encoder.") for name in arrays))
        sides = [side for side in _BLOCKS if any(name.startswith(f"{prefix}{side}.") for name in arrays)]
        self._numbers = {f"{side}/num_heads": num_heads[side] for side in sides}
        self._numbers |= _SETTINGS if "decoder" in sides else {}
        self._made = {}
        for side in sides:
            self._add_side(scheme, prefix, side)
        if _TRANSFORMERS_PROJECTION in arrays and "decoder" in sides:
            self._made["decoder/projection/weight"] = (_TRANSFORMERS_PROJECTION,)
        self.sources = self._made | {name: () for name in self._numbers}
        known = {name for names in self._made.values() for name in names}
        unknown = [name for name in arrays if name not in known]
        if unknown:
            raise ValueError(f"{source}: {len(unknown)} arrays that Whisper doesn't have, such as '{unknown[0][:80]}'; "
                             "only files of OpenAI's architecture can be imported")

    def _add_side(self, scheme, prefix, side):
        start = f"{prefix}{side}."
        numbers = {int(match[1]) for name in self._arrays
                   if (match := re.match(rf"{re.escape(start)}{scheme.blocks}\.([0-9]{{1,3}})\.", name))}
        for row in _AROUND_BLOCKS[side]:
            self._add_module(f"{side}/{row[0]}", start, row[scheme.column])
        for number in range(max(numbers, default=-1) + 1):
            for row in _BLOCKS[side]:
                self._add_module(f"{side}/layer_{number}/{row[0]}", f"{start}{scheme.blocks}.{number}.",
                                 row[scheme.column])
        for row in _TABLES[side]:
            self._made[f"{side}/{row[0]}"] = self._present(start + row[scheme.column])

    def _add_module(self, module, start, names):
        names = (names,) if isinstance(names, str) else names
        norm = module.endswith("layer_norm")
        for leaf, their in (("gamma" if norm else "weight", "weight"), ("beta" if norm else "bias", "bias")):
            # Keys have no bias, neither here nor there.
            self._made[f"{module}/{leaf}"] = self._present(*(
                f"{start}{name}.{their}" for name in names if their == "weight" or not _is_key(name)))

    def _present(self, *names):
        for name in names:
            if name not in self._arrays:
                raise ValueError(f"{self._source}: has no '{name}'; only files of OpenAI's architecture can be "
                                 "imported")
        return names

    def __getitem__(self, name: str) -> np.ndarray:
        if name in self._numbers:
            return np.array(self._numbers[name], np.int16)
        parts = [self._arrays[source] for source in self._made[name]]
        weights = self._made.get(name.removesuffix("bias") + "weight", ())
        if len(weights) > len(parts):  # of the modules that are one here, the keys have no bias
            parts.insert(len(parts) - 1, np.zeros_like(parts[-1]))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def __iter__(self) -> Iterator[str]:
        return iter(self.sources)

    def __len__(self) -> int:
        return len(self.sources)


def is_whisper(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether the arrays are those of a Whisper model under transformers' or OpenAI's names."""
    return _scheme(arrays) is not None


def is_openai(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether they have OpenAI's names; its files say themselves how many heads there are."""
    return _scheme(arrays) is _OPENAI


def _scheme(arrays):
    for scheme, first in ((_TRANSFORMERS, "encoder.layers.0.self_attn.q_proj.weight"),
                          (_OPENAI, "encoder.blocks.0.attn.query.weight")):
        if any(prefix + first in arrays for prefix in scheme.prefixes):
            return scheme
    return None


def _is_key(name):
    return name.endswith(("k_proj", "key"))
