"""One tiny configuration per registered part, by its name in a zoo config: what tests over every part are made of."""

FRONTENDS = {
    "espnet_log_mel": {"num_mel_bins": 16},
    "ge2e_mel": {"num_mel_bins": 16},
    "leaf": {"num_mel_bins": 16},
    "log_mel": {"num_mel_bins": 16},
    "micro_features": {},
    "nemo_log_mel": {"num_mel_bins": 16},
    "pcen": {"num_mel_bins": 16},
    "speechbrain_fbank": {"num_mel_bins": 16},
    "vtln": {"num_mel_bins": 16},
    "waveform": {},
    "whisper_log_mel": {"num_mel_bins": 16},
}

# Two blocks at least, so that heads and sharings have an earlier one to read.
BACKBONES = {
    "bc_resnet": {"width": 4, "stage_blocks": [1, 2, 1, 1], "bands": 2},  # the second layer of a stage is another kind
    "cnn": {"channels": 3, "num_blocks": 2, "subsampling": 2},
    "conformer": {"size": 8, "num_blocks": 2, "num_heads": 2, "feed_forward_size": 12, "kernel_size": 5,
                  "subsampling_channels": 4},
    "crdnn": {"channels": [3], "lstm_size": 5, "num_blocks": 2, "dense_size": 6, "dense_layers": 1, "subsampling": 2},
    "ds_cnn": {"channels": 6, "num_blocks": 2},
    "ecapa_tdnn": {"size": 8, "num_blocks": 2, "scale": 2, "squeeze_size": 4, "aggregation_size": 10},
    "espnet_conformer": {"size": 8, "num_blocks": 2, "num_heads": 2, "feed_forward_size": 12, "kernel_size": 5},
    "ge2e_lstm": {"size": 6, "num_blocks": 2, "window_frames": 6, "step_frames": 3, "minimum_frames": 1},
    "grouped_gru": {"size": 6, "num_blocks": 2, "groups": 2, "channels": 3},
    "lstm": {"size": 6, "num_blocks": 2, "bidirectional": True},
    "moonshine": {"size": 8, "num_blocks": 2, "num_heads": 2, "rotary_size": 2},
    "tc_resnet": {"channels": [4, 5, 6]},
    "wav2vec2": {"size": 8, "num_blocks": 2, "num_heads": 2, "convolution_size": 6, "kernel_sizes": [3, 2],
                 "strides": [2, 2], "position_kernel_size": 4, "position_groups": 2},
    "whisper": {"size": 8, "num_blocks": 2, "num_heads": 2},
}

# Backbones that can be causal -> what they take then beside `causal: true`.
STREAMING = {
    "bc_resnet": {},
    "conformer": {"size": 16, "feed_forward_size": 64, "normalization": "layer", "chunk": 2, "left_context": 5},
    "crdnn": {},
    "ds_cnn": {},
    "grouped_gru": {},
    "lstm": {"num_blocks": 1, "bidirectional": False, "context": 2},
}

HEADS = {
    "alignment": {},
    "classifier": {"classes": ["yes", "no", "_unknown_"]},
    "ctc": {"units": ["a", "b", " "]},
    "enhancement": {"bands": 8},
    "frame_classifier": {"classes": ["none", "speech"]},
    "relation": {"classes": ["yes", "no", "_unknown_"], "hidden_size": 7},
    "seq2seq": {"layers": 1, "size": 8, "num_heads": 2, "maximum_tokens": 12},
    "slots": {"slots": {"size": ["large", "small"], "drink": ["coffee"]}},
    "speaker": {"embedding_size": 6},
    "spotter": {"classes": ["alexa", "computer", "_unknown_"], "window": 4},
    "svm": {"classes": ["yes", "no"], "fourier_features": 9},
    "words": {"words": ["it", "was"]},
}

# Other than the defaults, where there is a choice.
SHARINGS = {
    "adapters": {"size": 12},
    "branching": {"block": 1},
    "cross_stitch": {"own": 0.8},
    "hard": {},
    "mmoe": {"experts": 2},
    "mtan": {"reduction": 2},
    "nddr": {},
    "ple": {"levels": 2},
    "soft": {"strength": 1e-3},
}
