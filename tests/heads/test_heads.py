"""What holds for every registered head."""

import numpy as np
import pytest

from speechzoo.heads import HEADS
from tests import tiny_parts
from tests.helpers import check_head

# Clean and noisy samples, (2, 192) each.
PAIRS = np.random.default_rng(0).standard_normal((4, 2, 192)).astype(np.float32)
# Name in a zoo config -> (options, four labels, output shape for 4 rows of 12 frames), at least one each.
CASES = {
    "ctc": [
        ({"units": "characters", "dropout": 0.0}, ["go", "a a", "", "it's"], (4, 12, 29)),
        ({"units": "phones", "label": "phones"}, ["B EH R", "SH", "AA AA", "ZH"], (4, 12, 40)),
        ({"units": "characters", "convolutions": 2, "hidden_size": 7, "dropout": 0.0}, ["go", "a a", "", "it's"],
         (4, 12, 29)),
        ({"units": ["a", "b", "\u2581", "\u2581a", "\u2581ab"]}, ["ab", "b", "a b", ""], (4, 12, 6)),
        ({"units": ["b", "<|unk|>", " ", "a"]}, ["ab", "b", "a b", ""], (4, 12, 5)),
    ],
    "classifier": [
        (tiny_parts.HEADS["classifier"], ["yes", "no", "no", "yes"], (4, 3)),
        ({**tiny_parts.HEADS["classifier"], "hidden_size": 7, "label_smoothing": 0.1, "label": "keyword"},
         ["yes", "maybe", "_unknown_", "no"], (4, 3)),
        ({"classes": ["yes", "no"], "focal_gamma": 2.0, "class_balance": 0.9, "logit_adjustment": 1.0,
          "soft_bootstrap": 0.1, "class_counts": {"yes": 9, "no": 1}}, ["yes", "no", "no", "yes"], (4, 2)),
    ],
    "seq2seq": [
        ({"layers": 2, "size": 8, "num_heads": 2, "maximum_tokens": 9, "dropout": 0.0}, ["go", "a a", "", "it's"],
         (4, 12, 33)),
        ({"units": ["a", "b", "\u2581", "\u2581a", "\u2581ab"], "layers": 1, "size": 6, "num_heads": 3,
          "label_smoothing": 0.1, "feed_forward_size": 5, "label": "words"}, ["ab", "b", "a b", ""], (4, 12, 13)),
        ({"units": ["a", "b", "Ġ", "Ġa", "<|endoftext|>", "<|startoftranscript|>", "<|en|>"], "layers": 1, "size": 4,
          "num_heads": 1, "alignment_heads": [[0, 0]]}, ["ab", "b", "a b", ""], (4, 12, 9)),
    ],
    "slots": [
        ({"slots": {"room": ["kitchen", "hall"], "colour": ["red"]}}, [{"room": "hall"}, {}, {"colour": "red"},
                                                                      {"room": "kitchen", "colour": "red"}], (4, 5)),
        ({"slots": {"size": ["small"]}, "dropout": 0.0}, [{}, {"size": "small"}, {}, {}], (4, 2)),
    ],
    "speaker": [
        ({**tiny_parts.HEADS["speaker"], "speakers": ["ann", "bob", "cy"]}, ["cy", "ann", "bob", "cy"], (4, 6)),
        ({"embedding_size": 3, "speakers": [1, 2], "margin": 0.0, "scale": 5.0}, ["1", "2", "2", "1"], (4, 3)),
        ({"embedding_size": 5, "speakers": ["a", "b"], "pooling": "channel_attentive"}, ["a", "b", "b", "a"], (4, 5)),
        ({"embedding_size": 5, "speakers": ["a", "b"], "pooling": "embeddings"}, ["a", "b", "b", "a"], (4, 5)),
    ],
    "alignment": [
        (tiny_parts.HEADS["alignment"], [[["SIL", 0.5], ["B", 0.6]], [["AH", 0.2]], [["ZH", 0.1], ["SIL", 0.2], ["ZH", 0.3]], [["M", 3.0]]], (4, 12, 40)),
        ({"dropout": 0.0, "label": "phone_times"}, [[], [["AH", 0.2]], [], [["M", 3.0]]], (4, 12, 40)),
    ],
    # Two hops of eight samples for each of 12 frames; what stands in a manifest, `clean`, has no samples yet.
    "enhancement": [
        ({"bands": 8, "hop_length": 8, "subsampling": 2}, list(PAIRS), (4, 12, 8)),
        ({"bands": 3, "hop_length": 16, "loss": "si_sdr", "dropout": 0.1, "label": "denoising"}, list(PAIRS), (4, 12, 3)),
    ],
    "frame_classifier": [
        (tiny_parts.HEADS["frame_classifier"], [[["none", 0.5], ["speech", 0.6]], "none", "speech", [["speech", 0.2], ["none", 0.3]]],
         (4, 12, 2)),
        ({"classes": ["none", "music"], "dropout": 0.0, "label": "radio"}, [[], "music", "none", [["music", 3.0]]], (4, 12, 2)),
    ],
    "spotter": [
        (tiny_parts.HEADS["spotter"], ["alexa", "maybe", "computer", "_unknown_"], (4, 3)),
        ({"classes": ["alexa", "_silence_"], "window": 1, "memory": 3.0, "hidden_size": 7},
         ["alexa", "_silence_", "alexa", "_silence_"], (4, 2)),
    ],
    "relation": [
        # The same number for all classes changes no posterior.
        (tiny_parts.HEADS["relation"], ["yes", "maybe", "no", "_unknown_"], (4, 3), ("relation/score/bias",)),
        ({"classes": ["yes", "no"], "hidden_size": 5, "label": "keyword"}, ["yes", "no", "no", "yes"], (4, 2),
         ("relation/score/bias",)),
    ],
    "words": [
        ({**tiny_parts.HEADS["words"], "dropout": 0.0}, [[["_unknown_", 0.5], ["it", 0.9], ["was", 1.2]], [["was", 0.2]],
                                                         [["strange", 0.2], ["it", 0.3]], [["it", 3.0]]], (4, 12, 3)),
        ({"words": ["a"], "label": "said"}, [[["a", 0.5]], [["a", 0.2], ["b", 0.4]], [["b", 0.5], ["a", 1.0]], [["a", 3.0]]],
         (4, 12, 2)),
    ],
    "svm": [
        ({"classes": ["yes", "no", "maybe"]}, ["yes", "no", "yes", "yes"], (4, 3)),
        ({"classes": ["yes", "no", "_unknown_"], "hinge": "one_vs_rest", "fourier_features": 9, "label": "keyword"},
         ["yes", "maybe", "yes", "no"], (4, 3)),
    ],
}


@pytest.mark.parametrize("name", HEADS)
def test_every_head(name):
    assert CASES.get(name), f"head '{name}' has no entry in CASES of this file"
    for case in CASES[name]:
        check_head(HEADS[name], *case)
