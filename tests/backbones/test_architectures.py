"""The networks of the papers: their sizes, and their parts against NumPy."""

import numpy as np
import pytest

from speechzoo.backbones import ECAPATDNN, BCResNet, TCResNet
from speechzoo.backbones.bc_resnet import BroadcastedBlock
from speechzoo.backbones.ecapa_tdnn import Res2NetConvolution, SERes2Block
from speechzoo.layers.normalization import SubSpectralNorm
from speechzoo.layers.recurrence import FrameLSTM
from tests.helpers import spread_weights


def built(layer, *shape):
    """The layer with weights that all matter, and those weights by name."""
    layer.build((None, None, *shape))
    spread_weights(layer)
    return layer, {weight.path.split("/", 1)[-1]: np.asarray(weight, np.float64) for weight in layer.weights}


def trainable(layer):
    return sum(int(np.prod(weight.shape)) for weight in layer.trainable_weights)


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def batch_norm(values, weights, name):
    spread = np.sqrt(weights[f"{name}/moving_variance"] + 1e-5)
    return (values - weights[f"{name}/moving_mean"]) / spread * weights[f"{name}/gamma"] + weights[f"{name}/beta"]


def convolve(values, kernel, dilation=1):
    """Convolution along time, (frames, channels in) with (taps, in, out), centred."""
    around = dilation * (len(kernel) // 2)
    padded = np.pad(values, ((around, around), (0, 0)))
    return sum(padded[tap * dilation:tap * dilation + len(values)] @ kernel[tap] for tap in range(len(kernel)))


# -- sizes -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("width, parameters", [(8, 9_232), (64, 321e3)])
def test_bc_resnet_has_the_parameters_of_the_paper(width, parameters):
    """Table 1 with 12 classes: BC-ResNet-1 to the last one, BC-ResNet-8 as rounded there."""
    backbone = BCResNet(width)
    backbone.build((None, None, 40))
    classifier = 4 * width * 12 + 12
    assert trainable(backbone) + classifier == pytest.approx(parameters, rel=0 if width == 8 else 2e-3)


@pytest.mark.parametrize("channels, stage_blocks, thousands", [
    ([16, 24, 32, 48], 1, 66), ([24, 36, 48, 72], 1, 145), ([16, 24, 32, 48], 2, 137), ([24, 36, 48, 72], 2, 305)])
def test_tc_resnet_has_the_parameters_of_the_paper(channels, stage_blocks, thousands):
    """Table 1 with 40 MFCCs and 12 classes: TC-ResNet8, 8-1.5, 14, 14-1.5; stored means and variances are counted."""
    backbone = TCResNet(channels, stage_blocks)
    backbone.build((None, None, 40))
    assert round((backbone.count_params() + 12 * channels[-1] + 12) / 1000) == thousands


@pytest.mark.parametrize("size, millions", [(512, 6.2), (1024, 14.7)])
def test_ecapa_tdnn_has_the_parameters_of_the_paper(size, millions):
    """Table 1; the pooling (attention 4608 -> 128 -> 1536) and the embedding of 192 are the paper's own."""
    backbone = ECAPATDNN(size)
    backbone.build((None, None, 80))
    pooling = (4608 * 128 + 128) + 2 * 128 + (128 * 1536 + 1536) + 2 * 3072
    assert round((trainable(backbone) + pooling + 3072 * 192 + 192) / 1e6, 1) == millions


# -- parts -------------------------------------------------------------------------------------------------------------

def test_sub_spectral_norm_equals_numpy():
    layer, weights = built(SubSpectralNorm(2, name="norm"), 6, 3)
    random = np.random.default_rng(0)
    inputs, lengths = random.standard_normal((2, 5, 6, 3)) * 3 + 1, [5, 3]
    expected, moments = np.zeros_like(inputs), []
    for band in (0, 1):
        bins = slice(3 * band, 3 * band + 3)
        real = np.concatenate([inputs[row, :length, bins].reshape(-1, 3) for row, length in enumerate(lengths)])
        moments.append((real.mean(0), real.var(0)))
        normal = (inputs[:, :, bins] - real.mean(0)) / np.sqrt(real.var(0) + 1e-5)
        expected[:, :, bins] = normal * weights["gamma"][band] + weights["beta"][band]
    valid = (np.arange(5) < np.array(lengths)[:, None]).astype(np.float32)[..., None, None]
    outputs = np.asarray(layer(inputs.astype(np.float32), valid, training=True))
    np.testing.assert_allclose(outputs * valid, expected * valid, atol=1e-5)
    moved = [0.9 * weights[name] + 0.1 * np.array(new)
             for name, new in zip(("moving_mean", "moving_variance"), zip(*moments))]
    np.testing.assert_allclose(layer.moving_mean, moved[0], atol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, moved[1], atol=1e-5)
    # Afterwards it uses what is stored.
    mean, variance = (np.repeat(value, 3, axis=0) for value in moved)
    expected = (inputs - mean) / np.sqrt(variance + 1e-5) * np.repeat(weights["gamma"], 3, axis=0)
    outputs = np.asarray(layer(inputs.astype(np.float32)))
    np.testing.assert_allclose(outputs, expected + np.repeat(weights["beta"], 3, axis=0), atol=1e-5)
    with pytest.raises(ValueError, match="4 bands do not divide 6 bins"):
        SubSpectralNorm(4).build((None, None, 6, 3))


@pytest.mark.parametrize("transition, stride", [(False, 1), (True, 2)])
def test_broadcasted_block_equals_numpy(transition, stride):
    channels, bins = 3, 4
    block, weights = built(BroadcastedBlock(channels, 1, 2, transition, stride, 0.1, name="b"), bins,
                           2 if transition else channels)
    inputs = np.random.default_rng(1).standard_normal((7, bins, 2 if transition else channels))
    hidden = inputs
    if transition:
        hidden = np.maximum(batch_norm(inputs @ weights["expand/kernel"][0, 0], weights, "expand_norm"), 0)
    padded = np.pad(hidden, ((0, 0), (1, 1), (0, 0)))
    taps = weights["frequency/kernel"].reshape(3, channels)
    hidden = np.stack([(padded[:, bin:bin + 3] * taps).sum(1) for bin in range(0, bins, stride)], axis=1)
    stored = {name: value[0] if name.startswith("frequency_norm") else value for name, value in weights.items()}
    hidden = batch_norm(hidden, stored, "frequency_norm")
    average = np.pad(hidden.mean(1), ((2, 2), (0, 0)))
    taps = weights["time/kernel"].reshape(3, channels)
    average = np.stack([average[t] * taps[0] + average[t + 2] * taps[1] + average[t + 4] * taps[2] for t in range(7)])
    average = batch_norm(average, weights, "time_norm")
    average = (average * sigmoid(average)) @ weights["pointwise/kernel"][0]
    expected = np.maximum(hidden + average[:, None] + (0 if transition else inputs), 0)
    np.testing.assert_allclose(np.asarray(block(inputs[None].astype(np.float32)))[0], expected, atol=2e-5)


def test_res2net_equals_numpy():
    layer, weights = built(Res2NetConvolution(6, 3, dilation=2, name="res2net"), 6)
    inputs = np.random.default_rng(2).standard_normal((8, 6))

    def group(name, values):
        hidden = convolve(values, weights[f"{name}/convolution/kernel"], 2) + weights[f"{name}/convolution/bias"]
        return batch_norm(np.maximum(hidden, 0), weights, f"{name}/norm")

    second = group("group_2", inputs[:, 2:4])
    third = group("group_3", inputs[:, 4:] + second)
    expected = np.concatenate([inputs[:, :2], second, third], axis=-1)
    np.testing.assert_allclose(np.asarray(layer(inputs[None].astype(np.float32)))[0], expected, atol=2e-5)


def test_squeeze_and_excitation_hears_real_frames_only():
    block, weights = built(SERes2Block(4, 2, 3, dilation=2, name="block"), 4)
    inputs, length = np.random.default_rng(3).standard_normal((9, 4)), 6
    inputs[length:] = 0
    valid = (np.arange(9) < length).astype(np.float32)[None, :, None]
    hidden = block.layer_1(inputs[None].astype(np.float32), valid)
    hidden = np.asarray(block.layer_2(block.res2net(hidden, valid), valid), np.float64)[0]
    squeezed = np.maximum(hidden[:length].mean(0) @ weights["squeeze/kernel"] + weights["squeeze/bias"], 0)
    excited = sigmoid(squeezed @ weights["excite/kernel"] + weights["excite/bias"])
    outputs = np.asarray(block(inputs[None].astype(np.float32), valid))[0]
    np.testing.assert_allclose(outputs, inputs + hidden * excited, atol=2e-5)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_lstm_equals_the_recurrence_written_out(bidirectional):
    size, lengths = 3, [6, 4, 1]
    layer, weights = built(FrameLSTM(size, bidirectional, name="lstm"), 5)
    inputs = np.random.default_rng(4).standard_normal((3, 6, 5))
    expected = np.zeros((3, 6, size * (2 if bidirectional else 1)))
    for number, direction in enumerate(("forward", "backward")[:1 + bidirectional]):
        kernel, bias = weights[f"{direction}_projection/kernel"], weights[f"{direction}/cell/bias"]
        for row, length in enumerate(lengths):
            output, cell = np.zeros(size), np.zeros(size)
            for frame in (reversed if direction == "backward" else list)(range(length)):
                gates = inputs[row, frame] @ kernel + output @ weights[f"{direction}/cell/recurrent_kernel"] + bias
                write, keep, show = (sigmoid(gates[size * i:size * (i + 1)]) for i in (0, 1, 3))
                cell = keep * cell + write * np.tanh(gates[2 * size:3 * size])
                output = show * np.tanh(cell)
                expected[row, frame, size * number:size * (number + 1)] = output
    valid = (np.arange(6) < np.array(lengths)[:, None]).astype(np.float32)[..., None]
    np.testing.assert_allclose(layer(inputs.astype(np.float32), valid), expected, atol=1e-5)
    np.testing.assert_allclose(layer(inputs[:1].astype(np.float32)), expected[:1], atol=1e-5)


def test_lstm_gates_start_by_remembering():
    layer = FrameLSTM(2, name="lstm")
    layer.build((None, None, 3))
    (_, loop), = layer.directions
    np.testing.assert_array_equal(loop.cell.bias, [0, 0, 1, 1, 0, 0, 0, 0])
