"""The state machine on parses of any confidence, and its grammars."""

import json

import pytest

from speechzoo.decoding.commands.parse import Parse
from speechzoo.dialogue.conversation import load_conversations, save_conversations, to_data
from speechzoo.dialogue.errors import DialogueError
from speechzoo.dialogue.machine import Machine
from speechzoo.dialogue.openings import ANSWER, CORRECT
from speechzoo.dialogue.reading import load_dialogue, parse_dialogue
from speechzoo.dialogue.text import TextDialogue, parse_text
from speechzoo.grammar.sampling import sample_sentences
from tests.dialogue.conversations import HOME


@pytest.fixture(scope="module")
def home():
    return load_dialogue(HOME)


def heard(intent, confidence=1.0, **slots):
    return Parse(intent, slots, confidence=confidence, accepted=True)


def test_what_is_unsure_is_confirmed(home):
    machine = Machine(home)
    assert machine.hear(heard("setTimer", 0.71, duration="600"), 0).kind == "done"
    assert machine.hear(heard("setTimer", 0.69, duration="600"), 1).say == "A timer for ten minutes?"
    assert machine.hear(heard("yes", 0.6), 2).action.slots == {"duration": "600"}
    machine.hear(heard("lightsOn"), 3)
    assert machine.hear(heard(ANSWER, 0.6, room="kitchen"), 4).say == "Shall I turn on the light in the kitchen?"
    # A correction is as sure as it was heard.
    assert machine.hear(heard(CORRECT, 0.6, room="bedroom"), 5).kind == "confirm"
    assert machine.hear(heard(CORRECT, 0.9, room="bathroom"), 6).action.slots == {"room": "bathroom"}


def test_only_what_is_expected_is_open(home):
    machine = Machine(home)
    assistant = TextDialogue(machine)

    def opened():
        return set(machine.openings.grammar(machine.opening(10)).intents)

    everything = set(home.states["home"])
    assert opened() == everything
    assistant.answer("turn on the light", 10)
    assert opened() == {ANSWER, "lightsOn", CORRECT, ".cancel", ".repeat"}
    assistant.answer("kitchen", 10)
    assert opened() == everything | {CORRECT, ".again", ".repeat"}
    assert set(machine.openings.grammar(machine.opening(10 + 61)).intents) == everything  # memory: 60 s
    assistant.answer("unlock the front door", 10)
    assert opened() == {"yes", "no", "unlockDoor", CORRECT, ".cancel", ".repeat"}
    assistant.answer("yes", 10)
    assistant.answer("good night", 10)
    assert opened() == {"yes", "no", "lockDoors", ".cancel", ".repeat"}


def test_every_open_sentence_is_in_the_grammar_of_everything(home):
    machine, everything = Machine(home), Machine(home).openings.everything()
    for text in ("turn on the light", "kitchen", "unlock the door", "front"):
        TextDialogue(machine).answer(text, 0)
        for sentence in sample_sentences(machine.openings.grammar(machine.opening(0)), 20):
            assert parse_text(sentence.text, everything).accepted, sentence


def test_texts_mean_what_the_grammar_says(home):
    for sentence in sample_sentences(home.grammar, 60, seed=3):
        parse = parse_text(sentence.text, home.grammar)
        assert (parse.intent, parse.slots) == (sentence.intent, sentence.slots)
    assert not parse_text("set a timer for", home.grammar).accepted
    assert not parse_text("☃", home.grammar).accepted


def test_nobody_is_kept_for_ever(home):
    machine = Machine(home)
    for number in range(100):
        machine.hear(heard("goodNight"), number * 100, f"person {number}")
    assert len(machine.people) <= 2
    assert machine.hear(heard("yes"), 9999, "person 99").kind == "sorry"  # nobody waits so long
    machine.hear(Parse(), 20000)
    assert not machine.people


def test_background_speech_is_ignored_unless_something_was_asked(home):
    machine = Machine(home)
    assert machine.hear(Parse(), 0, addressed=False).kind == "ignored"
    machine.hear(heard("lightsOn"), 1)
    assert machine.hear(Parse(), 2, addressed=False).say == "Sorry? In which room?"


def test_conversations_survive_in_a_file(home, tmp_path):
    path = tmp_path / "state.json"
    machine = Machine(home, load_conversations(path, home))
    TextDialogue(machine).answer("turn on the light", 5)
    save_conversations(path, home, machine.people)
    again = Machine(home, load_conversations(path, home))
    assert again.people == machine.people
    assert TextDialogue(again).answer("kitchen", 8).action.slots == {"room": "kitchen"}
    saved = json.loads(path.read_text())
    assert saved["version"] == 1 and saved["people"]["somebody"]["task"]["asking"] == "room"


@pytest.mark.parametrize("change, message", [
    (lambda data: data.update(version=2), "of version 2, and this is version 1; delete the file"),
    (lambda data: data.update(format="x"), "not conversations of speechzoo"),
    (lambda data: data.pop("people"), "damaged .*; delete the file"),
    (lambda data: data["people"]["somebody"].update(state="gone"), "doesn't know .no state 'gone'.; delete the file"),
    (lambda data: data["people"]["somebody"].update(slots={"a": 1}), "damaged .slots that are no texts"),
    (lambda data: data["people"]["somebody"].update(deadline="x"), "damaged .'deadline' is 'x'"),
    (lambda data: data["people"]["somebody"]["task"].update(intent="fly"), "no 'fly' in the state 'home'"),
])
def test_files_that_do_not_fit(change, message, home, tmp_path):
    machine = Machine(home)
    machine.hear(heard("lightsOn"), 0)
    data = to_data(home, machine.people)
    change(data)
    path = tmp_path / "state.json"
    path.write_text(json.dumps(data))
    with pytest.raises(DialogueError, match=message) as caught:
        load_conversations(path, home)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_slots_are_carried_within_a_dialogue_only():
    dialogue = parse_dialogue("""
grammar: {intents: {leave: "i leave by the {door} door", stay: "i stay"}, slots: {door: [front, back]}}
states:
  home: {answers: {leave: {say: "Shall I lock the {door} door?", next: lock}, stay: {}}}
  lock: {answers: {yes: {do: lockDoor, say: "The {door} door is locked."}, no: }}
""")
    assistant = TextDialogue(Machine(dialogue))
    assert assistant.answer("I leave by the back door.", 0).say == "Shall I lock the back door?"
    assert assistant.answer("yes", 1).action.slots == {"door": "back"}
    assert assistant.answer("i stay", 2).action.slots == {}


def test_another_language_brings_its_words():
    text = """
grammar: {language: de, intents: {licht: "licht an [in der {raum}]"}, slots: {raum: [küche, diele]}}
slots: {raum: {ask: "In welchem Raum?", answers: "[in der] {raum}"}}
states: {haus: {answers: {licht: {needs: raum, say: "Licht in der {raum}."}}}}
"""
    with pytest.raises(DialogueError, match="no sentences in 'de' are built in; write 'sentences:' with yes, no"):
        parse_dialogue(text)
    text += """
sentences: {yes: ja, no: nein, cancel: vergiss es, repeat: wie bitte, correct: nein, again: und}
replies: {sorry: "Wie bitte?", cancelled: Gut., gave_up: Schon gut.}
"""
    assistant = TextDialogue(Machine(parse_dialogue(text)))
    assert [assistant.answer(said, 0).say for said in ("Licht an", "Küche", "und in der Diele", "Nein, Küche")] == [
        "In welchem Raum?", "Licht in der küche.", "Licht in der diele.", "Licht in der küche."]
