"""wav2vec 2.0 and HuBERT in plain NumPy, straight from arrays under transformers' names, in float64.

Baevski et al. 2020, https://arxiv.org/abs/2006.11477, section 2, and `modeling_wav2vec2.py` of transformers 5.23.
"""

import numpy as np

from tests.published.numpy_whisper import contexts, gelu
from tests.published.tiny_wav2vec2 import GROUPS, KERNELS, NUM_BLOCKS, NUM_HEADS, SPELLINGS, STRIDES, WIDTH


def outputs(arrays, audio, kind: str, model_type: str = "wav2vec2") -> tuple[list[np.ndarray], np.ndarray]:
    """What each block gives (frames, channels), the last behind the encoder's norm; and the logits.

    Args:
        arrays: As `tiny_wav2vec2.arrays` makes them.
        audio: (samples,).
        kind: `base` or `large`.
    """
    found = {name: array.astype(np.float64) for name, array in arrays.items()}
    norm_first, start = kind == "large", f"{model_type}."

    def dense(name, inputs):
        return inputs @ found[f"{start}{name}.weight"].T + found[f"{start}{name}.bias"]

    def norm(name, inputs, axis=-1):
        centred = inputs - inputs.mean(axis, keepdims=True)
        normal = centred / np.sqrt(np.square(centred).mean(axis, keepdims=True) + 1e-5)
        return normal * found[f"{start}{name}.weight"] + found[f"{start}{name}.bias"]

    audio = audio.astype(np.float64)
    hidden = ((audio - audio.mean()) / np.sqrt(audio.var() + 1e-7))[:, None]
    for number, (width, stride) in enumerate(zip(KERNELS, STRIDES)):
        layer = f"feature_extractor.conv_layers.{number}"
        kernel = found[f"{start}{layer}.conv.weight"]
        windows = np.lib.stride_tricks.sliding_window_view(hidden, width, axis=0)[::stride]
        hidden = np.einsum("fiw,oiw->fo", windows, kernel) + found.get(f"{start}{layer}.conv.bias", 0)
        if kind == "large" or number == 0:
            hidden = norm(f"{layer}.layer_norm", hidden, -1 if kind == "large" else 0)
        hidden = gelu(hidden)
    hidden = dense("feature_projection.projection", norm("feature_projection.layer_norm", hidden))
    hidden = hidden + gelu(_positions(found, f"{start}encoder.pos_conv_embed.conv", hidden))
    if not norm_first:
        hidden = norm("encoder.layer_norm", hidden)
    blocks = []
    for block in range(NUM_BLOCKS):
        layer = f"encoder.layers.{block}"

        def attend(inputs):
            query, key, value = (dense(f"{layer}.attention.{part}_proj", inputs) for part in "qkv")
            return dense(f"{layer}.attention.out_proj", contexts(query, key, value, NUM_HEADS))

        def feed_forward(inputs):
            return dense(f"{layer}.feed_forward.output_dense",
                         gelu(dense(f"{layer}.feed_forward.intermediate_dense", inputs)))

        if norm_first:
            hidden = hidden + attend(norm(f"{layer}.layer_norm", hidden))
            hidden = hidden + feed_forward(norm(f"{layer}.final_layer_norm", hidden))
        else:
            hidden = norm(f"{layer}.layer_norm", hidden + attend(hidden))
            hidden = norm(f"{layer}.final_layer_norm", hidden + feed_forward(hidden))
        blocks.append(hidden)
    if norm_first:
        blocks[-1] = hidden = norm("encoder.layer_norm", hidden)
    return blocks, hidden @ found["lm_head.weight"].T + found["lm_head.bias"]


def _positions(found, name, hidden):
    length, direction = next((found[f"{name}.{first}"], found[f"{name}.{second}"])
                             for first, second in SPELLINGS.values() if f"{name}.{first}" in found)
    kernel = direction * length / np.sqrt(np.square(direction).sum((0, 1), keepdims=True))
    padded = np.pad(hidden, ((WIDTH // 2, WIDTH // 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WIDTH, axis=0)[:len(hidden)]  # the last one goes
    parts = zip(np.split(windows, GROUPS, axis=1), np.split(kernel, GROUPS))
    return np.concatenate([np.einsum("fiw,oiw->fo", *part) for part in parts], axis=1) + found[f"{name}.bias"]
