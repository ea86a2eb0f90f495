"""Scripted conversations spoken by a speech engine, with noise between, understood by a model of the zoo."""

import numpy as np
import pytest

from speechzoo.audio import resample
from speechzoo.corpora.synthesis.engine import ENGINES
from speechzoo.corpora.synthesis import engines  # noqa: F401: registers them
from speechzoo.dialogue.assistant import Assistant, listener_of
from speechzoo.dialogue.commands import OpenCommands
from speechzoo.dialogue.machine import Machine
from speechzoo.dialogue.reading import load_dialogue
from speechzoo.dialogue.speech import find_speech
from speechzoo.registry import load
from tests.dialogue.conversations import CONVERSATIONS, HOME

pytestmark = pytest.mark.skipif(not ENGINES["flite"]().installed(), reason="needs flite: apt install flite")
MODEL = "mtl_conformer_small"
RATE = 16000


@pytest.fixture(scope="module")
def model():
    return load(MODEL)


def recording(turns, voice="rms", seed=1):
    """Sentences of one voice and, between them, background noise with a clatter."""
    speak, noise = find_speech(f"flite:{voice}"), np.random.default_rng(seed)
    parts = [np.zeros(RATE, np.float32)]
    for said, _, _ in turns:
        samples, rate = speak(said)
        samples = resample(samples, rate, RATE)
        clatter = np.zeros(round(2.2 * RATE), np.float32)
        clatter[RATE:RATE + 800] = 0.05 * noise.standard_normal(800)
        parts += [0.3 * samples / np.abs(samples).max(), clatter]
    audio = np.concatenate(parts)
    return (audio + 5e-4 * noise.standard_normal(len(audio))).astype(np.float32)


@pytest.mark.parametrize("name", ["a missing slot is asked for", "corrected in place of a yes", "the last turn goes on"])
def test_conversation(name, model):
    turns, dialogue = CONVERSATIONS[name], load_dialogue(HOME)
    machine = Machine(dialogue)
    assistant = Assistant(machine, OpenCommands(machine, model.spec), listener_of(model), sample_rate=RATE)
    audio, exchanges = recording(turns), []
    for start in range(0, len(audio), RATE // 4):
        exchanges += assistant.feed(audio[start:start + RATE // 4])
    exchanges += assistant.finish()
    replies = [exchange.reply for exchange in exchanges if exchange.reply.kind != "ignored"]
    done = [reply.action and (reply.action.name, reply.action.slots) for reply in replies]
    assert [action for action in done if action] == [action for _, _, action in turns if action], replies
    assert len(replies) >= len(turns)
