"""What couldn't work is refused when a dialogue is read: one line, with its place and a remedy."""

import pytest

from speechzoo.dialogue.errors import DialogueError
from speechzoo.dialogue.prompt import Prompt
from speechzoo.dialogue.reading import load_dialogue, parse_dialogue

GRAMMAR = """grammar:
  intents:
    setTimer: "set a timer [for {duration}]"
    lights: "lights on [in the {room}]"
    bye: good bye
  slots: {room: [kitchen, attic]}
"""
ASK = 'slots: {duration: {ask: "For how long?"}}\n'
CASES = {
    "no grammar": ("states: {home: {answers: {bye: }}}", "home.yaml: no grammar; write 'grammar:'"),
    "a grammar that isn't there": ("grammar: lost.yaml\nstates: {home: {answers: {bye: }}}",
                                   r"home.yaml:1:10: the grammar can't be read: .*lost.yaml: no such grammar file"),
    "an unknown grammar": ("grammar: smart_speeker\nstates: {home: {answers: {bye: }}}", "did you mean 'smart_speaker'"),
    "a mistake in the grammar": ("grammar: {intents: {bye: \"(good bye\"}}\nstates: {home: {answers: {bye: }}}",
                                 r"home.yaml:1:\d+: "),
    "no states": (GRAMMAR, "home.yaml: no states; write 'states:'"),
    "a state without answers": (GRAMMAR + "states: {home: {answers: {}}}",
                                "home.yaml:7:10: the state 'home' has no answers; write 'answers:'"),
    "an unknown intent": (GRAMMAR + "states: {home: {answers: {buy: }}}",
                          "home.yaml:7:27: no intent 'buy'; did you mean 'bye'"),
    "an unknown state": (GRAMMAR + "states: {home: {answers: {bye: {next: hone}}}}", "no state 'hone'; did you mean 'home'"),
    "an unknown start": (GRAMMAR + "start: hone\nstates: {home: {answers: {bye: }}}", "no state 'hone'"),
    "an unknown slot": (GRAMMAR + "states: {home: {answers: {lights: {needs: rom}}}}", "no slot 'rom'; did you mean 'room'"),
    "a slot that nothing asks for": (GRAMMAR + "states: {home: {answers: {lights: {needs: room}}}}",
                                     "nothing asks for the slot 'room'; write 'slots: {room: {ask:"),
    "a dialogue that never ends": (
        GRAMMAR + "states:\n  home: {answers: {bye: {next: more}}}\n  more: {answers: {bye: {next: home}}}",
        "home.yaml:8:3: a dialogue that can never end: no answer leads from 'home' to 'end'; leave 'next:' out"),
    "a state that nothing leads to": (
        GRAMMAR + "states:\n  home: {answers: {bye: }}\n  more: {answers: {bye: }}",
        "home.yaml:9:3: nothing leads to the state 'more'; name it as 'next:'"),
    "a prompt with a slot that nobody fills": (
        GRAMMAR + ASK + 'states: {home: {answers: {setTimer: {needs: duration, say: "In the {room}."}}}}',
        "names the slot 'room', which nobody fills; known: duration"),
    "a prompt with a slot that somebody may leave out": (
        GRAMMAR + 'states: {home: {answers: {lights: {say: "In the {room}."}}}}',
        r"which not every sentence fills; ask for it under 'needs:', or write it in brackets, as in '\[ in the {room}\]'"),
    "a question with a slot that nobody fills": (
        GRAMMAR + 'slots: {duration: {ask: "How long, in the {room}?"}}\n'
        'states: {home: {answers: {setTimer: {needs: duration}}}}', "the question for 'duration' names the slot 'room'"),
    "a prompt of a later state": (
        GRAMMAR + 'states:\n  home: {answers: {lights: {next: more}}}\n  more: {answers: {yes: {say: "The {room}."}, no: }}',
        "home.yaml:9:.* which not every sentence fills"),
    "brackets that don't close": (GRAMMAR + 'states: {home: {answers: {bye: {say: "Good[ bye."}}}}', "brackets that don't"),
    "an unknown key": (GRAMMAR + "states: {home: {answers: {bye: {sey: Bye}}}}", "no key 'sey'; did you mean 'say'"),
    "an answer without its slot": (
        GRAMMAR + 'slots: {room: {answers: "there"}}\nstates: {home: {answers: {lights: }}}', r"name {room} in it"),
    "a mistake in an answer": (
        GRAMMAR + 'slots: {room: {answers: "(in {room}"}}\nstates: {home: {answers: {lights: }}}', "home.yaml:7:"),
    "a number that is none": (GRAMMAR + "timeout: soon\nstates: {home: {answers: {bye: }}}", "'timeout' must be a number"),
    "a confidence that is none": (GRAMMAR + "confirm_below: 70\nstates: {home: {answers: {bye: }}}", "from 0 to 1"),
    "half an attempt": (GRAMMAR + "attempts: 1.5\nstates: {home: {answers: {bye: }}}", "whole and at least 1"),
    "a threshold without a question": (GRAMMAR + "states: {home: {answers: {bye: {confirm_below: 1}}}}",
                                       "write the question as 'confirm:'"),
    "the end as a state": (GRAMMAR + "states: {end: {answers: {bye: }}}", "'end' is where dialogues are over"),
    "an empty file": (" ", "home.yaml: the file is empty"),
    "no YAML": ("states: {", "home.yaml:1:10: not valid YAML"),
    "a list": ("- a", "home.yaml: expected the keys"),
}


@pytest.mark.parametrize("case", CASES)
def test_mistake(case, tmp_path):
    text, message = CASES[case]
    with pytest.raises(DialogueError, match=message) as caught:
        parse_dialogue(text, "home", "home.yaml", tmp_path)
    assert "\n" not in str(caught.value) and str(caught.value).startswith("home.yaml:")


def test_files(tmp_path):
    with pytest.raises(DialogueError, match="lost.yaml: no such file; give the YAML file of a dialogue"):
        load_dialogue(tmp_path / "lost.yaml")
    (tmp_path / "latin.yaml").write_bytes("grammar: é".encode("latin-1"))
    with pytest.raises(DialogueError, match="latin.yaml: not UTF-8"):
        load_dialogue(tmp_path / "latin.yaml")
    (tmp_path / "commands.yaml").write_text("intents: {bye: good bye}")
    (tmp_path / "home.yaml").write_text("grammar: commands.yaml\nstates: {home: {answers: {bye: {say: Bye.}}}}")
    dialogue = load_dialogue(tmp_path / "home.yaml")  # a grammar is looked for beside the dialogue
    assert dialogue.name == "home" and dialogue.states["home"]["bye"].say.text == "Bye."


def test_prompts():
    prompt = Prompt("{degrees} degrees[ in the {room}]")
    assert prompt.fill({"degrees": "twenty"}) == "Twenty degrees"
    assert prompt.fill({"degrees": "twenty", "room": "attic"}) == "Twenty degrees in the attic"
    assert prompt.required == {"degrees"} and prompt.optional == {"room"}
