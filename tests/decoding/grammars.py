"""Small grammars and what they say, spelt out without any of the code under test."""

import numpy as np

from speechzoo.grammar.nodes import NOTHING, Choice, Grammar, Sequence, Slot, Value, Words

CHARACTERS = {"type": "ctc", "label": "transcript", "units": list(" 'abcdefghijklmnopqrstuvwxyz"), "kind": "characters",
              "frame_seconds": 0.04}

ROOMS = Slot("room", Choice((
    Value("kitchen", Words("kitchen")),
    Value("living_room", Choice((Words("living room"), Words("lounge")))),
)))
LIGHTS = Grammar("lights", {
    "lights_on": Sequence((Words("lights"), Choice((Words("in the"), NOTHING)), ROOMS,
                           Choice((NOTHING, Words("please"))))),
    "lights_off": Sequence((Words("no lights"), Choice((NOTHING, Sequence((Words("in the"), ROOMS)))))),
    "stop": Choice((Words("stop"), Words("stop it"), Words("stop it now"))),
})


def sentences(grammar):
    """Every (text, intent, slots as sorted pairs) of a grammar, in its order."""
    found = []
    for intent, node in grammar.intents.items():
        for words, slots in _spoken(node, None):
            found.append((" ".join(words), intent, tuple(sorted(dict(slots).items()))))
    return found


def _spoken(node, slot):
    if isinstance(node, Words):
        return [(node.text.split(), [])]
    if isinstance(node, Choice):
        return [spoken for option in node.options for spoken in _spoken(option, slot)]
    if isinstance(node, Slot):
        return _spoken(node.spoken, node.name)
    if isinstance(node, Value):
        if slot is None:
            return _spoken(node.spoken, None)
        return [(words, [(slot, node.value)]) for words, _ in _spoken(node.spoken, None)]
    result = [([], [])]
    for part in node.parts:
        result = [(words + more, slots + others) for words, slots in result for more, others in _spoken(part, slot)]
    return result


def random_grammar(seed, words=("a", "b", "ab", "ba", "bb")):
    """A grammar of a few dozen short sentences, ambiguous ones among them."""
    random = np.random.default_rng(seed)

    def pick(options):
        return options[random.integers(len(options))]

    def node(depth, slot=False):
        kinds = ["words", "sequence", "choice", "optional"] + (["slot"] if not slot else [])
        kind = pick(kinds if depth else ["words"])
        if kind == "words":
            return Words(" ".join(pick(words) for _ in range(random.integers(1, 3))))
        if kind == "sequence":
            return Sequence(tuple(node(depth - 1, slot) for _ in range(2)))
        if kind == "choice":
            return Choice(tuple(node(depth - 1, slot) for _ in range(random.integers(2, 4))))
        if kind == "optional":
            return Choice((NOTHING, node(depth - 1, slot)))
        return Slot(pick("xy"), Choice(tuple(Value(value, node(depth - 1, True)) for value in "12")))

    def intent():
        return Sequence((Words(pick(words)), node(2)))

    return Grammar("random", {name: intent() for name in ("one", "two")})


def speech(text, spec=CHARACTERS, frames=None, sureness=9.0, noise=0.0, seed=0):
    """Logits of a model that hears `text`: every unit for one frame, blanks between, at regular times."""
    units = [spec["units"].index(unit) + 1 for unit in (text.split() if spec["kind"] == "phones" else text)]
    frames = 2 * len(units) + 4 if frames is None else frames
    logits = np.random.default_rng(seed).standard_normal((frames, len(spec["units"]) + 1)) * noise
    logits[:, 0] += sureness
    for position, unit in zip(np.linspace(1, frames - 2, len(units)).round().astype(int), units):
        logits[position, [0, unit]] += -sureness, sureness
    return logits
