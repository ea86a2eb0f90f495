"""The dialogue of docs/dialogue.md is that of the examples, and its mistakes read as shown."""

import re
from pathlib import Path

import pytest

from speechzoo.dialogue.errors import DialogueError
from speechzoo.dialogue.reading import parse_dialogue
from tests.dialogue.conversations import HOME

PAGE = (Path(__file__).parents[2] / "docs" / "dialogue.md").read_text(encoding="utf-8")


def test_the_home_is_that_of_the_examples():
    (shown,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert shown == HOME.read_text(encoding="utf-8")
    parse_dialogue(shown)


@pytest.mark.parametrize("states", [
    "  home: {answers: {lightsOn: {next: locking}}}\n  locking: {answers: {}}",
    "  home: {answers: {lightsOn: {next: locking}}}\n  locking: {answers: {lightsOn: {next: locking}}}",
    "  home: {answers: {lightOn: }}",
    "  home: {answers: {lightsOn: {confirm: \"On?\", say: \"In the {door}.\"}}}"])
def test_mistakes_are_as_shown(states):
    text = ("grammar:\n  intents:\n    lightsOn: \"lights on [in the {room}]\"\n  slots:\n    room: [kitchen, attic]\n\n"
            f"states:\n{states}\n")
    with pytest.raises(DialogueError) as caught:
        parse_dialogue(text, "home", "home.yaml")
    shown = [re.sub(r":\d+:\d+", "", line) for line in re.findall(r"^home.yaml:.*$", PAGE, re.MULTILINE)]
    assert re.sub(r":\d+:\d+", "", str(caught.value)) in shown
