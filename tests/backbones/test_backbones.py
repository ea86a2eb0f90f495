"""What holds for every registered backbone, and the lengths that they report."""

import numpy as np
import pytest

from speechzoo.backbones import BACKBONES
from speechzoo.layers.convolution import ConvolutionModule
from speechzoo.layers.subsampling import ConvSubsampling
from tests import tiny_parts
from tests.helpers import check_backbone, run_layer

CONFORMER = tiny_parts.BACKBONES["conformer"]
WAV2VEC2 = tiny_parts.BACKBONES["wav2vec2"]
# Adding the same number to the score of every key leaves the softmax as it is.
NO_EFFECT = ("attention/key/bias",)
# Name in a zoo config -> (options, blocks, subsampling, channels, weights without effect), at least one each.
CASES = {
    "bc_resnet": [
        (tiny_parts.BACKBONES["bc_resnet"], 4, 1, [4, 6, 8, 16], ()),
        ({"width": 2, "stage_blocks": [1, 1, 1, 1], "bands": 1, "dropout": 0.0}, 4, 1, [2, 3, 4, 8], ()),
        ({"width": 4, "stage_blocks": [1, 1, 1, 1], "bands": 2, "causal": True}, 4, 1, [4, 6, 8, 16], ()),
    ],
    "cnn": [
        ({"channels": 3, "num_blocks": 3, "subsampling": 4}, 3, 4, [3, 6, 12], ()),
        ({"channels": 4, "num_blocks": 1, "subsampling": 1, "dropout": 0.0}, 1, 1, 4, ()),
    ],
    "conformer": [
        (CONFORMER, 2, 4, 8, NO_EFFECT),
        ({**CONFORMER, "num_blocks": 1, "subsampling": 8, "num_heads": 4, "dropout": 0.0, "normalization": "layer"},
         1, 8, 8, NO_EFFECT),
        ({**CONFORMER, "num_blocks": 1, "separable_subsampling": False}, 1, 4, 8, NO_EFFECT),
        ({**CONFORMER, "kernel_size": 4, "causal": True, "chunk": 2, "left_context": 3}, 2, 4, 8,
         NO_EFFECT),
    ],
    "crdnn": [
        ({"channels": [3, 4], "lstm_size": 5, "num_blocks": 2, "dense_size": 6}, 2, 4, [10, 6], ()),
        ({"channels": [2], "lstm_size": 3, "num_blocks": 1, "dense_size": 4, "dense_layers": 1, "subsampling": 3,
          "dropout": 0.0}, 1, 3, 4, ()),
        ({"channels": [3], "lstm_size": 5, "num_blocks": 2, "dense_size": 6, "causal": True}, 2, 4, [5, 6], ()),
    ],
    "ds_cnn": [
        (tiny_parts.BACKBONES["ds_cnn"], 2, 2, 6, ()),
        ({"channels": 5, "num_blocks": 1, "kernel_frames": 7, "kernel_bins": 3, "stride_frames": 3, "stride_bins": 1},
         1, 3, 5, ()),
        ({"channels": 4, "num_blocks": 1, "kernel_frames": 3, "stride_frames": 1, "dropout": 0.0}, 1, 1, 4, ()),
        ({**tiny_parts.BACKBONES["ds_cnn"], "causal": True}, 2, 2, 6, ()),
    ],
    "ecapa_tdnn": [
        ({"size": 16, "num_blocks": 3, "scale": 4, "squeeze_size": 5, "aggregation_size": 10}, 3, 1, [16, 16, 10], ()),
        ({"size": 6, "num_blocks": 1, "scale": 2, "squeeze_size": 4, "aggregation_size": 7, "stride_frames": 3,
          "dropout": 0.1}, 1, 3, 7, ()),
        ({**tiny_parts.BACKBONES["ecapa_tdnn"], "mirrored": True}, 2, 1, [8, 10], ()),
    ],
    "ge2e_lstm": [
        (tiny_parts.BACKBONES["ge2e_lstm"], 2, 3, 6, ()),
        ({"size": 5, "num_blocks": 1, "window_frames": 4, "step_frames": 5, "minimum_frames": 1, "dropout": 0.1}, 1, 5,
         5, ()),
    ],
    "espnet_conformer": [
        (tiny_parts.BACKBONES["espnet_conformer"], 2, 4, 8, NO_EFFECT),
    ],
    "grouped_gru": [
        (tiny_parts.BACKBONES["grouped_gru"], 2, 1, 6, ()),
        ({"size": 4, "num_blocks": 1, "groups": 1, "channels": 2, "dropout": 0.1, "causal": True}, 1, 1, 4, ()),
    ],
    "lstm": [
        ({"size": 6, "num_blocks": 2, "bidirectional": True, "context": 1, "subsampling": 2}, 2, 2, [12, 6], ()),
        ({"size": 5, "num_blocks": 1, "subsampling": 3, "dropout": 0.0}, 1, 3, 5, ()),
        ({"size": 5, "num_blocks": 1, "context": 2, "causal": True}, 1, 2, 5, ()),
    ],
    "moonshine": [
        (tiny_parts.BACKBONES["moonshine"], 2, 6, 8, ()),
        ({"size": 12, "num_blocks": 1, "num_heads": 3, "rotary_size": 4, "feed_forward_size": 10, "dropout": 0.1}, 1, 6,
         12, ()),
    ],
    "tc_resnet": [
        ({"channels": [4, 5, 6], "stage_blocks": 2, "kernel_size": 5}, 4, 4, [5, 5, 6, 6], ()),
        ({"channels": [4, 6, 8, 8], "dropout": 0.0}, 3, 8, [6, 8, 8], ()),
    ],
    "wav2vec2": [
        (WAV2VEC2, 2, 4, 8, ()),
        ({**WAV2VEC2, "normalization": "layer", "norm_first": True, "dropout": 0.1, "position_kernel_size": 5,
          "feed_forward_size": 10}, 2, 4, 8, ()),
        ({**WAV2VEC2, "num_blocks": 1, "kernel_sizes": [2], "strides": [3]}, 1, 3, 8, ()),
    ],
    "whisper": [
        ({**tiny_parts.BACKBONES["whisper"], "dropout": 0.1}, 2, 2, 8, ()),
        ({"size": 12, "num_blocks": 1, "num_heads": 3, "feed_forward_size": 10}, 1, 2, 12, ()),
    ],
}


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone(name):
    assert CASES.get(name), f"backbone '{name}' has no entry in CASES of this file"
    for case in CASES[name]:
        check_backbone(BACKBONES[name], *case)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_subsampling_rounds_up(factor):
    layer = ConvSubsampling(6, factor, 3)
    layer.build((None, None, 16))
    for frames in (1, 2, 7, 8, 9, 16, 31, 33):
        (output,), lengths = run_layer(layer, np.ones((1, frames, 16)), [frames])
        assert output.shape == (1, -(-frames // factor), 6)
        assert lengths.tolist() == [-(-frames // factor)]


@pytest.mark.parametrize("name", BACKBONES)
def test_lengths_are_those_of_the_row_alone(name):
    for options, _, subsampling, *_ in CASES[name]:
        layer = BACKBONES[name](**options)
        layer.build((None, None, 16))
        for frames in sorted({1, subsampling, subsampling + 1, 11}):
            (*_, output), _ = run_layer(layer, np.ones((1, frames, 16)))
            _, lengths = run_layer(layer, np.ones((1, 40, 16)), [frames])
            assert output.shape[1] == lengths[0] == layer.output_lengths(frames)


@pytest.mark.parametrize("widths, strides", [([3, 2], [2, 2]), ([2], [3]), ([3, 3, 3, 3, 2, 2], [2] * 6)])
def test_wav2vec2_counts_complete_windows(widths, strides):
    backbone = BACKBONES["wav2vec2"](**{**WAV2VEC2, "kernel_sizes": widths, "strides": strides})
    for frames in range(1, 300):
        expected = frames
        for width, stride in zip(widths, strides):
            expected = (expected - width) // stride + 1
        assert backbone.output_lengths(frames) == max(expected, 1)


def test_moonshine_counts_complete_windows():
    backbone = BACKBONES["moonshine"](**tiny_parts.BACKBONES["moonshine"])
    for frames in range(1, 300):
        assert backbone.output_lengths(frames) == max(((frames - 7) // 3 + 1 - 3) // 2 + 1, 1)


@pytest.mark.parametrize("name, options, message", [
    ("conformer", {"size": 10, "num_heads": 4}, "4 heads do not divide 10 channels"),
    ("conformer", {"size": 9, "num_heads": 3}, "channels are odd"),
    ("conformer", {"kernel_size": 8}, "kernel_size 8 is not odd"),
    ("conformer", {"subsampling": 3}, "subsampling 3 is not 2, 4 or 8"),
    ("conformer", {"chunk": 4}, "add causal: true"),
    ("conformer", {"causal": True, "chunk": 0}, "chunk 0 is not 1 or more"),
    ("ds_cnn", {"causal": True, "kernel_frames": 2, "stride_frames": 3}, "would skip frames"),
    ("ecapa_tdnn", {"mirrored": True, "stride_frames": 2}, "mirrored needs a stride_frames of 1, not 2"),
    ("ge2e_lstm", {"step_frames": 0}, "step_frames 0 is not 1 or more"),
    ("lstm", {"causal": True, "bidirectional": True}, "can't be bidirectional"),
    ("bc_resnet", {"stage_blocks": [2, 2, 4]}, "stage_blocks must be four numbers of blocks"),
    ("cnn", {"subsampling": 6}, "subsampling 6 is not a power of two"),
    ("cnn", {"subsampling": 4, "num_blocks": 1}, "is not a power of two up to 2\\^num_blocks"),
    ("crdnn", {"channels": []}, "at least one convolutional block"),
    ("ecapa_tdnn", {"size": 12, "scale": 5}, "scale 5 is below two or does not divide 12 channels"),
    ("moonshine", {"rotary_size": 3}, "rotary_size 3 is odd"),
    ("moonshine", {"rotary_size": 38}, "rotary_size 38 is odd, or not 2 to 36, the channels of a head"),
    ("moonshine", {"num_heads": 7}, "7 heads do not divide 288 channels"),
    ("tc_resnet", {"kernel_size": 8}, "kernel_size 8 is not odd"),
    ("tc_resnet", {"channels": [16]}, "of the first convolution and of each stage"),
    ("wav2vec2", {"normalization": "batch"}, "normalization 'batch' is not utterance or layer"),
    ("wav2vec2", {"kernel_sizes": [3, 3]}, "2 kernel_sizes and 6 strides"),
    ("wav2vec2", {"kernel_sizes": [], "strides": []}, "0 kernel_sizes and 0 strides"),
    ("wav2vec2", {"position_groups": 7}, "7 groups do not divide 768 channels"),
    ("whisper", {"size": 10, "num_heads": 4}, "4 heads do not divide 10 channels"),
])
def test_wrong_options(name, options, message):
    with pytest.raises(ValueError, match=message):
        BACKBONES[name](**options)


@pytest.mark.parametrize("name", BACKBONES)
def test_batch_statistics_leave_padding_out(name):
    options = {**tiny_parts.BACKBONES[name], "dropout": 0.0}
    random = np.random.default_rng(0)
    features = random.standard_normal((3, 24, 16))
    moved = []
    for padding in (0, 40):
        layer = BACKBONES[name](**options)
        layer.build((None, None, 16))
        if moved:
            layer.set_weights(initial)
        else:
            initial = layer.get_weights()
        grown = np.concatenate([features, random.standard_normal((3, padding, 16))], axis=1)
        (*_, output), _ = run_layer(layer, grown, [24, 24, 24], training=True)
        frames = layer.output_lengths(24)
        moved.append([output[:, :frames], *[np.asarray(weight) for weight in layer.non_trainable_weights]])
    for one, two in zip(*moved, strict=True):
        np.testing.assert_allclose(one, two, atol=2e-5)


def test_convolution_module_equals_numpy():
    module = ConvolutionModule(4, kernel_size=3)
    module.build((None, None, 4))
    random = np.random.default_rng(2)
    for weight in module.weights:
        weight.assign(random.uniform(0.5, 1.5, weight.shape))
    weights = {weight.path.split("/", 1)[-1]: np.asarray(weight, np.float64) for weight in module.weights}
    inputs, length = random.standard_normal((6, 4)), 5
    hidden = inputs @ weights["expand/kernel"] + weights["expand/bias"]
    hidden = hidden[:, :4] / (1 + np.exp(-hidden[:, 4:]))
    hidden[length:] = 0
    padded = np.pad(hidden, ((1, 1), (0, 0)))
    kernel = weights["depthwise/kernel"].reshape(3, 4)
    hidden = np.array([(padded[t:t + 3] * kernel).sum(0) for t in range(6)]) + weights["depthwise/bias"]
    hidden = (hidden - weights["normalization/moving_mean"]) / np.sqrt(weights["normalization/moving_variance"] + 1e-5)
    hidden = hidden * weights["normalization/gamma"] + weights["normalization/beta"]
    expected = hidden / (1 + np.exp(-hidden)) @ weights["project/kernel"] + weights["project/bias"]
    valid = (np.arange(6) < length).astype(np.float32)[None, :, None]
    np.testing.assert_allclose(np.asarray(module(inputs[None].astype(np.float32), valid))[0], expected, atol=1e-5)
