"""Simulated users get what they want where nothing is misheard, and mostly where much is."""

import pytest

from benchmarks.quality.dialogue import Channel, SimulatedUser, conditions, measure, talk, wishes
from speechzoo.dialogue.machine import Machine
from speechzoo.dialogue.reading import load_dialogue
from tests.dialogue.conversations import HOME
from tools.figures import FOLDER


@pytest.fixture(scope="module")
def machine():
    return Machine(load_dialogue(HOME))


def test_without_errors_every_wish_comes_true_in_the_fewest_turns(machine):
    for intent, slots, said in wishes(machine.dialogue, 40, seed=2):
        answer = machine.dialogue.states["home"][intent]
        asked = len([slot for slot in answer.needs if slot not in said])
        confirmed = answer.confirm_below == 1
        channel = Channel()
        channel.random.random = lambda: 0.5  # nothing is misheard, and nothing unsure
        assert talk(machine, SimulatedUser(machine.dialogue, intent, slots, said), channel) == (
            True, 1 + asked + confirmed, False)


def test_errors_cost_turns_and_confirmation_prevents_what_nobody_wanted(machine):
    clear = measure(machine, 60, 1, silence=0.0, rejected=0.0, wrong=0.0, doubted=0.5)
    noisy = measure(machine, 60, 1, silence=0.1, rejected=0.1, wrong=0.2, doubted=0.0)
    asking = measure(machine, 60, 1, silence=0.1, rejected=0.1, wrong=0.2, doubted=0.9)
    assert clear["success"] == 1 and clear["something_else"] == 0
    assert noisy["turns"] > clear["turns"] and 0.8 < noisy["success"] <= 1 and noisy["single"] < clear["single"]
    assert asking["something_else"] < noisy["something_else"]
    assert measure(machine, 20, 1, silence=1.0, rejected=0.0, wrong=0.0, doubted=0.5)["success"] == 0


def test_conditions_are_those_of_the_figures():
    rows = {row["condition"]: row for row in conditions(FOLDER)}
    assert rows["mtl_whisper_tiny, coffee orders in kitchen20"]["wrong"] == pytest.approx(0.014, abs=0.001)
    assert rows["mtl_conformer_small, smart_speaker, clean"]["rejected"] == 0.007
