"""How far somebody's dialogue has come, as plain data that survives a restart."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from speechzoo.dialogue.definition import Dialogue
from speechzoo.dialogue.errors import DialogueError
from speechzoo.files import write_atomically

VERSION = 1
_FORMAT = "speechzoo conversations"


@dataclass
class Task:
    """A command that isn't complete, or the last one that was.

    Attributes:
        state: The state in which it was given.
        intent: What is to be done.
        slots: Slot -> value, as far as they are known.
        confidence: 0 to 1, the least of what it was put together from.
        asking: The slot that was asked for; None where none was.
        confirming: Whether its confirmation was asked for.
        corrects: Whether it takes the place of one that was done.
        time: When it was done, seconds since 1970; 0 while it isn't.
    """

    state: str
    intent: str
    slots: dict[str, str] = field(default_factory=dict)
    confidence: float = 1.0
    asking: str | None = None
    confirming: bool = False
    corrects: bool = False
    time: float = 0.0


@dataclass
class Conversation:
    """Somebody's dialogue.

    Attributes:
        state: Where it stands.
        waiting: Whether an answer is awaited.
        slots: Slot -> value, of what was done since it began.
        task: The command that isn't complete.
        last: The last command that was done.
        question: What was asked, and is asked again.
        reply: What was said last.
        attempts: How often the question was asked in vain.
        deadline: When it is asked again, seconds since 1970.
    """

    state: str
    waiting: bool = False
    slots: dict[str, str] = field(default_factory=dict)
    task: Task | None = None
    last: Task | None = None
    question: str | None = None
    reply: str | None = None
    attempts: int = 0
    deadline: float = 0.0


def to_data(dialogue: Dialogue, people: dict[str, Conversation]) -> dict:
    """Conversations as plain values that JSON can hold."""
    return {"format": _FORMAT, "version": VERSION, "dialogue": dialogue.name,
            "people": {person: asdict(conversation) for person, conversation in people.items()}}


def from_data(data, dialogue: Dialogue, source: str = "conversations") -> dict[str, Conversation]:
    """The conversations that `to_data` wrote.

    Raises:
        DialogueError: Something else, another version, or conversations that the dialogue doesn't know (any more).
    """
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise DialogueError(f"{source}: not conversations of speechzoo; name another file")
    if data.get("version") != VERSION:
        raise DialogueError(f"{source}: conversations of version {data.get('version')}, and this is version {VERSION}; "
                            "delete the file to begin anew")
    try:
        people = {str(person): _conversation(values) for person, values in data["people"].items()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DialogueError(f"{source}: damaged ({error}); delete the file to begin anew") from None
    for person, conversation in people.items():
        strange = _unknown(conversation, dialogue)
        if strange:
            raise DialogueError(f"{source}: {person} is in a conversation that '{dialogue.name}' doesn't know (no "
                                f"{strange}); delete the file to begin anew")
    return people


def save_conversations(path: str | Path, dialogue: Dialogue, people: dict[str, Conversation]):
    """Writes conversations as JSON, whole or not at all.

    Raises:
        OSError: It can't be written.
    """
    text = json.dumps(to_data(dialogue, people), ensure_ascii=False, indent=1)
    write_atomically(path, text.encode() + b"\n")


def load_conversations(path: str | Path, dialogue: Dialogue) -> dict[str, Conversation]:
    """Reads what `save_conversations` wrote; none where there is no such file.

    Raises:
        DialogueError: As `from_data`.
        OSError: It can't be read.
    """
    path = Path(path)
    if not path.exists():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DialogueError(f"{path}: damaged ({error}); delete the file to begin anew") from None
    return from_data(data, dialogue, str(path))


_TYPES = {"state": str, "intent": str, "slots": dict, "confidence": (int, float), "confirming": bool, "corrects": bool,
          "time": (int, float), "waiting": bool, "attempts": int, "deadline": (int, float)}


def _conversation(values) -> Conversation:
    tasks = {name: None if values[name] is None else _checked(Task(**values[name])) for name in ("task", "last")}
    return _checked(Conversation(**{**values, **tasks}))


def _checked(item):
    for name, value in vars(item).items():
        if name in _TYPES and not isinstance(value, _TYPES[name]):
            raise ValueError(f"'{name}' is {value!r}")
        if name == "slots" and not all(isinstance(text, str) for text in [*value, *value.values()]):
            raise ValueError("slots that are no texts")
        if name in ("question", "reply", "asking") and not (value is None or isinstance(value, str)):
            raise ValueError(f"'{name}' is {value!r}")
    return item


def _unknown(conversation, dialogue) -> str | None:
    if conversation.state not in dialogue.states:
        return f"state '{conversation.state}'"
    for task in (conversation.task, conversation.last):
        if task is None:
            continue
        if task.intent not in dialogue.states.get(task.state, ()):
            return f"'{task.intent}' in the state '{task.state}'"
        if task.asking is not None and task.asking not in dialogue.slots:
            return f"question for '{task.asking}'"
    return None
