"""The state machine: what was understood -> what is said, asked and done."""

from speechzoo.decoding.commands.parse import Parse
from speechzoo.dialogue.conversation import Conversation, Task
from speechzoo.dialogue.definition import END, NO, YES, Dialogue
from speechzoo.dialogue.openings import AGAIN, ANSWER, CANCEL, CORRECT, REPEAT, Opening, Openings
from speechzoo.dialogue.prompt import Prompt
from speechzoo.dialogue.reply import Action, Reply

SOMEBODY = "somebody"
"""`SOMEBODY` is who speaks where nobody tells people apart, and whoever isn't known."""


class Machine:
    """Leads any number of people through a dialogue, each at a point of their own.

    It knows no model, no clock and no loudspeaker: it takes parses and times, and gives replies.

    Args:
        dialogue: The dialogue.
        people: Conversations to go on with, by person; they are changed.

    Attributes:
        openings: Which sentences are open where.

    Example:
        >>> from speechzoo.dialogue.reading import parse_dialogue
        >>> machine = Machine(parse_dialogue('''
        ... grammar: {intents: {setTimer: "set a timer [for {duration}]"}}
        ... slots: {duration: {ask: "For how long?"}}
        ... states: {home: {answers: {setTimer: {needs: duration, say: "A timer for {duration}."}}}}
        ... '''))
        >>> machine.hear(Parse("setTimer", accepted=True, confidence=1.0), now=0.0).say
        'For how long?'
        >>> machine.hear(Parse(".answer", {"duration": "600"}, accepted=True, confidence=1.0), now=2.0).action
        Action(name='setTimer', slots={'duration': '600'}, corrects=False)
    """

    def __init__(self, dialogue: Dialogue, people: dict[str, Conversation] | None = None):
        self.dialogue, self.openings = dialogue, Openings(dialogue)
        self.people = {} if people is None else people

    def opening(self, now: float, person: str = SOMEBODY) -> Opening:
        """What somebody may say now."""
        return self.openings.of(self._conversation(person, now), now)

    @property
    def waiting(self) -> list[str]:
        """The people whose answers are awaited."""
        return [person for person, conversation in self.people.items() if conversation.waiting]

    def hear(self, parse: Parse, now: float, person: str = SOMEBODY, addressed: bool = True) -> Reply:
        """What follows an utterance.

        Args:
            parse: What was understood, under `openings.grammar(opening(now, person))`.
            now: Seconds since 1970.
            person: Who spoke.
            addressed: Whether the assistant was spoken to for certain; otherwise it keeps silent where it understands
                nothing and asked nothing.
        """
        conversation = self.people[person] = self._conversation(person, now)
        reply = self._hear(conversation, parse, now, addressed)
        if reply.kind != "ignored":
            self._await(conversation, reply, now)
        self._forget(now)
        return reply

    def tick(self, now: float) -> list[tuple[str, Reply]]:
        """What follows a silence: questions that are asked again, and dialogues that end, by person."""
        replies = []
        for person, conversation in self.people.items():
            if conversation.waiting and now >= conversation.deadline:
                reply = self._in_vain(conversation, "silence", "")
                self._await(conversation, reply, now)
                replies.append((person, reply))
        return replies

    def delay(self, seconds: float, person: str = SOMEBODY):
        """Gives somebody more time to answer: as long as the question takes to be said."""
        if person in self.people:
            self.people[person].deadline += seconds

    def _conversation(self, person, now) -> Conversation:
        conversation = self.people.get(person) or Conversation(self.dialogue.start)
        if conversation.waiting and now > conversation.deadline + self.dialogue.memory:
            self._close(conversation)  # nobody ticked: the assistant was off, or hears text
        return conversation

    def _hear(self, conversation, parse, now, addressed) -> Reply:
        opened = self.openings.grammar(self.openings.of(conversation, now)).intents
        if not parse.accepted or parse.intent not in opened:  # the question may have been given up meanwhile
            if conversation.waiting:
                return self._in_vain(conversation, "sorry", self.dialogue.replies["sorry"])
            return Reply("sorry", self.dialogue.replies["sorry"]) if addressed else Reply("ignored")
        conversation.attempts = 0
        if parse.intent == CANCEL:
            self._close(conversation)
            return Reply("cancelled", self.dialogue.replies["cancelled"])
        if parse.intent == REPEAT:
            say = conversation.question if conversation.waiting else conversation.reply
            return Reply("repeat", say, conversation.waiting)
        task = conversation.task
        if task is None:
            task = conversation.task = self._begin(conversation, parse)
            return self._go_on(conversation, task, now)
        if task.confirming and parse.intent == YES:
            return self._do(conversation, task, now)
        if task.confirming and parse.intent == NO:
            return self._no(conversation, task, now)
        task.slots |= parse.slots
        # What was put right is as sure as the correction; what was added, as the least sure part.
        task.confidence = parse.confidence if parse.intent != ANSWER else min(task.confidence, parse.confidence)
        return self._go_on(conversation, task, now)

    def _begin(self, conversation, parse) -> Task:
        last = conversation.last
        if parse.intent in (CORRECT, AGAIN):
            return Task(last.state, last.intent, last.slots | parse.slots, parse.confidence,
                        corrects=parse.intent == CORRECT)
        return Task(conversation.state, parse.intent, dict(parse.slots), parse.confidence)

    def _go_on(self, conversation, task, now) -> Reply:
        answer = self.dialogue.states[task.state][task.intent]
        values = conversation.slots | task.slots
        task.asking = next((slot for slot in answer.needs if slot not in values), None)
        task.confirming = False
        if task.asking is not None:
            return Reply("ask", self._fill(self.dialogue.slots[task.asking].ask, values), True)
        if answer.confirm is not None and (task.confidence < answer.confirm_below or answer.confirm_below == 1):
            task.confirming = True
            return Reply("confirm", self._fill(answer.confirm, values), True)
        return self._do(conversation, task, now)

    def _no(self, conversation, task, now) -> Reply:
        """Not confirmed: what was asked for is asked for again, or the command is dropped."""
        needs = self.dialogue.states[task.state][task.intent].needs
        if not needs:
            self._close(conversation)
            return Reply("cancelled", self.dialogue.replies["cancelled"])
        task.slots = {slot: value for slot, value in task.slots.items() if slot not in needs}
        conversation.slots = {slot: value for slot, value in conversation.slots.items() if slot not in needs}
        task.confidence = 1.0
        return self._go_on(conversation, task, now)

    def _do(self, conversation, task, now) -> Reply:
        answer = self.dialogue.states[task.state][task.intent]
        values = conversation.slots | task.slots
        action = None if answer.action is None else Action(answer.action, values, task.corrects)
        say = None if answer.say is None else self._fill(answer.say, values)
        conversation.task = None
        if task.intent in self.dialogue.grammar.intents:
            conversation.last = Task(task.state, task.intent, dict(values), task.confidence, time=now)
        if answer.next == END:
            self._close(conversation)
            return Reply("done", say, False, action)
        conversation.state, conversation.slots = answer.next, values
        return Reply("next", say, True, action)

    def _in_vain(self, conversation, kind, word) -> Reply:
        conversation.attempts += 1
        if conversation.attempts >= self.dialogue.attempts:
            self._close(conversation)
            return Reply("gave_up", self.dialogue.replies["gave_up"])
        return Reply(kind, " ".join(filter(None, [word, conversation.question])) or None, True)

    def _await(self, conversation, reply, now):
        conversation.waiting = reply.waiting
        if reply.waiting:
            conversation.deadline = now + self.dialogue.timeout
            if reply.kind in ("ask", "confirm", "next"):
                conversation.question = reply.say
        if reply.kind not in ("sorry", "silence"):
            conversation.reply = reply.say

    def _close(self, conversation):
        conversation.state, conversation.waiting = self.dialogue.start, False
        conversation.slots, conversation.task, conversation.question, conversation.attempts = {}, None, None, 0

    def _forget(self, now):
        """Drops who has neither a question open nor a command that can be referred to."""
        memory = self.dialogue.memory
        self.people = {person: conversation for person, conversation in self.people.items() if (
            conversation.waiting and now <= conversation.deadline + memory
            or conversation.last is not None and now - conversation.last.time <= memory)}

    def _fill(self, prompt: Prompt, values) -> str:
        said = self.openings.table.said
        return prompt.fill({slot: said(slot, value) for slot, value in values.items()})
