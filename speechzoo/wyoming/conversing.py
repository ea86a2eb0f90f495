"""Dialogues of Wyoming's clients: one per conversation, across connections."""

import time
from pathlib import Path

from wyoming.event import Event, Eventable
from wyoming.handle import Handled
from wyoming.intent import Entity, Intent, NotRecognized

from speechzoo.dialogue.conversation import save_conversations
from speechzoo.dialogue.machine import SOMEBODY, Machine
from speechzoo.dialogue.text import TextDialogue

_KEYS = ("conversation_id", "satellite_id", "device_id")


class Conversing:
    """Answers transcripts as Home Assistant's conversation agents do.

    Home Assistant opens a connection for each sentence, and says by the context's `conversation_id` what belongs
    together. A command that is complete is an `intent`, with what is to be said as its text; questions and everything
    else that is said is `handled`; what isn't understood while nothing is asked is `not-recognized`. The context of the
    answer is the question's, with `continue_conversation`: whether an answer is awaited.

    Args:
        machine: The dialogue and where everybody is in it.
        state: File that keeps the conversations; none when None.
    """

    def __init__(self, machine: Machine, state: str | Path | None = None):
        self.machine, self._state = machine, state
        self._dialogue = TextDialogue(machine)

    def answer(self, text: str, context: dict | None) -> Event:
        """The event that answers a transcript.

        Raises:
            OSError: The file of the conversations can't be written.
        """
        context = context if isinstance(context, dict) else {}
        person = next((str(context[key]) for key in _KEYS if context.get(key)), SOMEBODY)
        reply = self._dialogue.answer(text, time.time(), person)
        if self._state is not None:
            save_conversations(self._state, self.machine.dialogue, self.machine.people)
        return self._event(reply, {**context, "continue_conversation": reply.waiting}).event()

    def _event(self, reply, context) -> Eventable:
        if reply.action is not None:
            entities = [Entity(name, value) for name, value in reply.action.slots.items()]
            return Intent(reply.action.name, entities, text=reply.say, context=context)
        if reply.kind in ("sorry", "gave_up") and not reply.waiting:
            return NotRecognized(text=reply.say, context=context)
        return Handled(text=reply.say or "", context=context)
