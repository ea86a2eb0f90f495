"""What docs/dialogue.md promises, conversation by conversation, by text."""

import json

import pytest

from speechzoo.dialogue.conversation import from_data, to_data
from speechzoo.dialogue.machine import SOMEBODY, Machine
from speechzoo.dialogue.reading import load_dialogue
from speechzoo.dialogue.text import TextDialogue
from tests.dialogue.conversations import CONVERSATIONS, HOME


@pytest.fixture(scope="module")
def home():
    return load_dialogue(HOME)


def play(dialogue, turns, between=lambda machine: machine):
    """The replies, with `between` what happens to the machine after each turn."""
    machine, now, replies = Machine(dialogue), 1e9, []
    for said, _, _ in turns:
        if said is None:
            now += dialogue.timeout
            ((_, reply),) = machine.tick(now)
        else:
            person, _, text = said.rpartition("> ")
            reply = TextDialogue(machine).answer(text, now, person or SOMEBODY)
        replies.append(reply)
        machine, now = between(machine), now + 2
    return replies


def check(replies, turns):
    for reply, (said, say, action) in zip(replies, turns, strict=True):
        done = reply.action and (reply.action.name, reply.action.slots)
        assert (reply.say, done) == (say, action), said


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_conversation(name, home):
    check(play(home, CONVERSATIONS[name]), CONVERSATIONS[name])


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_conversation_with_a_restart_after_every_turn(name, home):
    def restart(machine):
        return Machine(home, from_data(json.loads(json.dumps(to_data(home, machine.people))), home))

    check(play(home, CONVERSATIONS[name], restart), CONVERSATIONS[name])


def test_a_correction_says_that_it_is_one(home):
    replies = play(home, CONVERSATIONS["corrected after it was done"])
    assert [reply.action.corrects for reply in replies] == [False, True]
    replies = play(home, CONVERSATIONS["the last turn goes on"])
    assert not any(reply.action.corrects for reply in replies)


def test_replies_say_whether_an_answer_is_awaited(home):
    replies = play(home, CONVERSATIONS["a silence, a wrong word, and no more patience"])
    assert [reply.waiting for reply in replies] == [True, True, True, False, False]
    assert [reply.kind for reply in replies] == ["ask", "silence", "sorry", "gave_up", "sorry"]


def test_the_program_of_the_page(home):
    """As docs/dialogue.md shows it."""
    assistant = TextDialogue(Machine(home))
    reply = assistant.answer("turn on the light", now=0.0)
    assert (reply.say, reply.waiting) == ("In which room?", True)
    reply = assistant.answer("the kitchen", now=3.0)
    assert (reply.action.name, reply.action.slots) == ("lightsOn", {"room": "kitchen"})
