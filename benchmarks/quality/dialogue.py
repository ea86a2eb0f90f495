"""Dialogues with simulated users: how many get what they want, and in how many turns, when they are misheard.

    python -m benchmarks.quality.dialogue examples/dialogue/home.yaml

A user wants one of the intents of the first state, with values for all slots that it needs, and says a sentence of it,
which may leave slots out. Asked, they answer; asked to confirm, they say yes or put right what is wrong; told something
wrong, they correct it or say it again. What they say meets errors on its way: it isn't heard at all (`silence`), it is
taken for no command (`rejected`), or for another sentence that is open (`wrong`: mostly another value, sometimes another
intent). Nothing of this runs a model: the machine gets parses. The rates are those that the figures of the pages give
for models, and rates that nobody measured, to see where it breaks; what no page gives is varied: whether what is wrong is
unsure (`doubted`: the share of wrong parses whose confidence is below the dialogue's `confirm_below`; of right ones a
twentieth is).

Each row is a condition: first with the dialogue, and beside it the same requests as single commands, where a sentence is
said once and has to hold everything.
"""

import argparse
import random
from pathlib import Path

from speechzoo.decoding.commands.parse import Parse
from speechzoo.dialogue.definition import Dialogue
from speechzoo.dialogue.machine import Machine
from speechzoo.dialogue.openings import ANSWER, CORRECT
from speechzoo.dialogue.reading import load_dialogue
from speechzoo.dialogue.reply import Reply
from speechzoo.dialogue.slots import SlotTable
from speechzoo.grammar.nodes import Grammar
from speechzoo.grammar.sampling import sample_sentences
from tools.figures import FOLDER, add_figures_option, read_figures, write_figures
from tools.tables.plain import plain

MAXIMUM_TURNS = 12
SURE, UNSURE = 0.95, 0.55
UNSURE_THOUGH_RIGHT = 0.05
ANOTHER_INTENT = 0.2  # of what is wrong


class Channel:
    """What becomes of a sentence on its way to the machine.

    Args:
        silence, rejected, wrong: Shares of sentences that aren't heard, are taken for none, and for others.
        doubted: Share of what is wrong that is unsure.
        seed: Of its random numbers.
    """

    def __init__(self, silence: float = 0.0, rejected: float = 0.0, wrong: float = 0.0, doubted: float = 0.5,
                 seed: int = 1):
        self.silence, self.rejected, self.wrong, self.doubted = silence, rejected, wrong, doubted
        self.random = random.Random(seed)
        self._values: dict[int, tuple[Grammar, dict]] = {}  # by identity: a machine keeps its grammars

    def hear(self, intent: str, slots: dict, grammar: Grammar) -> Parse | None:
        """What the machine gets of a sentence under the grammar that is open; None where it gets nothing."""
        draw = self.random.random()
        if draw < self.silence:
            return None
        if draw < self.silence + self.rejected or intent not in grammar.intents:
            return Parse()  # what isn't open is in no grammar
        wrong = draw < self.silence + self.rejected + self.wrong
        if wrong:
            intent, slots = self.confuse(intent, slots, grammar)
        unsure = self.random.random() < (self.doubted if wrong else UNSURE_THOUGH_RIGHT)
        return Parse(intent, dict(slots), confidence=UNSURE if unsure else SURE, accepted=True)

    def confuse(self, intent, slots, grammar):
        """Another value of one slot, or another sentence."""
        if slots and self.random.random() >= ANOTHER_INTENT:
            slot = self.random.choice(sorted(slots))
            if id(grammar) not in self._values:
                self._values[id(grammar)] = grammar, grammar.slots()
            values = self._values[id(grammar)][1]
            others = [value for value in values.get(slot, ()) if value != slots[slot]]
            if others:
                return intent, {**slots, slot: self.random.choice(others)}
        others = Grammar("others", {name: node for name, node in grammar.intents.items() if name != intent})
        if not others.intents:
            return intent, slots
        sentence = next(sample_sentences(others, 1, seed=self.random.randrange(1 << 30)))
        return sentence.intent, sentence.slots


class SimulatedUser:
    """Somebody who wants one thing and knows what they were told.

    Args:
        dialogue: The dialogue.
        intent: What they want.
        slots: All of it.
        said: Slots that they fill in their first sentence.
        seed: Of their random numbers.
    """

    def __init__(self, dialogue: Dialogue, intent: str, slots: dict, said: dict, seed: int = 1):
        self.dialogue, self.intent, self.slots, self.said = dialogue, intent, slots, said
        self.random = random.Random(seed)

    def speak(self, machine: Machine, reply: Reply | None) -> tuple[str, dict] | None:
        """What they say after a reply: intent and slots; None where they have what they wanted."""
        if reply is None or reply.kind in ("cancelled", "gave_up"):
            return self.intent, self.said
        if self.satisfied(reply):
            return None
        conversation = next(iter(machine.people.values()), None)
        task = conversation.task if conversation is not None and reply.waiting else None
        if task is None:
            if reply.waiting:
                return ".cancel", {}
            last = conversation.last if conversation is not None else None
            if reply.action is not None and last is not None and last.intent == self.intent:
                return CORRECT, self.wrong_one(last.slots)
            return self.intent, self.said
        if task.intent != self.intent:
            return ".cancel", {}
        if task.asking is not None:
            return ANSWER, {task.asking: self.slots[task.asking]}
        wrong = self.wrong_one(task.slots)
        return (CORRECT, wrong) if wrong else ("yes", {})

    def wrong_one(self, slots) -> dict:
        """The first slot that isn't as they want it, with the value that they want."""
        return dict([(slot, value) for slot, value in self.slots.items() if slots.get(slot) != value][:1])

    def satisfied(self, reply: Reply) -> bool:
        """Whether what was done is what they wanted."""
        return reply.action is not None and (reply.action.name, reply.action.slots) == (
            self.dialogue.states[self.dialogue.start][self.intent].action, self.slots)


def wishes(dialogue: Dialogue, count: int, seed: int) -> list[tuple[str, dict, dict]]:
    """(intent, all slots, slots of the first sentence), drawn evenly over the intents that need something."""
    table, draw = SlotTable(dialogue.grammar), random.Random(seed)
    asking = {intent: answer for intent, answer in dialogue.states[dialogue.start].items() if answer.needs}
    grammar = Grammar(dialogue.name, {intent: dialogue.grammar.intents[intent] for intent in asking},
                      dialogue.grammar.language)
    values = table.grammar.slots()
    found = []
    for sentence in sample_sentences(grammar, count, seed):
        missing = [slot for slot in asking[sentence.intent].needs if slot not in sentence.slots]
        found.append((sentence.intent, sentence.slots | {slot: draw.choice(values[slot]) for slot in missing},
                      sentence.slots))
    return found


def talk(machine: Machine, user: SimulatedUser, channel: Channel) -> tuple[bool, int, bool]:
    """Whether they got what they wanted, how many times they spoke, and whether something else was done on the way."""
    machine.people.clear()
    reply, now, other = None, 0.0, False
    for turn in range(1, MAXIMUM_TURNS + 1):
        said = user.speak(machine, reply)
        if said is None:
            return True, turn - 1, other
        now += 3.0
        parse = channel.hear(*said, machine.openings.grammar(machine.opening(now)))
        if parse is not None:
            reply = machine.hear(parse, now)
        elif machine.waiting:
            now += machine.dialogue.timeout
            ((_, reply),) = machine.tick(now)
        # Else nobody asked anything, and they say it again.
        other |= reply is not None and reply.action is not None and not user.satisfied(reply)
    return reply is not None and user.satisfied(reply), MAXIMUM_TURNS, other


def measure(machine: Machine, users: int, seed: int, **rates) -> dict:
    """Task success and turns of some users, the share for whom something else was done on the way, and what single
    sentences give: the share that is enough, and that does something else."""
    dialogue = machine.dialogue
    channel, single = Channel(seed=seed, **rates), Channel(seed=seed, **rates)
    right, turns, others, alone, wrong = 0, [], 0, 0, 0
    opened = Grammar(dialogue.name, {intent: dialogue.grammar.intents[intent] for intent in
                                     dialogue.states[dialogue.start]}, dialogue.grammar.language)
    for number, (intent, slots, said) in enumerate(wishes(dialogue, users, seed)):
        done, count, other = talk(machine, SimulatedUser(dialogue, intent, slots, said, number), channel)
        right, others = right + done, others + other
        turns.append(count)
        parse = single.hear(intent, said, opened)
        if parse is not None and parse.accepted:
            alone += (parse.intent, parse.slots) == (intent, slots)
            wrong += (parse.intent, parse.slots) != (intent, said)
    turns.sort()
    return {**rates, "users": users, "single": alone / users, "single_wrong": wrong / users, "success": right / users,
            "something_else": others / users, "turns": sum(turns) / users, "turns_90": turns[int(0.9 * (users - 1))]}


def conditions(folder: Path) -> list[dict]:
    """Names of conditions and their rates: those that figures give, and those that nobody measured."""
    orders = {row["corpus"]: row["value"] for row in read_figures(folder / "compare.csv")
              if (row["model"], row["metric"], row["speakers"]) == ("mtl_whisper_tiny", "exact", "all")}
    rows = [{"condition": "no errors", "rejected": 0.0, "wrong": 0.0}]
    for corpus, value in orders.items():
        # The figures don't say which part of what isn't right was rejected: all of it counts as wrong, the worse case.
        if value < 1:
            rows.append({"condition": f"mtl_whisper_tiny, {corpus.replace('_', ' ')}", "rejected": 0.0,
                         "wrong": 1 - value})
    for row in read_figures(folder / "intents.csv"):
        if row["way"] == "grammar":
            rows.append({"condition": f"mtl_conformer_small, smart_speaker, {row['condition']}",
                         "rejected": row["rejected"], "wrong": 1 - row["all_right"] - row["rejected"]})
    rows += [{"condition": f"one in {round(1 / share)} wrong, as many rejected", "rejected": share, "wrong": share}
             for share in (0.1, 0.2, 1 / 3)]
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dialogue", help="a YAML file")
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--silence", type=float, default=0.02, help="share of sentences that aren't heard (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    add_figures_option(parser, "dialogue")
    arguments = parser.parse_args()
    machine, rows = Machine(load_dialogue(arguments.dialogue)), []
    for condition in conditions(FOLDER):
        name, rates = condition.pop("condition"), condition
        silence = 0.0 if name == "no errors" else arguments.silence
        for doubted in (0.0, 0.5, 0.9) if rates["wrong"] else (0.5,):
            figures = measure(machine, arguments.users, arguments.seed, silence=silence, doubted=doubted, **rates)
            rows.append({"condition": name, **figures})
    print("\n".join(plain("dialogue", rows)))
    write_figures(arguments.figures, rows)


if __name__ == "__main__":
    main()
