"""Whisper in plain NumPy, straight from the arrays of a CTranslate2 file, in float64.

Radford et al. 2022, https://arxiv.org/abs/2212.04356, section 2.2, and `AudioEncoder` and `TextDecoder` of
openai-whisper.
"""

import numpy as np
from scipy.special import erf


def encode(arrays, features, table=None) -> list[np.ndarray]:
    """What each block gives, and last what the final norm gives.

    Args:
        arrays: Name of CTranslate2's -> array.
        features: float (frames, mel bins).
        table: float (frames / 2, channels) of positions; the file's when None.

    Returns:
        float64 (frames / 2, channels) each: one array per block, and the normalised output of the last.
    """
    arrays = {name: arrays[name].astype(np.float64) for name in arrays if name.startswith("encoder/")}
    hidden = gelu(convolution(arrays, "encoder/conv1", features.astype(np.float64), 1))
    hidden = gelu(convolution(arrays, "encoder/conv2", hidden, 2))
    hidden = hidden + (arrays["encoder/position_encodings/encodings"][:len(hidden)] if table is None else table)
    outputs = []
    for block in range(1 + max(int(name.split("/")[1][6:]) for name in arrays if name.endswith("linear_0/weight"))):
        name = f"encoder/layer_{block}"
        hidden = hidden + attention(arrays, f"{name}/self_attention",
                                    norm(arrays, f"{name}/self_attention/layer_norm", hidden),
                                    int(arrays["encoder/num_heads"]))
        inner = gelu(dense(arrays, f"{name}/ffn/linear_0", norm(arrays, f"{name}/ffn/layer_norm", hidden)))
        hidden = hidden + dense(arrays, f"{name}/ffn/linear_1", inner)
        outputs.append(hidden)
    return [*outputs, norm(arrays, "encoder/layer_norm", hidden)]


def decode(arrays, frames, tokens) -> np.ndarray:
    """Logits float64 (tokens, vocabulary) of what follows each of `tokens`, given frames (frames, channels)."""
    arrays = {name: arrays[name].astype(np.float64) for name in arrays if name.startswith("decoder/")}
    num_heads = int(arrays["decoder/num_heads"])
    embeddings = arrays["decoder/embeddings/weight"]
    hidden = embeddings[tokens] + arrays["decoder/position_encodings/encodings"][:len(tokens)]
    for block in range(1 + max(int(name.split("/")[1][6:]) for name in arrays if name.endswith("linear_2/weight"))):
        name = f"decoder/layer_{block}"
        own = f"{name}/self_attention"
        parts = np.split(dense(arrays, f"{own}/linear_0", norm(arrays, f"{own}/layer_norm", hidden)), 3, axis=1)
        hidden = hidden + dense(arrays, f"{own}/linear_1", contexts(*parts, num_heads, causal=True))
        cross = f"{name}/attention"
        query = dense(arrays, f"{cross}/linear_0", norm(arrays, f"{cross}/layer_norm", hidden))
        heard = np.split(dense(arrays, f"{cross}/linear_1", frames), 2, axis=1)
        hidden = hidden + dense(arrays, f"{cross}/linear_2", contexts(query, *heard, num_heads))
        inner = gelu(dense(arrays, f"{name}/ffn/linear_0", norm(arrays, f"{name}/ffn/layer_norm", hidden)))
        hidden = hidden + dense(arrays, f"{name}/ffn/linear_1", inner)
    return norm(arrays, "decoder/layer_norm", hidden) @ embeddings.T


def convolution(arrays, name, inputs, stride):
    """Three taps, one frame of zeros at each end."""
    padded = np.pad(inputs, ((1, 1), (0, 0)))
    taps = [padded[tap:tap + len(inputs):stride] @ arrays[f"{name}/weight"][:, :, tap].T for tap in range(3)]
    return sum(taps) + arrays[f"{name}/bias"]


def attention(arrays, name, inputs, num_heads):
    parts = np.split(dense(arrays, f"{name}/linear_0", inputs), 3, axis=1)
    return dense(arrays, f"{name}/linear_1", contexts(*parts, num_heads))


def contexts(queries, keys, values, num_heads, causal=False):
    """What each row of queries takes from the rows of values; from those up to its own when causal."""
    found = []
    for query, key, value in zip(*(np.split(part, num_heads, axis=1) for part in (queries, keys, values))):
        scores = query @ key.T / np.sqrt(query.shape[1])
        if causal:
            scores[np.triu_indices(len(scores), 1)] = -np.inf
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        found.append(weights / weights.sum(axis=1, keepdims=True) @ value)
    return np.concatenate(found, axis=1)


def dense(arrays, name, inputs):
    return inputs @ arrays[f"{name}/weight"].T + arrays[f"{name}/bias"]


def norm(arrays, name, inputs):
    centred = inputs - inputs.mean(axis=1, keepdims=True)
    return centred / np.sqrt((centred ** 2).mean(axis=1, keepdims=True) + 1e-5) * arrays[f"{name}/gamma"] + arrays[
        f"{name}/beta"]


def gelu(inputs):
    return inputs * (1 + erf(inputs / np.sqrt(2))) / 2
