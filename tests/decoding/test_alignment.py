import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from speechzoo.decoding.alignment import align, force_align
from speechzoo.decoding.ctc import log_softmax

SPEC = {"type": "ctc", "label": "transcript", "units": list("ab "), "kind": "characters", "frame_seconds": 0.1}


def collapse(path):
    return [unit for unit, _ in itertools.groupby(path) if unit != 0]


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 6), st.lists(st.integers(1, 2), max_size=3), st.integers(0, 1000))
def test_equals_the_best_of_all_paths(num_frames, units, seed):
    log_probs = log_softmax(np.random.default_rng(seed).standard_normal((num_frames, 3)) * 2)
    paths = [path for path in itertools.product(range(3), repeat=num_frames) if collapse(path) == units]
    if not paths:
        with pytest.raises(ValueError, match="frames can't hold"):
            align(log_probs, units)
        return
    best = max(paths, key=lambda path: sum(log_probs[frame, unit] for frame, unit in enumerate(path)))
    spans, score = align(log_probs, units)
    assert score == pytest.approx(sum(log_probs[frame, unit] for frame, unit in enumerate(best)))
    rebuilt = [0] * num_frames
    for unit, (first, last) in zip(units, spans):
        rebuilt[first:last] = [unit] * (last - first)
    assert rebuilt == list(best)


def test_words_get_times():
    logits = 6 * np.eye(4)[[0, 1, 1, 3, 2, 0]]
    words = force_align(logits, [1, 3, 2], SPEC).words
    assert [(word.text, word.start, word.end) for word in words] == [("a", 0.1, 0.3), ("b", 0.4, 0.5)]
    with pytest.raises(ValueError, match="2 frames can't hold 2 units, which need 3"):
        force_align(logits[:2], [1, 1], SPEC)
    assert force_align(logits[:0], [], SPEC).text == ""
