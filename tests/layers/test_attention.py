"""Relative attention against Transformer-XL written out: a sinusoid of i - j for every pair of frames."""

import numpy as np
import pytest

from speechzoo.layers.attention import (RelativeAttention, SelfAttention, attend, attend_rows, join_heads, sinusoids,
                                       split_heads)
from tests.helpers import spread_weights


def transformer_xl(inputs, weights, num_heads, length):
    """Dai et al. 2019, section 3.3, for one utterance in float64 and loops. inputs: (frames, size)."""
    frames, size = inputs.shape
    depth = size // num_heads
    query, key, value = (inputs @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]
                         for name in ("query", "key", "value"))
    context = np.zeros((frames, size))
    for head in range(num_heads):
        part = slice(head * depth, (head + 1) * depth)
        content_bias, position_bias = weights["content_bias"][head, 0], weights["position_bias"][head, 0]
        for i in range(frames):
            scores = np.full(frames, -np.inf)
            for j in range(length):
                # W_kR R_{i-j}, with R in the order sin, cos of each frequency.
                relative_key = np.zeros(depth)
                for k in range(size // 2):
                    angle = (i - j) / 10000 ** (2 * k / size)
                    relative_key += weights["position_sine"][head, :, k] * np.sin(angle)
                    relative_key += weights["position_cosine"][head, :, k] * np.cos(angle)
                scores[j] = ((query[i, part] + content_bias) @ key[j, part]
                             + (query[i, part] + position_bias) @ relative_key) / np.sqrt(depth)
            share = np.exp(scores - scores.max())
            context[i, part] = (share / share.sum()) @ value[:, part]
    return context @ weights["output/kernel"] + weights["output/bias"]


@pytest.mark.parametrize("size, num_heads, frames, length", [(8, 2, 9, 9), (12, 3, 7, 5), (4, 1, 1, 1), (6, 1, 30, 20)])
def test_equals_transformer_xl(size, num_heads, frames, length):
    layer = RelativeAttention(size, num_heads)
    layer.build((None, None, size))
    spread_weights(layer, seed=frames)
    weights = {weight.path.split("/", 1)[-1]: np.asarray(weight, np.float64) for weight in layer.weights}
    inputs = np.random.default_rng(1).standard_normal((2, frames, size)).astype(np.float32)
    valid = (np.arange(frames) < length).astype(np.float32)[None, :, None] * np.ones((2, 1, 1), np.float32)
    output = np.asarray(layer(inputs, sinusoids(frames, size), None if length == frames else valid))
    for row in range(2):
        np.testing.assert_allclose(output[row], transformer_xl(inputs[row], weights, num_heads, length), atol=1e-5)


def test_only_distance_matters():
    layer = RelativeAttention(8, 2)
    layer.build((None, None, 8))
    spread_weights(layer)
    inputs = np.random.default_rng(1).standard_normal((1, 6, 8)).astype(np.float32)
    sine, cosine = (np.asarray(table) for table in sinusoids(106, 8))
    early, late = (np.asarray(layer(inputs, (sine[at:at + 6], cosine[at:at + 6]))) for at in (0, 100))
    np.testing.assert_allclose(early, late, atol=1e-4)
    still = np.asarray(layer(inputs, (np.zeros_like(sine[:6]), np.ones_like(cosine[:6]))))
    assert np.abs(still - early).max() > 1e-2, "positions have no effect"


@pytest.mark.parametrize("texts, sources", [(1, 1), (3, 1), (3, 3)])
def test_few_queries_see_what_many_see(texts, sources):
    random = np.random.default_rng(texts)
    query, keys, values = (random.standard_normal(shape).astype(np.float32)
                           for shape in ((texts, 1, 12), (sources, 7, 12), (sources, 7, 12)))
    penalty = np.where(np.arange(7) < 5, 0.0, -1e9).astype(np.float32)[None, None]
    expected, of_each = attend(*(split_heads(part, 3) for part in (query, keys, values)), penalty)
    found, weights = attend_rows(query, keys, values.transpose(0, 2, 1), penalty, 3)
    np.testing.assert_allclose(found, join_heads(expected), atol=1e-6)
    np.testing.assert_allclose(weights, np.asarray(of_each)[:, :, 0].swapaxes(0, 1), atol=1e-6)


def test_one_head_after_another_is_all_at_once():
    layer = SelfAttention(12, 3)
    layer.build((None, None, 12))
    spread_weights(layer)
    inputs = np.random.default_rng(1).standard_normal((2, 9, 12)).astype(np.float32)
    np.testing.assert_allclose(layer(inputs), layer(inputs, np.ones((2, 9, 1), np.float32)), atol=1e-5)
