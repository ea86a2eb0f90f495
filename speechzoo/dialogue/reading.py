"""Dialogue files (YAML) -> `Dialogue`; what couldn't work is refused here, with its place and a remedy."""

import math
from pathlib import Path

from speechzoo.dialogue.checking import check
from speechzoo.dialogue.definition import END, NO, YES, Answer, Dialogue, SlotQuestion
from speechzoo.dialogue.errors import DialogueError
from speechzoo.dialogue.fragments import fragment, sentences_of
from speechzoo.dialogue.phrases import REPLIES, SENTENCES, defaults
from speechzoo.dialogue.prompt import Prompt
from speechzoo.dialogue.slots import SlotTable
from speechzoo.grammar.errors import GrammarError
from speechzoo.grammar.lists import check_keys, check_text
from speechzoo.grammar.located import Located, read_located
from speechzoo.grammar.nodes import Grammar
from speechzoo.grammar.reading import grammar_of, load_grammar
from speechzoo.names import nearest

MAX_BYTES = 1_000_000
_KEYS = ("grammar", "start", "states", "slots", "sentences", "replies", "timeout", "attempts", "memory",
         "confirm_below")
_ANSWER_KEYS = ("needs", "confirm", "confirm_below", "do", "say", "next")
_NUMBERS = {"timeout": 8.0, "attempts": 3.0, "memory": 60.0, "confirm_below": 0.7}
_NOTHING = ("", "~", "null")


def load_dialogue(path: str | Path) -> Dialogue:
    """Reads a dialogue file.

    Raises:
        DialogueError: No such file, or something in it that can't be used or could never work; names line and column.

    Example:
        dialogue = load_dialogue("examples/dialogue/home.yaml")
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise DialogueError(f"{path}: {reason}; give the YAML file of a dialogue") from None
    if len(data) > MAX_BYTES:
        raise DialogueError(f"{path}: {len(data):,} bytes, {MAX_BYTES:,} at most; is this a dialogue?")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise DialogueError(f"{path}: not UTF-8; save the file as UTF-8") from None
    return parse_dialogue(text, path.stem, str(path), path.parent)


def parse_dialogue(text: str, name: str = "dialogue", source: str = "dialogue", folder: Path = Path()) -> Dialogue:
    """Reads a dialogue from YAML text.

    Args:
        text: The YAML.
        name: The dialogue's name.
        source: What messages call the text: its file.
        folder: Where a grammar that is named by a relative path is looked for.

    Raises:
        DialogueError: As `load_dialogue`.
    """
    if not text.strip():
        raise DialogueError(f"{source}: the file is empty; a dialogue has the keys 'grammar' and 'states'")
    try:
        document = read_located(text, source)
        if not isinstance(document, dict):
            raise DialogueError(f"{source}: expected the keys 'grammar' and 'states'")
        check_keys(document, _KEYS, "a dialogue")
        return _Reader(document, name, source, folder).dialogue()
    except GrammarError as error:  # names the place
        raise DialogueError(str(error)) from None


class _Reader:

    def __init__(self, document, name, source, folder):
        self.document, self.name, self.source, self.folder = document, name, source, folder
        self.grammar = self._grammar()
        self.table = SlotTable(self.grammar)
        self.numbers = {key: self._number(document, key, default) for key, default in _NUMBERS.items()}

    def dialogue(self) -> Dialogue:
        language = self.grammar.language
        sentences, replies = defaults(language)
        sentences = sentences | self._texts("sentences", SENTENCES)
        replies = replies | {key: ways[0] for key, ways in self._texts("replies", REPLIES).items()}
        for key, known, what in (("sentences", SENTENCES, sentences), ("replies", REPLIES, replies)):
            if missing := [name for name in known if name not in what]:
                raise DialogueError(f"{self.source}: no {key} in '{language}' are built in; write '{key}:' with "
                                    f"{', '.join(missing)}")
        slots = self._slots()
        states = self._states()
        start = next(iter(states))
        if "start" in self.document:
            start = self._known(self.document["start"], states, self._key(self.document, "start"), "state")
        dialogue = Dialogue(
            self.name, self.grammar, str(start), {str(state): {str(intent): answer for intent, (answer, _) in
                                                               answers.items()} for state, answers in states.items()},
            slots, sentences_of(sentences, self.grammar, self.source), replies, self.numbers["timeout"],
            round(self.numbers["attempts"]), self.numbers["memory"])
        places = {(str(state), str(intent)): (intent, keys) for state, answers in states.items()
                  for intent, (_, keys) in answers.items()}
        check(dialogue, self.table, places, {str(state): state for state in states})
        return dialogue

    def _grammar(self) -> Grammar:
        if "grammar" not in self.document:
            raise DialogueError(f"{self.source}: no grammar; write 'grammar:' with the name of one, its file, or its "
                                "intents")
        key, value = self._key(self.document, "grammar"), self.document["grammar"]
        if isinstance(value, dict):
            return grammar_of(value, self.name, self.source)
        value = check_text(value, key, "the grammar")
        path = self.folder / value if Path(value).suffix in (".yaml", ".yml") else str(value)
        try:
            return load_grammar(path)
        except GrammarError as error:
            raise value.error(f"the grammar can't be read: {error}") from None

    def _states(self):
        """State -> intent -> (answer, its keys as they stand in the file)."""
        states = self.document.get("states")
        if not isinstance(states, dict) or not states:
            raise DialogueError(f"{self.source}: no states; write 'states:' with the answers of at least one")
        read = {}
        for state, definition in states.items():
            if str(state) == END:
                raise state.error(f"'{END}' is where dialogues are over; give the state another name")
            answers = definition.get("answers") if isinstance(definition, dict) else None
            if not isinstance(answers, dict) or not answers:
                raise state.error(f"the state '{state}' has no answers; write 'answers:' with the intents that are "
                                  "open in it")
            check_keys(definition, ("answers",), f"the state '{state}'")
            read[state] = {self._known(intent, [*self.grammar.intents, YES, NO], intent, "intent"):
                           (self._answer(intent, answer, states), answer if isinstance(answer, dict) else {})
                           for intent, answer in answers.items()}
        return read

    def _answer(self, intent, answer, states) -> Answer:
        if isinstance(answer, Located) and answer in _NOTHING:
            answer = {}
        if not isinstance(answer, dict):
            raise intent.error(f"what follows '{intent}' must be keys such as 'say' and 'next'")
        check_keys(answer, _ANSWER_KEYS, f"what follows '{intent}'")
        needs = answer.get("needs", [])
        for slot in (needs := needs if isinstance(needs, list) else [needs]):
            self._known(slot, self.table.nodes, intent, "slot")
            place = self._slot_definition(slot)
            if not isinstance(place, dict) or "ask" not in place:
                raise slot.error(f"nothing asks for the slot '{slot}'; write 'slots: {{{slot}: {{ask: \"...?\"}}}}'")
        follows = END
        if "next" in answer:
            follows = self._known(answer["next"], [*states, END], self._key(answer, "next"), "state")
        action = None if str(intent) in (YES, NO) and str(intent) not in self.grammar.intents else str(intent)
        if "do" in answer:
            action = answer["do"]
            action = None if action in _NOTHING else str(check_text(action, self._key(answer, "do"), "'do'"))
        below = self._number(answer, "confirm_below", self.numbers["confirm_below"])
        if "confirm_below" in answer and "confirm" not in answer:
            raise self._key(answer, "confirm_below").error("nothing is asked: write the question as 'confirm:'")
        return Answer(tuple(map(str, needs)), self._prompt(answer, "confirm"), below, action,
                      self._prompt(answer, "say"), str(follows))

    def _slot_definition(self, slot):
        slots = self.document.get("slots")
        return slots.get(slot) if isinstance(slots, dict) else None

    def _slots(self):
        slots = self.document.get("slots", {})
        if not isinstance(slots, dict):
            raise self._key(self.document, "slots").error("'slots' must be names with the question for each")
        read = {}
        for slot, definition in slots.items():
            self._known(slot, self.table.nodes, slot, "slot")
            if not isinstance(definition, dict) or not definition:
                raise slot.error(f"the slot '{slot}' needs 'ask:' with a question, or 'answers:' with ways to answer")
            check_keys(definition, ("ask", "answers"), f"the slot '{slot}'")
            ways = definition.get("answers", [Located(f"{{{slot}}}", self.source, slot.line, slot.column)])
            ways = [check_text(way, slot, f"each answer of '{slot}'") for way in
                    (ways if isinstance(ways, list) else [ways])]
            node = fragment(str(slot), ways, self.table.nodes[str(slot)], self.grammar)
            read[str(slot)] = SlotQuestion(self._prompt(definition, "ask"), node)
        return read

    def _prompt(self, mapping, name):
        if name not in mapping:
            return None
        text = check_text(mapping[name], self._key(mapping, name), f"'{name}'")
        try:
            return Prompt(" ".join(text.split()))
        except ValueError as error:
            raise text.error(str(error)) from None

    def _number(self, mapping, name, default):
        if name not in mapping:
            return default
        least, most = (0, 1) if name == "confirm_below" else (1, math.inf)
        try:
            value = float(mapping[name])
            if not (least <= value <= most and math.isfinite(value)):
                raise ValueError
            if name == "attempts" and value != int(value):
                raise ValueError
        except (ValueError, TypeError):
            what = "from 0 to 1" if most == 1 else f"{'whole ' * (name == 'attempts')}and at least 1"
            raise self._key(mapping, name).error(f"'{name}' must be a number, {what}") from None
        return value

    def _texts(self, name, known):
        texts = self.document.get(name, {})
        if not isinstance(texts, dict):
            raise self._key(self.document, name).error(f"'{name}' must be names with the text of each")
        check_keys(texts, known, f"'{name}'")
        return {str(key): [check_text(way, key, f"'{key}'") for way in (value if isinstance(value, list) else [value])]
                for key, value in texts.items()}

    def _known(self, name, known, place, kind):
        check_text(name, place, f"a {kind}")
        if str(name) not in [str(item) for item in known]:
            raise name.error(f"no {kind} '{name}'; {nearest(name, known)}")
        return name

    @staticmethod
    def _key(mapping, name):
        return next(key for key in mapping if key == name)
