"""What holds for every registered front end."""

import pytest

from speechzoo.frontends import FRONTENDS
from tests import tiny_parts
from tests.helpers import check_frontend

MASKS = {"frequency_masks": 1, "frequency_mask_width": 4, "time_masks": 1, "time_mask_fraction": 0.2}
# Name in a zoo config -> (options, features, seconds between frames), at least one each.
CASES = {
    "espnet_log_mel": [
        ({}, 80, 0.008),
        ({**tiny_parts.FRONTENDS["espnet_log_mel"], "hop_seconds": 0.01, "window_seconds": 0.025, **MASKS}, 16, 0.01),
        ({**tiny_parts.FRONTENDS["espnet_log_mel"], "normalization": "utterance"}, 16, 0.008),
    ],
    "ge2e_mel": [
        ({}, 40, 0.01),
        ({**tiny_parts.FRONTENDS["ge2e_mel"], **MASKS}, 16, 0.01),
    ],
    "leaf": [
        ({}, 40, 0.01),
        ({**tiny_parts.FRONTENDS["leaf"], "causal": True, **MASKS}, 16, 0.01),
        ({"num_mel_bins": 12, "trained": False}, 12, 0.01),
    ],
    "log_mel": [
        ({"num_mel_bins": 20, "hop_seconds": 0.01, **MASKS}, 20, 0.01),
        ({"num_mel_bins": 12, "hop_seconds": 0.02, "window_seconds": 0.032, "transform": "fft", "preemphasis": 0.0,
          "normalization": "utterance", "mel_scale": "slaney"}, 12, 0.02),
        ({"num_mel_bins": 12, "causal": True, **MASKS}, 12, 0.01),
        ({"num_mel_bins": 12, "normalization": "none", "floor": 1e-4, "maximum_hertz": 6000.0}, 12, 0.01),
        ({"num_mel_bins": 12, "normalization": "running", "causal": True}, 12, 0.01),
    ],
    "micro_features": [
        (tiny_parts.FRONTENDS["micro_features"], 40, 0.01),
        (MASKS, 40, 0.01),
    ],
    "nemo_log_mel": [
        ({}, 80, 0.01),
        ({**tiny_parts.FRONTENDS["nemo_log_mel"], **MASKS}, 16, 0.01),
    ],
    "pcen": [
        ({}, 40, 0.01),
        ({**tiny_parts.FRONTENDS["pcen"], "causal": True, **MASKS}, 16, 0.01),
        ({"num_mel_bins": 12, "trained": False, "smoothing_seconds": 0.1, "exponent": 0.25}, 12, 0.01),
    ],
    "vtln": [
        ({}, 40, 0.01),
        ({**tiny_parts.FRONTENDS["vtln"], "warp": 0.0, **MASKS}, 16, 0.01),
        ({"num_mel_bins": 12, "perturbation": 0.0}, 12, 0.01),
    ],
    "waveform": [
        (tiny_parts.FRONTENDS["waveform"], 10, 5 / 16000),
        ({"window_length": 7, "hop_length": 4, "normalize": False, "time_masks": 1, "time_mask_fraction": 0.2}, 7,
         4 / 16000),
        ({"window_length": 8, "hop_length": 8}, 8, 8 / 16000),
    ],
    "speechbrain_fbank": [
        ({}, 80, 0.01),
        ({**tiny_parts.FRONTENDS["speechbrain_fbank"], **MASKS}, 16, 0.01),
    ],
    "whisper_log_mel": [
        ({}, 80, 0.01),
        ({**tiny_parts.FRONTENDS["whisper_log_mel"], **MASKS}, 16, 0.01),
        ({"num_mel_bins": 8, "silence_seconds": 0.05}, 8, 0.01),
    ],
}


@pytest.mark.parametrize("name", FRONTENDS)
def test_every_front_end(name):
    assert CASES.get(name), f"front end '{name}' has no entry in CASES of this file"
    for options, num_features, frame_seconds in CASES[name]:
        check_frontend(FRONTENDS[name], options, num_features, frame_seconds)
