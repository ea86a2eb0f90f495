"""The arrays of a Whisper file in CTranslate2's format as transformers and OpenAI name and write them."""

import json
import struct
from pathlib import Path

import numpy as np

from tests.published.test_pickle_reading import text
from tests.published.tiny_torch import zip_checkpoint

NUM_HEADS = 2


def transformers_names(arrays) -> dict[str, np.ndarray]:
    """The arrays as `WhisperForConditionalGeneration.state_dict()` has them."""
    found = {}
    for side in ("encoder", "decoder"):
        def put(name, source, norm=False):
            for leaf, their in (("gamma" if norm else "weight", "weight"), ("beta" if norm else "bias", "bias")):
                found[f"model.{side}.{name}.{their}"] = arrays[f"{side}/{source}/{leaf}"]

        def split(name, source, parts):
            weights = np.split(arrays[f"{side}/{source}/weight"], len(parts))
            biases = np.split(arrays[f"{side}/{source}/bias"], len(parts))
            for part, weight, bias in zip(parts, weights, biases):
                found[f"model.{side}.{name}.{part}_proj.weight"] = weight
                if part != "k":
                    found[f"model.{side}.{name}.{part}_proj.bias"] = bias

        blocks = len({name.split("/")[1] for name in arrays if name.startswith(f"{side}/layer_") and "ffn" in name})
        for block in range(blocks):
            ours, theirs = f"layer_{block}", f"layers.{block}"
            split(f"{theirs}.self_attn", f"{ours}/self_attention/linear_0", "qkv")
            put(f"{theirs}.self_attn.out_proj", f"{ours}/self_attention/linear_1")
            put(f"{theirs}.self_attn_layer_norm", f"{ours}/self_attention/layer_norm", norm=True)
            if side == "decoder":
                put(f"{theirs}.encoder_attn_layer_norm", f"{ours}/attention/layer_norm", norm=True)
                put(f"{theirs}.encoder_attn.q_proj", f"{ours}/attention/linear_0")
                split(f"{theirs}.encoder_attn", f"{ours}/attention/linear_1", "kv")
                put(f"{theirs}.encoder_attn.out_proj", f"{ours}/attention/linear_2")
            put(f"{theirs}.final_layer_norm", f"{ours}/ffn/layer_norm", norm=True)
            put(f"{theirs}.fc1", f"{ours}/ffn/linear_0")
            put(f"{theirs}.fc2", f"{ours}/ffn/linear_1")
        put("layer_norm", "layer_norm", norm=True)
        found[f"model.{side}.embed_positions.weight"] = arrays[f"{side}/position_encodings/encodings"]
        if side == "encoder":
            put("conv1", "conv1")
            put("conv2", "conv2")
    found["model.decoder.embed_tokens.weight"] = arrays["decoder/embeddings/weight"]
    return found


# transformers' part of a name -> OpenAI's (`model.py` of openai-whisper 20250625).
TO_OPENAI = {"layers": "blocks", "fc1": "mlp.0", "fc2": "mlp.2", "final_layer_norm": "mlp_ln",
             "self_attn.q_proj": "attn.query", "self_attn.k_proj": "attn.key",
             "self_attn.v_proj": "attn.value", "self_attn.out_proj": "attn.out",
             "self_attn_layer_norm": "attn_ln", "encoder_attn.q_proj": "cross_attn.query",
             "encoder_attn.k_proj": "cross_attn.key", "encoder_attn.v_proj": "cross_attn.value",
             "encoder_attn.out_proj": "cross_attn.out", "encoder_attn_layer_norm": "cross_attn_ln",
             "decoder.layer_norm": "decoder.ln", "encoder.layer_norm": "encoder.ln_post",
             "embed_tokens": "token_embedding", "embed_positions.weight": "positional_embedding"}


def openai_names(arrays) -> dict[str, np.ndarray]:
    """The same as `Whisper.state_dict()` of openai-whisper has them."""
    found = {}
    for name, array in transformers_names(arrays).items():
        name = name.removeprefix("model.")
        for theirs, ours in TO_OPENAI.items():
            name = name.replace(theirs, ours)
        found[name] = array
    return found


def write_transformers(folder: Path, arrays, **config) -> Path:
    """`model.safetensors` and `config.json` as `save_pretrained` writes them; needs the package safetensors."""
    from safetensors.numpy import save_file

    folder.mkdir(exist_ok=True)
    save_file({name: np.ascontiguousarray(array) for name, array in transformers_names(arrays).items()},
              folder / "model.safetensors", metadata={"format": "pt"})
    values = {"model_type": "whisper", "encoder_attention_heads": NUM_HEADS, "decoder_attention_heads": NUM_HEADS}
    (folder / "config.json").write_text(json.dumps(values | config))
    return folder


def write_openai(path: Path, arrays) -> Path:
    """A `.pt` as OpenAI's are: sizes, and half-precision tensors in a zip file."""
    def number(value):
        return b"J" + struct.pack("<i", value)

    half = {name: np.asarray(array, "<f2") for name, array in openai_names(arrays).items()}
    dims = b"}(" + text(b"n_audio_head") + number(NUM_HEADS) + text(b"n_text_head") + number(NUM_HEADS) + b"u"
    path.write_bytes(zip_checkpoint(half, b"}(" + text(b"dims") + dims + text(b"model_state_dict")))
    return path
