import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from speechzoo.decoding.commands.compile import compile_grammar
from speechzoo.decoding.commands.compiled_grammar import COMMAND_PRIOR_SCALE, UNIT_BONUS
from speechzoo.decoding.commands.decode import WORST_SCORE, grammar_decode, prior_cost
from speechzoo.decoding.commands.token_passing import TokenPassing
from speechzoo.decoding.ctc.paths import log_softmax
from speechzoo.decoding.ctc.viterbi import align
from speechzoo.grammar.nodes import NOTHING, Choice, Grammar, Sequence, Slot, Value, Words
from tests.decoding.grammars import CHARACTERS, LIGHTS, ROOMS, random_grammar, sentences, speech

LETTERS = {**CHARACTERS, "units": list(" ab")}
PIECES = {**CHARACTERS, "units": ["a", "b", "\u2581", "\u2581a", "\u2581b", "\u2581ab"], "kind": "pieces"}
PHONES = {**CHARACTERS, "units": ["AA", "B"], "kind": "phones"}
LEXICON = {"a": [["AA"]], "b": [["B"], ["B", "AA"]], "ab": [["AA", "B"]], "ba": [["B", "AA"]], "bb": [["B", "B"]]}


def spellings(text, spec):
    """Unit sequences of a text, by hand."""
    words = text.split()
    if spec["kind"] == "characters":
        ways = [list(text)]
    elif spec["kind"] == "phones":
        ways = [sum(choice, []) for choice in itertools.product(*(LEXICON[word] for word in words))]
    else:
        pieces = {"a": ["\u2581a"], "b": ["\u2581b"], "ab": ["\u2581ab"],
                  "ba": ["\u2581b", "a"], "bb": ["\u2581b", "b"]}
        ways = [sum((pieces[word] for word in words), [])]
    return [tuple(spec["units"].index(unit) + 1 for unit in way) for way in ways]


def readings(path, spec):
    """Unit sequences that a path may stand for: where phones go on for some frames they may be several."""
    runs = [(unit, len(list(run))) for unit, run in itertools.groupby(path) if unit]
    times = [range(1, length + 1) if spec["kind"] == "phones" else (1,) for _, length in runs]
    for counts in itertools.product(*times):
        yield tuple(unit for (unit, _), count in zip(runs, counts) for _ in range(count))


def brute_force(logits, grammar, spec):
    """Best score of a path that spells a sentence, over all paths; and the sentences it may be: where phones go on, one
    path may spell several, such as "ba bb" and "ba ab"."""
    log_probs = log_softmax(logits)
    meant = {}
    for sentence in sentences(grammar):
        for units in spellings(sentence[0], spec):
            meant.setdefault(units, set()).add(sentence)
    best, found = -math.inf, None
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        for units in meant.keys() & set(readings(path, spec)):
            score = sum(log_probs[frame, unit] for frame, unit in enumerate(path)) + UNIT_BONUS * len(units)
            if score > best:
                best, found = score, set()
            if score == best:
                found |= meant[units]
    return best, found


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 100_000), st.integers(1, 6), st.sampled_from([LETTERS, PIECES, PHONES]))
@example(8741, 6, PHONES)  # B blank AA AA B B: "ba bb" or "ba ab"
def test_the_best_parse_is_the_best_of_all_sentences_and_alignments(seed, num_frames, spec):
    num_frames = min(num_frames, 5 if spec is PIECES else 6)
    grammar = random_grammar(seed)
    logits = np.random.default_rng(seed).standard_normal((num_frames, len(spec["units"]) + 1)) * 3
    compiled = compile_grammar(grammar, spec, LEXICON).with_unit_cost(np.zeros(len(spec["units"]) + 1))
    score, meant = brute_force(logits, grammar, spec)
    scores = TokenPassing(compiled, log_softmax(logits), math.inf).scores
    assert scores.max() == pytest.approx(score, abs=1e-6)
    parse = grammar_decode(logits, compiled, beam=math.inf)
    if meant is None:
        assert parse.intent is None and not parse.accepted and parse.confidence == 0 and parse.score == WORST_SCORE
    else:
        assert (parse.text, parse.intent, tuple(sorted(parse.slots.items()))) in meant


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 100_000))
def test_longer_recordings_against_forced_alignment_of_every_sentence(seed):
    grammar = random_grammar(seed)
    logits = np.random.default_rng(seed).standard_normal((30, 4)) * 3
    log_probs = log_softmax(logits)
    best = {}
    for sentence in sentences(grammar):
        (units,) = spellings(sentence[0], LETTERS)
        spans, score = align(log_probs, units)
        best.setdefault(score + UNIT_BONUS * len(units), []).append((sentence, spans))
    highest = max(best)
    compiled = compile_grammar(grammar, LETTERS).with_unit_cost(np.zeros(4))
    passing = TokenPassing(compiled, log_probs, math.inf)
    end = int(passing.scores.argmax())
    assert passing.scores[end] == pytest.approx(highest, abs=1e-6)
    arcs, spans = passing.path(end)
    units = compiled.node_unit[compiled.arc_target[arcs]]
    assert any("".join(" ab"[unit - 1] for unit in units) == sentence[0] for sentence, _ in best[highest])
    np.testing.assert_array_equal(spans, best[highest][0][1])
    parse = grammar_decode(logits, compiled)
    assert all(word.text in ("a", "b", "ab", "ba", "bb") for word in parse.words)
    assert [word.start for word in parse.words] == sorted(word.start for word in parse.words)


def test_phones_alike_are_one_long_sound_between_words():
    spec = {**CHARACTERS, "units": ["R", "OW", "S", "T", "AH", "P", "L", "D", "B"], "kind": "phones"}
    lexicon = {"roast": [["R", "OW", "S", "T"]], "triple": [["T", "R", "AH", "P", "L"]],
               "double": [["D", "AH", "B", "L"]]}
    shots = Slot("shots", Choice((Value("2", Words("double")), Value("3", Words("triple")))))
    grammar = compile_grammar(Grammar("g", {"order": Sequence((Words("roast"), shots))}), spec, lexicon)
    # R OW S T T R AH B L: nothing parts the two T, and the network hears a B for the P.
    said = [0, 1, 2, 3, 4, 4, 1, 5, 9, 7, 0]
    assert grammar_decode(7 * np.eye(10)[said], grammar).slots == {"shots": "3"}


@pytest.mark.parametrize("node", [
    Choice((Words("ba bb"), Words("ba ab"))),
    Sequence((Words("ba"), Slot("x", Choice((Value("1", Words("bb")), Value("2", Words("ab"))))))),
], ids=["same end", "two ends"])
def test_of_sentences_that_sound_alike_it_is_always_the_same_one(node):
    # As B AA AA B B both match equally well, whatever the last bit of a sum says.
    grammar = compile_grammar(Grammar("g", {"x": node}), PHONES, LEXICON)
    noise = np.random.default_rng(0).standard_normal((100, 6, 3))
    assert len({grammar_decode(one + 9 * np.eye(3)[[2, 0, 1, 1, 2, 2]], grammar).text for one in noise}) == 1


def test_weights_count_as_log_probabilities():
    grammar = Grammar("g", {"x": Choice((Words("a"), Sequence((Words("b"), Choice((Words("a"), Words("b")))))))})
    log_probs = log_softmax(np.random.default_rng(0).standard_normal((7, 4)))
    scores = TokenPassing(compile_grammar(grammar, LETTERS, weighted=True), log_probs, math.inf).scores
    expected = max(align(log_probs, spellings("a", LETTERS)[0])[1] - math.log(2) + UNIT_BONUS,
                   align(log_probs, spellings("b a", LETTERS)[0])[1] - math.log(4) + 3 * UNIT_BONUS,
                   align(log_probs, spellings("b b", LETTERS)[0])[1] - math.log(4) + 3 * UNIT_BONUS)
    assert scores.max() == pytest.approx(expected, abs=1e-5)
    # A rare name costs more than a common word that sounds as good.
    names = Choice(tuple(Words("a" * length) for length in range(1, 30)))
    rare = Grammar("g", {"x": Choice((Words("a"), Sequence((Words("b"), names))))})
    logits = np.log([[0.02, 0.02, 0.48, 0.48], [0.02, 0.4, 0.06, 0.52], [0.48, 0.02, 0.48, 0.02],
                     [0.98, 0.01, 0.01, 0.01]])
    assert grammar_decode(logits, compile_grammar(rare, LETTERS).with_unit_cost(np.zeros(4))).text == "b a"
    assert grammar_decode(logits, compile_grammar(rare, LETTERS, weighted=True).with_unit_cost(np.zeros(4))).text == "a"


def test_words_slots_and_times():
    compiled = compile_grammar(LIGHTS, CHARACTERS)
    text = "lights in the living room please"
    logits = speech(text, frames=80)
    parse = grammar_decode(logits, compiled)
    assert (parse.text, parse.intent, parse.slots) == (text, "lights_on", {"room": "living_room"})
    assert parse.accepted and parse.confidence > 0.9 and -0.1 < parse.score <= 0
    position = np.linspace(1, 78, len(text)).round()  # frame of each letter
    for word, start in zip(parse.words, (text.index(word) for word in text.split()), strict=True):
        assert word.start == pytest.approx(position[start] * 0.04, abs=1e-3)
        assert word.end == pytest.approx(position[start + len(word.text) - 1] * 0.04 + 0.04, abs=1e-3)
    # Every letter is heard as surely as the first.
    peak = float(np.exp(log_softmax(log_softmax(logits) - compiled.unit_cost).max(axis=1)[1]))
    assert parse.slot_confidence["room"] == pytest.approx(peak)


def test_the_same_sentence_of_two_intents_is_the_first_ones_and_half_as_sure():
    same = {name: Words("stop it") for name in ("zeta", "alpha")}
    parse = grammar_decode(speech("stop it"), compile_grammar(Grammar("g", same), CHARACTERS))
    assert parse.intent == "zeta" and parse.accepted and 0.4 < parse.confidence <= 0.5


def test_a_noisy_order_is_still_understood():
    compiled = compile_grammar(LIGHTS, CHARACTERS)
    for seed in range(10):
        logits = speech("lights in the kitchen", frames=90, noise=1.0, seed=seed)
        parse = grammar_decode(logits, compiled)
        assert parse.intent == "lights_on" and parse.slots == {"room": "kitchen"} and parse.accepted


@pytest.mark.parametrize("logits", [
    np.zeros((0, 29)),  # nothing
    np.tile([12.0] + 28 * [0.0], (100, 1)),  # silence
    np.tile([0.0] + 28 * [-1e9], (750, 1)),  # 30 s of padding
    speech("st", frames=5),  # cut off
    speech("no lights in the"),
    speech("lights"),
    speech("what a wonderful world this could have been"),
    speech("go lights in the garden of my neighbour"),
    speech("yes"),
    np.zeros((2, 29)),
    np.zeros((100, 29)),  # a network that says nothing
    np.random.default_rng(0).standard_normal((100, 29)) * 3,  # babble
], ids=range(12))
def test_what_is_not_in_the_grammar_is_rejected(logits):
    parse = grammar_decode(logits, compile_grammar(LIGHTS, CHARACTERS))
    assert not parse.accepted and parse.confidence < 0.5 and parse.score >= WORST_SCORE


def test_a_network_that_favours_the_blank_still_hears_the_whole_sentence():
    compiled = compile_grammar(LIGHTS, CHARACTERS)
    logits = speech("no lights in the living room", sureness=4)
    logits[:, 0] += 6
    free = compiled.with_unit_cost(np.zeros(29))
    assert grammar_decode(logits, free).text == "stop" != grammar_decode(logits, compiled).text
    assert grammar_decode(logits, compiled).text == "no lights in the living room"
    log_probs = log_softmax(logits)
    prior = prior_cost([log_probs[:20], log_probs[20:]])
    np.testing.assert_allclose(prior, np.log(np.exp(log_probs).mean(axis=0).clip(1e-4)))
    assert grammar_decode(logits, compiled.with_unit_cost(prior)).text == "no lights in the living room"
    measured = compile_grammar(LIGHTS, {**CHARACTERS, "log_prior": prior.tolist()})
    np.testing.assert_allclose(measured.unit_cost, COMMAND_PRIOR_SCALE * prior, rtol=1e-5)
    assert grammar_decode(logits, measured).text == "no lights in the living room"
    with pytest.raises(ValueError, match="takes 29 finite costs, the blank's first; got shape \\(28,\\)"):
        compiled.with_unit_cost(np.zeros(28))
    with pytest.raises(ValueError, match="no frame in these"):
        prior_cost([])


def test_a_pause_changes_nothing():
    compiled = compile_grammar(LIGHTS, CHARACTERS)
    for text in ("stop it now", "stop the music"):
        logits = speech(text)
        silence = np.tile([12.0] + 28 * [0.0], (500, 1))
        alone = grammar_decode(logits, compiled)
        among = grammar_decode(np.concatenate([silence, logits, silence]), compiled)
        assert among.accepted == alone.accepted == ("it" in text)
        if alone.accepted:
            assert among.score == pytest.approx(alone.score, abs=1e-6)
            assert [word.start - 20 for word in among.words] == pytest.approx([word.start for word in alone.words])


def test_a_word_of_the_grammar_said_another_way():
    grammar = Grammar("g", {"x": Sequence((Words("a"), Choice((NOTHING, Words("b")))))})
    compiled = compile_grammar(grammar, PHONES, LEXICON)
    parse = grammar_decode(speech("AA B AA", PHONES), compiled)
    assert [word.text for word in parse.words] == ["a", "b"] and parse.accepted
    assert parse.words[1].start == pytest.approx(0.12, abs=0.05) and parse.words[1].end > 0.2


def test_a_slot_spoken_as_nothing_is_filled():
    when = Slot("when", Choice((Value("now", NOTHING), Value("later", Words("later")))))
    grammar = Grammar("g", {"x": Sequence((Words("stop"), when))})
    compiled = compile_grammar(grammar, CHARACTERS)
    assert grammar_decode(speech("stop"), compiled).slots == {"when": "now"}
    assert grammar_decode(speech("stop later"), compiled).slots == {"when": "later"}


def test_a_narrow_beam_keeps_the_best_where_it_is_clear():
    compiled = compile_grammar(LIGHTS, CHARACTERS)
    logits = speech("no lights in the living room", noise=0.5)
    narrow, wide = grammar_decode(logits, compiled, beam=15), grammar_decode(logits, compiled, beam=math.inf)
    assert (narrow.words, narrow.slots, narrow.score) == (wide.words, wide.slots, wide.score)
    assert narrow.intent == "lights_off"


def test_errors_are_one_clear_line():
    compiled = compile_grammar(LIGHTS, CHARACTERS)
    with pytest.raises(ValueError, match=r"CTC logits have shape \(10, 5\); expected \(frames, 29\)"):
        grammar_decode(np.zeros((10, 5)), compiled)
    with pytest.raises(ValueError, match="NaN or infinite"):
        grammar_decode(np.full((10, 29), np.nan), compiled)
    with pytest.raises(ValueError, match="grammar 'lights': to spell words in phones takes a lexicon"):
        compile_grammar(LIGHTS, PHONES)
    with pytest.raises(ValueError, match="grammar 'lights': the lexicon has no pronunciation of 'kitchen'"):
        compile_grammar(LIGHTS, PHONES, {"lights": [["AA"]], "in": [["B"]], "the": [["B"]]} | {
            word: [["AA"]] for word in "living room lounge no stop it now please".split()})
    with pytest.raises(ValueError, match="'ü' in the word 'müde' is not among the 28 characters"):
        compile_grammar(Grammar("g", {"x": Words("müde")}), CHARACTERS)
    with pytest.raises(ValueError, match="grammar 'g': no sentence with a word in it"):
        compile_grammar(Grammar("g", {"x": NOTHING}), CHARACTERS)
    with pytest.raises(ValueError, match="threshold of a grammar is below 0"):
        compile_grammar(LIGHTS, CHARACTERS, threshold=0.0)


def test_the_graph_shares_what_is_spelt_alike():
    names = tuple(Value(str(number), Words(f"number {word}")) for number, word in enumerate(("one", "two", "three")))
    grammar = Grammar("g", {"x": Sequence((ROOMS, Words("and"), Slot("n", Choice(names)), Words("and so on")))})
    compiled = compile_grammar(grammar, CHARACTERS)
    # kitchen|living room|lounge + " and number " + one|two|three + " and so on", "l" and "t" begun once and the
    # beginning; spaces after each of the three values are one node, for the letters before them differ in meaning only.
    assert len(compiled.node_unit) <= 1 + (7 + 11 + 6 - 1) + 12 + (3 + 3 + 5 - 1) + 10
