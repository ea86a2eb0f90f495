"""Dialogues over Wyoming as Home Assistant asks, and a service's voice, over real sockets."""

import asyncio
import contextlib
import json

import numpy as np
import pytest

pytest.importorskip("wyoming", reason="the package wyoming is not installed: pip install speechzoo[wyoming]")

from wyoming.asr import Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import async_read_event, async_write_event
from wyoming.handle import Handled
from wyoming.info import Describe, Info
from wyoming.intent import Intent, NotRecognized
from wyoming.tts import Synthesize

from speechzoo.decoding.commands.decoder import CommandDecoder
from speechzoo.dialogue.conversation import load_conversations
from speechzoo.dialogue.machine import Machine
from speechzoo.dialogue.reading import load_dialogue
from speechzoo.wyoming.conversing import Conversing
from speechzoo.wyoming.synthesis import WyomingSpeech
from tests.dialogue.conversations import HOME
from tests.dialogue.test_assistant import DIALOGUE
from tests.fake_model import FakeModel
from tests.wyoming.test_wyoming_server import Voice, free_port, running, ask

ANSWERS = ("intent", "handled", "not-recognized")


def served(state=None):
    machine = Machine(DIALOGUE, load_conversations(state, DIALOGUE) if state else None)
    commands = CommandDecoder(machine.openings.everything(), {"heads": {"transcript": FakeModel.spec["heads"][
        "transcript"]}}, lexicon={})
    return Voice(FakeModel(), commands, conversing=Conversing(machine, state))


def converse(voice, *turns):
    """The answers to (text, context), each on a connection of its own, as Home Assistant asks."""
    async def all_of_them():
        async with running(voice) as uri:
            return [(await ask(uri, Transcript(text, context=context), until=ANSWERS))[-1] for text, context in turns]

    return asyncio.run(all_of_them())


def test_a_conversation_goes_on_by_its_id():
    kitchen, hall = {"conversation_id": "01", "satellite_id": "kitchen"}, {"conversation_id": "02"}
    answers = converse(served(), ("Stop.", kitchen), ("yes", hall), ("Go left now!", hall), ("bla", kitchen),
                       ("yes", kitchen), ("cancel", {}))
    first = Intent.from_event(answers[0])
    assert (first.name, first.text) == ("halt", "Shall I stop?")
    assert first.context == {**kitchen, "continue_conversation": True}
    assert NotRecognized.from_event(answers[1]).text == "Sorry?"  # nobody asked in the hall
    left = Intent.from_event(answers[2])
    assert [(entity.name, entity.value) for entity in left.entities] == [("way", "left")]
    assert left.context == {**hall, "continue_conversation": False}
    again = Handled.from_event(answers[3])
    assert again.text == "Sorry? Shall I stop?" and again.context["continue_conversation"]
    assert Intent.from_event(answers[4]).name == "stopNow"
    assert NotRecognized.is_type(answers[5].type)


def test_conversations_survive_a_restart(tmp_path):
    state, context = tmp_path / "state.json", {"conversation_id": "01"}
    converse(served(state), ("go", context))
    assert json.loads(state.read_text())["people"]["01"]["task"]["asking"] == "way"
    (answer,) = converse(served(state), ("go right now", context))
    assert Intent.from_event(answer).entities[0].value == "right"


def test_what_is_offered():
    async def info():
        async with running(served()) as uri:
            return Info.from_event((await ask(uri, Describe(), until=("info",)))[-1])

    offered = asyncio.run(info())
    assert offered.intent[0].models[0].name == "robot" and "dialogue" in offered.intent[0].description
    # What is spoken may be an answer, in whichever conversation.
    assert served().transcribe(np.zeros(0, np.float32)) == ""
    texts = {label[1] for label in served().commands.compiled.labels if label[0] == "word"}
    assert {"halt", "stop", "yes", "right", "cancel"} - texts == {"halt"}


@contextlib.asynccontextmanager
async def speaking(answer):
    """A text-to-speech service that answers with these events; gives its address and what it was asked."""
    asked = []

    async def serve(reader, writer):
        asked.append(Synthesize.from_event(await async_read_event(reader)))
        for event in answer:
            await async_write_event(event.event(), writer)
        writer.close()

    port = free_port()
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    async with server:
        yield f"tcp://127.0.0.1:{port}", asked


def spoken(*answer):
    async def once():
        async with speaking(answer) as (uri, asked):
            sound = await asyncio.get_running_loop().run_in_executor(None, WyomingSpeech(uri, "en"), "Hello.")
            return sound, asked

    return asyncio.run(once())


def test_a_service_speaks():
    tone = np.rint(8000 * np.sin(np.arange(22050) / 10)).astype("<i2")
    chunks = [AudioChunk(22050, 2, 1, part.tobytes()) for part in np.split(tone, 10)]
    (samples, rate), (asked,) = spoken(AudioStart(22050, 2, 1), *chunks, AudioStop())
    assert rate == 22050 and np.allclose(samples, tone / 32768, atol=1e-4)
    assert asked.text == "Hello." and asked.voice.language == "en"


def test_services_that_do_not_speak():
    with pytest.raises(ValueError, match="out of breath"):
        spoken(Error("out of breath"))
    with pytest.raises(ValueError, match="said nothing; is it a text-to-speech service"):
        spoken()
    with pytest.raises(OSError, match="is the service running"):
        WyomingSpeech(f"tcp://127.0.0.1:{free_port()}")("Hello.")


def test_the_home_of_the_examples_is_a_service():
    conversing = Conversing(Machine(load_dialogue(HOME)))
    event = conversing.answer("set a timer", None)
    assert Handled.from_event(event).text == "For how long?"
    assert Intent.from_event(conversing.answer("ten minutes", None)).name == "setTimer"
