"""Our reader of Home Assistant's template syntax against its own."""

import copy
import itertools
from importlib import resources

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from speechzoo.grammar.reading import load_grammar, parse_grammar
from speechzoo.grammar.sampling import count_sentences, enumerate_sentences, sample_sentences
from tests.grammar.matching import meanings

hassil = pytest.importorskip("hassil", reason="the extra [dev]")
hassil_intents = pytest.importorskip("hassil.intents")
hassil_sample = pytest.importorskip("hassil.sample")

LISTS = {"room": ["kitchen", "living room"], "color": ["red"]}
RULES = {"please": "[(please|could you)]", "lamp": "(light|lamp)[s]"}


def sentences_of_hassil(template):
    lists = {name: hassil_intents.TextSlotList.from_strings(values) for name, values in LISTS.items()}
    rules = {name: hassil.parse_sentence(rule) for name, rule in RULES.items()}
    texts = hassil_sample.sample_sentence(hassil.parse_sentence(template), lists, rules)
    return {" ".join(text.split()) for text in texts}


def grammar_of(template):
    """Behind a word of ours, because a sentence without any is an error to us."""
    quoted = template.replace("'", "''")
    return parse_grammar(f"intents: {{say: 'say {quoted}'}}\nslots: {LISTS}\nrules: {RULES}")


def sentences_of_ours(template):
    return {sentence.text.removeprefix("say").strip() for sentence in enumerate_sentences(grammar_of(template))}


@pytest.mark.parametrize("template", [
    "turn on the light[s]",
    "[please] turn (on|off) [the] <lamp> [in [the] {room}]",
    "auto[matic]( |-)mode",
    "<please> [<lamp> on|dim {color:tint}]",
    "switch on|switch off",
    "(on;in the {room};now)",
    "go [(left;right)] now",
    "[[all ](of |)the ]lamp[[ ](s|es)]",
    r"a \(b\) c",
    "{room} to {room:other_room}",
    "I'd like (a (red|green)|an (orange|amber)) one",
    "( a | b ) [ c ]",
    "under(cover|ground)s",
    "{room}[s] on", "un{color:tint}[ish|y] {room}", "[the ]<lamp>shade", "<please>d {room}(x|y z)",
    "({color}|<lamp>)-like [(a;b)] c",
])
def test_same_sentences(template):
    ours = sentences_of_ours(template)
    theirs = {" ".join(text.lower().replace("-", " ").replace("(", "").replace(")", "").split())
              for text in sentences_of_hassil(template)}
    assert ours == theirs


word = st.sampled_from(["a", "b", "cat", "dog"])
atom = word | st.sampled_from(["{room}", "{color:tint}", "<please>", "<lamp>"])


def groups(inner):
    row = st.lists(inner, min_size=1, max_size=3).map(" ".join)
    return (st.lists(row, min_size=1, max_size=3).map(lambda rows: f"({'|'.join(rows)})")
            | st.lists(row, min_size=1, max_size=2).map(lambda rows: f"[{'|'.join(rows)}]")
            | st.lists(row, min_size=2, max_size=2).map(lambda rows: f"({';'.join(rows)})")
            | st.tuples(word, word).map(lambda pair: f"{pair[0]}[{pair[1]}]")
            | st.tuples(word, word).map(lambda pair: f"{pair[0]}({pair[1]}|{pair[1]}x)s"))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.recursive(atom, groups, max_leaves=6), min_size=1, max_size=3).map(" ".join))
def test_same_sentences_of_any_template(template):
    assume(count_sentences(grammar_of(template)) < 2000)
    assert sentences_of_ours(template) == sentences_of_hassil(template)


@pytest.fixture(scope="module")
def home():
    """Our grammar of Home Assistant's sentences, and what hassil makes of the same."""
    package = pytest.importorskip("home_assistant_intents", reason="the extra [grammars]")
    grammar = load_grammar("home_assistant")
    document = copy.deepcopy(package.get_intents("en"))
    for intent in document["intents"].values():
        for block in intent["data"]:
            # What a sentence means where the lights are known is more than a grammar says.
            block.pop("requires_context", None)
    # A list that takes any words takes the example's; all others are Home Assistant's.
    names = [name for name, value in document["lists"].items() if value.get("wildcard")] + ["area", "floor", "name"]
    lists = {name: hassil_intents.TextSlotList.from_tuples(example_values(name), name=name) for name in names}
    for name in names:
        document["lists"].pop(name, None)
    return grammar, hassil.Intents.from_dict(document), lists


def example_values(name):
    path = resources.files("zoo_configs") / "grammars" / "home_assistant.yaml"
    for item in yaml.safe_load(path.read_text(encoding="utf-8"))["slots"][name]:
        ways = item.items() if isinstance(item, dict) else [(item, [item])]
        yield from ((way, value) for value, spoken in ways for way in spoken)


def plain(value):
    """A value without its sign: hassil keeps one table for all ranges of the same numbers, negated or not."""
    return str(value).removesuffix(".0").removeprefix("-")


def test_home_assistant_understands_our_sentences(home):
    grammar, intents, lists = home
    wrong = []
    for sentence in sample_sentences(grammar, 84, seed=3):
        found = [(result.intent.name, {name: plain(entity.value) for name, entity in result.entities.items()})
                 for result in hassil.recognize_all(sentence.text, intents, slot_lists=lists, language="en")]
        if (sentence.intent, {name: plain(value) for name, value in sentence.slots.items()}) not in found:
            wrong.append((sentence, found))
    assert not wrong


def test_we_understand_home_assistants_sentences(home):
    grammar, intents, lists = home
    for intent in list(intents.intents.values())[::3]:
        for data in intent.data[::2]:
            sampled = hassil_sample.sample_sentence(data.sentences[0], {**intents.slot_lists, **lists},
                                                    intents.expansion_rules, language="en", expand_ranges=False)
            text = next(iter(sampled)).lower()
            if any(character in text for character in "{}0123456789"):
                continue
            found = meanings(grammar, " ".join(text.replace("-", " ").split()))
            assert intent.name in {name for name, _ in found}, text


def test_thousands_of_sentences(home):
    grammar, _, _ = home
    assert len(grammar.intents) >= 30
    assert len(list(itertools.islice(enumerate_sentences(grammar), 10_000))) == 10_000
