"""What Home Assistant's own reader of its sentences understands, and what our grammars of the same sentences do.

    python -m benchmarks.quality.home_assistant --languages de,es,fr,it,nl --sentences 500

takes sentences of the package `home-assistant-intents` at random, as hassil samples them and without figures and signs,
which nobody can say; and asks hassil and the grammar what each means. `accepted`: those of hassil's sentences that the
grammar has; `same meaning`: it gives them an intent and slots that hassil gives them too; `hassil accepts`: those of
the grammar's own sentences, as many, that hassil understands as the grammar does. Rooms, devices and other lists that a
home fills in are the same few words of the language itself on both sides. What depends on the state of the home is left
to it on both sides. `--languages all` is every language that CLDR spells numbers in.
"""

import argparse
import copy
import random
import re
import time

import hassil
import hassil.util
import home_assistant_intents
from hassil.expression import Alternative, Expression, Permutation, RuleReference, Sequence, TextChunk
from hassil.intents import Intents, RangeSlotList, TextSlotList
from hassil.numbers import get_rbnf_engine
from hassil.sample import sample_expression

from speechzoo.grammar import nodes
from speechzoo.grammar.reading import parse_grammar
from speechzoo.grammar.sampling import sample_sentences
from speechzoo.text.language import primary_language
from speechzoo.text.normalize import normalize_words
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import plain

_LETTER = f"[{hassil.util.CJK}]"
Meaning = tuple[str, frozenset[tuple[str, str]]]


class Home:
    """The sentences of a language in an example home, as hassil reads them and as we do.

    Args:
        language: Language of the package.

    Attributes:
        grammar: Ours.
        intents: hassil's.
    """

    def __init__(self, language: str):
        self.language = language
        document = copy.deepcopy(home_assistant_intents.get_intents(language))
        for intent in document["intents"].values():
            for block in intent["data"]:
                block.pop("requires_context", None)
                block.pop("excludes_context", None)
        # Values that belong to no other list: words of the language, so that scripts don't mix.
        names = [*sorted(name for name, value in document["lists"].items() if value.get("wildcard")),
                 "area", "floor", "name"]
        words = _rare_words(document, 2 * len(names))
        lists = {name: words[2 * place:2 * place + 2] for place, name in enumerate(names)}
        document["lists"] |= {name: {"values": values} for name, values in lists.items()}
        self.intents = Intents.from_dict(document)
        slots = "".join(f"  {name}: ['{first}', '{second}']\n" for name, (first, second) in lists.items())
        self.grammar = parse_grammar(f"home_assistant: {language}\nslots:\n{slots}", language)

    def sample(self, generator: random.Random) -> str:
        """A sentence as hassil samples it, from an intent and a template at random."""
        intent = generator.choice(list(self.intents.intents.values()))
        data = generator.choice([data for data in intent.data if data.sentences])
        expression = self._one_way(generator.choice(data.sentences).expression, generator)
        text, = sample_expression(expression, language=self.language)
        # hassil reads an article with an apostrophe with and without a blank; people write none.
        text = text if primary_language(self.language) == "en" else text.replace("' ", "'")
        return " ".join(text.split())

    def _one_way(self, expression: Expression, generator: random.Random) -> Expression:
        """The expression with one of everything that there is a choice of."""
        if isinstance(expression, TextChunk):
            return expression
        if isinstance(expression, RuleReference):
            return self._one_way(self.intents.expansion_rules[expression.rule_name].expression, generator)
        if isinstance(expression, Alternative):
            return self._one_way(generator.choice(expression.items), generator)
        if isinstance(expression, (Sequence, Permutation)):
            items = [self._one_way(item, generator) for item in expression.items]
            if isinstance(expression, Permutation):
                generator.shuffle(items)
            return Sequence(items=items)
        values = self.intents.slot_lists[expression.list_name]
        if isinstance(values, TextSlotList):
            return self._one_way(generator.choice(values.values).text_in, generator)
        assert isinstance(values, RangeSlotList)
        number = generator.choice(list(values.get_numbers()))
        ways = get_rbnf_engine(self.language).format_number(number).text_by_ruleset.values()
        return TextChunk(generator.choice(sorted(set(ways))))

    def hassil_meanings(self, text: str) -> set[Meaning]:
        """What hassil says that a text may mean."""
        return {(result.intent.name,
                 frozenset((name, _plain(entity.value)) for name, entity in result.entities.items()))
                for result in hassil.recognize_all(text, self.intents, language=self.language)}

    def our_meanings(self, text: str) -> set[Meaning]:
        """What the grammar says that it may mean."""
        words = normalize_words(text, self.language).split()
        return {(intent, frozenset((name, _plain(value)) for name, value in slots))
                for intent, node in self.grammar.intents.items()
                for end, slots in _ends(node, words, 0, None, {}) if end == len(words)}


def _rare_words(document, count):
    """So many names out of words of the language: the longest in Home Assistant's answers."""
    texts = [text for answers in document["responses"]["intents"].values() for text in answers.values()]
    texts = re.sub(r"{{.*?}}|{%.*?%}", " ", " ".join(texts)).split()
    words = {word.lower() for word in texts if word.isalpha() and len(word) > 1}
    found = sorted(words, key=lambda word: (-len(word), word))
    # Small languages have few answers: then some names are two words.
    return [*found, *(f"{first} {second}" for first in found for second in found)][:count]


def _plain(value) -> str:
    """A value as both sides write it."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    try:
        # Without its sign: hassil keeps one table for all ranges of the same numbers, negated or not.
        return f"{abs(float(value)):g}"
    except ValueError:
        return str(value).strip()


def _ends(node, words, start, slot, known):
    """(position after it, slots) of every way to say a node from a position on; slots as a frozenset of pairs."""
    if isinstance(node, nodes.Words):
        spoken = node.text.split()
        return [(start + len(spoken), frozenset())] if words[start:start + len(spoken)] == spoken else []
    key = id(node), start, slot
    if key not in known:
        if isinstance(node, nodes.Choice):
            found = [end for option in node.options for end in _ends(option, words, start, slot, known)]
        elif isinstance(node, nodes.Slot):
            found = _ends(node.spoken, words, start, node.name, known)
        elif isinstance(node, nodes.Value):
            own = frozenset([(slot, node.value)]) if slot else frozenset()
            found = [(end, own | slots) for end, slots in _ends(node.spoken, words, start, slot, known)]
        else:
            found = [(start, frozenset())]
            for part in node.parts:
                found = [(after, slots | more) for end, slots in found
                         for after, more in _ends(part, words, end, slot, known)]
        known[key] = list(dict.fromkeys(found))
    return known[key]


def compare(language: str, count: int, seed: int = 1) -> tuple[dict, list[str]]:
    """Figures of a language, and the sentences that were understood differently."""
    home, generator, differences = Home(language), random.Random(seed), []
    accepted = same = sampled = 0
    while sampled < count:
        text = home.sample(generator)
        try:
            normalize_words(text, language)
        except ValueError:
            continue  # a figure or a sign
        theirs = home.hassil_meanings(text)
        if not theirs:
            continue
        sampled += 1
        ours = home.our_meanings(text)
        accepted += bool(ours)
        same += bool(ours & theirs)
        if not ours & theirs:
            differences.append(f"hassil's: {text}: {sorted(theirs, key=str)[:1]}, not {sorted(ours, key=str)[:1]}")
    understood = 0
    for sentence in sample_sentences(home.grammar, count, seed):
        meaning = sentence.intent, frozenset((name, _plain(value)) for name, value in sentence.slots.items())
        # People write no blanks where the script has none.
        theirs = home.hassil_meanings(re.sub(rf"(?<={_LETTER}) (?={_LETTER})", "", sentence.text))
        understood += meaning in theirs
        if meaning not in theirs:
            differences.append(f"ours: {sentence.text}: {meaning}, not {sorted(theirs, key=str)[:1]}")
    return {"language": language, "sentences": count, "accepted": accepted / count, "same_meaning": same / count,
            "hassil_accepts": understood / count}, differences


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--languages", default="de,es,fr,it,nl", help="separated by commas (%(default)s), or all")
    parser.add_argument("--sentences", type=int, default=500, help="of each language (%(default)s)")
    parser.add_argument("--show", type=int, default=0, help="differences to print (%(default)s)")
    add_figures_option(parser, "home_assistant")
    arguments = parser.parse_args()
    languages = arguments.languages.split(",")
    if languages == ["all"]:
        languages = [language for language in home_assistant_intents.get_languages() if language not in UNSPELLED]
    rows = []
    for language in languages:
        start = time.monotonic()
        row, differences = compare(language, arguments.sentences)
        rows.append(row)
        print(row, f"{time.monotonic() - start:.0f} s", flush=True)
        print("".join(f"  {difference}\n" for difference in differences[:arguments.show]), end="")
    write_figures(arguments.figures, rows)
    print("\n".join(plain("home_assistant", rows)))


UNSPELLED = ("bn", "eu", "gl", "gu", "kn", "kw", "ml", "mn", "pa", "te", "ur")
"""`UNSPELLED` are the package's languages that CLDR has no rules to spell numbers in for."""


if __name__ == "__main__":
    main()
