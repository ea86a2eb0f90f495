import numpy as np
import pytest
from hypothesis import given, strategies as st

from speechzoo.metrics.rejection import calibrate_threshold

SCORES = st.lists(st.integers(-20, 0).map(float), min_size=1, max_size=30)


@given(SCORES, SCORES, st.floats(0, 1))
def test_no_lower_threshold_would_do(inside, outside, rate):
    threshold, false_accepts, false_rejects = calibrate_threshold(inside, outside, rate)
    inside, outside = np.array(inside), np.array(outside)
    assert false_accepts == pytest.approx((outside >= threshold).mean()) and false_accepts <= rate
    assert false_rejects == pytest.approx((inside < threshold).mean())
    for lower in np.unique(np.concatenate([inside, outside])):
        if (outside >= lower).mean() <= rate:
            assert (inside < lower).mean() >= false_rejects - 1e-9


def test_errors():
    with pytest.raises(ValueError, match="between 0 and 1"):
        calibrate_threshold([0.0], [0.0], 2)
    with pytest.raises(ValueError, match="need both kinds"):
        calibrate_threshold([0.0], [])
