import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from speechzoo.decoding.ctc.paths import log_softmax
from speechzoo.decoding.ctc.viterbi import align, occupancies

SPEC = {"type": "ctc", "label": "transcript", "units": list("ab "), "kind": "characters", "frame_seconds": 0.1}


def collapse(path):
    return [unit for unit, _ in itertools.groupby(path) if unit != 0]


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 6), st.lists(st.integers(1, 2), max_size=3), st.integers(0, 1000))
def test_equals_all_paths_counted_one_by_one(num_frames, units, seed):
    log_probs = log_softmax(np.random.default_rng(seed).standard_normal((num_frames, 3)) * 2)
    paths = [path for path in itertools.product(range(3), repeat=num_frames) if collapse(path) == units]
    if not paths:
        for function in (align, occupancies):
            with pytest.raises(ValueError, match="frames can't hold"):
                function(log_probs, units)
        return
    scores = np.array([sum(log_probs[frame, unit] for frame, unit in enumerate(path)) for path in paths])
    spans, score = align(log_probs, units)
    assert score == pytest.approx(scores.max())
    rebuilt = [0] * num_frames
    for unit, (first, last) in zip(units, spans):
        rebuilt[first:last] = [unit] * (last - first)
    assert rebuilt == list(paths[scores.argmax()])
    shares = np.zeros((num_frames, 3))
    for path, share in zip(paths, np.exp(scores) / np.exp(scores).sum()):
        shares[np.arange(num_frames), path] += share
    found, score = occupancies(log_probs, units)
    np.testing.assert_allclose(found, shares, atol=1e-6)
    assert score == pytest.approx(np.log(np.exp(scores).sum()))
