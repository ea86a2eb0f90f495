"""The windows of `ge2e_lstm` are Resemblyzer's, and one utterance alone gives what it gives in a batch."""

import numpy as np
import pytest
import tensorflow as tf

from speechzoo.backbones import GE2ELSTM
from speechzoo.frontends import GE2EMel
from tests.helpers import run_layer, spread_weights


def resemblyzer_starts(samples):
    """First frames of the windows, as `VoiceEncoder.compute_partial_slices` writes them with its defaults."""
    num_frames, step = int(np.ceil((samples + 1) / 160)), int(np.round(16000 / 1.3 / 160))
    starts = list(range(0, max(1, num_frames - 160 + step + 1), step))
    if (samples - 160 * starts[-1]) / (160 * 160) < 0.75 and len(starts) > 1:
        starts.pop()
    return starts


def test_as_many_windows_as_resemblyzer_has():
    layer, frontend = GE2ELSTM(), GE2EMel()
    for samples in [1, 160, *range(12_000, 120_000, 37)]:
        starts = resemblyzer_starts(samples)
        assert layer.output_lengths(frontend.output_length(samples)) == len(starts)
        assert starts == [77 * number for number in range(len(starts))]


@pytest.mark.parametrize("frames", [5, 9, 30])
def test_each_window_is_read_alone(frames):
    layer = GE2ELSTM(size=4, num_blocks=2, window_frames=8, step_frames=3, minimum_frames=5)
    layer.build((None, None, 6))
    spread_weights(layer)
    features = np.random.default_rng(0).standard_normal((2, frames, 6))
    (_, together), lengths = run_layer(layer, features, [frames, frames])
    # As exported files do, one window after the other.
    exported = tf.function(layer, input_signature=[tf.TensorSpec((1, None, 6))])
    np.testing.assert_allclose(exported(features[:1].astype(np.float32))[0][1], together[:1], atol=1e-6)
    windows = (frames - 5) // 3 + 1
    assert lengths.tolist() == [windows] * 2 and together.shape == (2, windows, 4)
    padded = np.pad(features, ((0, 0), (0, 8), (0, 0)))
    for number in range(windows):  # eight frames of which at least eight are left are one window
        only = GE2ELSTM(size=4, num_blocks=2, window_frames=8, step_frames=30, minimum_frames=5)
        only.build((None, None, 6))
        only.set_weights(layer.get_weights())
        (_, single), _ = run_layer(only, padded[:, 3 * number:3 * number + 8], [8, 8])
        np.testing.assert_allclose(single[:, 0], together[:, number], atol=1e-6)
