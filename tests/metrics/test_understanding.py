import pytest

from speechzoo.metrics.understanding import score_commands

ORDERS = [("order", {"size": "small", "drink": "latte"}), ("order", {"drink": "mocha"}), ("stop", {}), ("none", {})]


def test_everything_that_was_labelled_must_be_right():
    answers = [("order", {"size": "small", "drink": "latte"}),  # right
               ("order", {"drink": "mocha", "size": "large"}),  # right, for nobody labelled the size; not exact
               ("none", {}),  # rejected
               ("stop", {})]  # accepted, and nothing was asked for
    scores = score_commands(ORDERS, answers, groups=["ann", "bob", "bob", "cid"])
    assert scores.pop("accuracy_interval")[0] < 2 / 3
    assert scores == {"accuracy": pytest.approx(2 / 3, abs=1e-6), "exact": pytest.approx(1 / 3, abs=1e-6),
                      "rejected": pytest.approx(1 / 3, abs=1e-6), "slots": {"drink": 1.0, "size": 1.0}, "n": 3, "false_accepts": 1.0, "n_none": 1}


def test_a_wrong_slot_makes_the_order_wrong():
    scores = score_commands(ORDERS[:1], [("order", {"size": "large", "drink": "latte"})], ["ann"])
    assert scores == {"accuracy": 0.0, "exact": 0.0, "rejected": 0.0, "slots": {"drink": 1.0, "size": 0.0}, "n": 1}


def test_accuracy_is_the_mean_over_the_ratios():
    references = [("stop", {})] * 3
    scores = score_commands(references, [("stop", {}), ("none", {}), ("stop", {})], ["ann"] * 3, [6.0, 6.0, 12.0])
    assert scores["by_snr"] == {"6": 0.5, "12": 1.0} and scores["accuracy"] == 0.75


def test_without_commands_there_is_no_accuracy():
    assert score_commands([("none", {})], [("none", {})], ["ann"]) == {"false_accepts": 0.0, "n_none": 1}
