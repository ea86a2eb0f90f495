"""Listening and speaking, with a model that knows sounds by their loudness and a loudspeaker that plays nothing."""

import numpy as np
import pytest

from speechzoo.dialogue.assistant import TAIL_SECONDS, Assistant, listener_of
from speechzoo.dialogue.commands import OpenCommands
from speechzoo.dialogue.machine import SOMEBODY, Machine
from speechzoo.dialogue.reading import parse_dialogue
from speechzoo.edge.voices import Voices
from tests.fake_model import TEXTS, VOICES, FakeModel
from tests.listening.test_listener import silence, sound

# The fake model hears "go up", "stop", "go left now", "yes" in sounds 0 to 3; 0 and 3 are its wake word "yes".
UP, STOP, LEFT, YES = range(4)
HEADS = {name: head for name, head in FakeModel.spec["heads"].items() if name != "phones"}  # its phones say four words
DIALOGUE = parse_dialogue("""
grammar: {intents: {go: "go [{way} now]", halt: stop}, slots: {way: [left, right]}}
slots: {way: {ask: "Which way?", answers: "go {way} now"}}
states:
  robot:
    answers:
      go: {needs: way, say: "I go {way}."}
      halt: {say: "Shall I stop?", next: halting}
  halting: {answers: {yes: {do: stopNow, say: "I stopped."}, no: }}
timeout: 4
attempts: 2
""", "robot")


class Loudspeaker:

    def __init__(self):
        self.played, self.stopped = [], 0

    def play(self, samples, sample_rate):
        self.played.append(len(samples) / sample_rate)

    def stop(self):
        self.stopped += 1


def assistant(seconds=None, model=None, voices=None, **options):
    """With replies of so many seconds each; without, it is mute."""
    model = model or FakeModel()
    machine = Machine(DIALOGUE)
    commands = OpenCommands(machine, {**model.spec, "heads": HEADS}, voices=voices)
    speech = None if seconds is None else lambda text: (np.zeros(round(seconds * 8000), np.float32), 8000)
    return Assistant(machine, commands, listener_of(model), speech=speech, loudspeaker=Loudspeaker(), **options)


def talk(assistant, *sounds, block=4000):
    audio = np.concatenate(sounds)
    exchanges = [exchange for start in range(0, len(audio), block)
                 for exchange in assistant.feed(audio[start:start + block])]
    return exchanges + list(assistant.finish())


def kinds(exchanges):
    return [exchange.reply.kind for exchange in exchanges if exchange.reply.kind != "ignored"]


PAUSE = silence(1.5)


def test_a_question_and_its_answer():
    exchanges = talk(assistant(), silence(1), sound(STOP), PAUSE, sound(YES), PAUSE)
    assert [exchange.sentence for exchange in exchanges] == ["stop", "yes"]
    assert [exchange.reply.say for exchange in exchanges] == ["Shall I stop?", "I stopped."]
    assert exchanges[1].reply.action.name == "stopNow" and 4 < exchanges[1].time < 5.5
    # "yes" is nothing while nothing is asked, and nobody is told so who may have talked to somebody else.
    assert kinds(talk(assistant(), silence(1), sound(YES), PAUSE)) == []


def test_silence_ends_a_dialogue():
    exchanges = talk(assistant(), silence(1), sound(STOP), silence(12))
    assert kinds(exchanges) == ["next", "silence", "gave_up"]
    first, second, third = (exchange.time for exchange in exchanges)
    assert second - first == pytest.approx(4, abs=0.3) and third - second == pytest.approx(4, abs=0.3)


def test_what_it_says_itself_is_not_heard():
    """Its own voice, 1.5 s of it, comes back through the microphone as an answer to its question."""
    stream = silence(1), sound(STOP), silence(0.7), sound(YES), silence(1), sound(YES), PAUSE
    deaf = assistant(seconds=1.5)
    exchanges = talk(deaf, *stream)
    assert [exchange.sentence for exchange in exchanges] == ["stop", "yes"] and exchanges[1].time > 5
    assert deaf._loudspeaker.played == [1.5, 1.5]
    assert 2.9 < talk(assistant(), *stream)[1].time < 4.8  # a mute one takes the first


def test_it_listens_again_after_a_tail():
    hearing = assistant(seconds=1.0)
    talk(hearing, silence(1), sound(STOP), silence(1.2))
    spoken = hearing.seconds
    while hearing.speaking:
        list(hearing.feed(silence(0.1)))
    assert hearing.seconds - spoken < 1.0 + TAIL_SECONDS + 0.2


def test_the_time_of_a_question_is_no_silence():
    times = [exchange.time for exchange in talk(assistant(seconds=3.0), silence(1), sound(STOP), silence(9))]
    assert times[1] - times[0] == pytest.approx(4 + 3, abs=0.3)


def test_the_wake_word_comes_first_but_not_before_answers():
    stream = silence(1), sound(STOP), PAUSE, sound(YES, 0.6), silence(1.2), sound(STOP), PAUSE, sound(YES), PAUSE
    exchanges = talk(assistant(wake_word="yes"), *stream)
    assert [exchange.sentence for exchange in exchanges] == ["stop", "yes"] and exchanges[0].time > 5
    # What isn't understood after the wake word is answered.
    assert kinds(talk(assistant(wake_word="yes"), silence(1), sound(YES, 0.6), silence(1.2), sound(YES), PAUSE)) == ["sorry"]


def test_barge_in_by_the_wake_word_alone():
    wake, stream = sound(YES, 0.6), (silence(1), sound(YES, 0.6), silence(1.2), sound(STOP), silence(0.9))
    barging = assistant(seconds=6.0, wake_word="yes", barge_in=True)
    exchanges = talk(barging, *stream, sound(STOP), PAUSE)
    assert kinds(exchanges) == ["next"] and not barging._loudspeaker.stopped  # speech is no wake word
    barging = assistant(seconds=6.0, wake_word="yes", barge_in=True)
    exchanges = talk(barging, *stream, wake, silence(1.2), sound(YES), PAUSE)
    assert barging._loudspeaker.stopped == 1 and [exchange.sentence for exchange in exchanges] == ["stop", "yes"]
    deaf = assistant(seconds=6.0, wake_word="yes")
    assert kinds(talk(deaf, *stream, wake, silence(1.2), sound(YES), PAUSE)) == ["next"]
    with pytest.raises(ValueError, match="barging in takes a wake word"):
        assistant(barge_in=True)


def test_two_voices_have_dialogues_of_their_own():
    """The voices of the fake model: 0 and 1 (up, stop) are anna's, 2 and 3 (left, yes) ben's."""
    model = FakeModel()
    voices = Voices(model)
    voices._voices = {"anna": VOICES[0] / np.linalg.norm(VOICES[0]), "ben": VOICES[2] / np.linalg.norm(VOICES[2])}
    two = assistant(model=model, voices=voices)
    exchanges = talk(two, silence(1), sound(STOP), PAUSE, sound(LEFT), PAUSE, sound(YES), PAUSE)
    # Anna is asked; ben's command is a command, and his "yes" doesn't answer for her.
    assert [(exchange.person, exchange.reply.kind) for exchange in exchanges] == [
        ("anna", "next"), ("ben", "done"), ("ben", "ignored"), ("anna", "silence")]
    assert two.machine.waiting == ["anna"]
    assert two.commands._who({"speaker": np.array([1.0, -1.5])}) == "anna"  # 0.55: enough for somebody who was asked
    assert two.commands._who({"speaker": np.array([-1.5, 1.0])}) == SOMEBODY  # as near to ben, who wasn't


def test_a_recording_is_read_under_what_is_open():
    commands = assistant().commands
    outputs = FakeModel().answer(sound(YES))
    assert not commands(outputs).accepted and TEXTS[YES] == "yes"
    commands.machine.hear(commands(FakeModel().answer(sound(STOP))), 0.0)
    assert commands(outputs).intent == "yes"
