"""How sure a model must be of each of its wake words."""

import pytest

from speechzoo.decoding.streams.wake_words import KEYWORD_THRESHOLD, check_wake_words, wake_thresholds

HEAD = {"type": "classifier", "label": "keyword", "classes": ["computer", "up", "stop", "_unknown_", "_silence_"],
        "wake_thresholds": {"computer": 0.7, "up": None}}
SPEC = {"heads": {"keyword": HEAD}}


def test_the_measured_ones_and_the_usual_one():
    assert wake_thresholds(HEAD) == {"computer": 0.7, "stop": KEYWORD_THRESHOLD}
    assert wake_thresholds(HEAD, 0.5) == {"computer": 0.5, "up": 0.5, "stop": 0.5}
    assert wake_thresholds({}) == {}
    with pytest.raises(ValueError, match="threshold 1.5 is not above 0"):
        wake_thresholds(HEAD, 1.5)


def test_what_is_not_offered_is_said_with_what_is():
    assert check_wake_words(SPEC, ["computer", "stop"]) == {"computer": 0.7, "stop": KEYWORD_THRESHOLD}
    with pytest.raises(ValueError, match="'up' is not offered for waking: .* it offers: computer, stop. With a threshold"):
        check_wake_words(SPEC, ["up"])
    assert check_wake_words(SPEC, ["up"], 0.8) == {"up": 0.8}
    with pytest.raises(ValueError, match="doesn't know the wake word 'hey'; it knows: computer"):
        check_wake_words(SPEC, ["hey"], 0.8)
