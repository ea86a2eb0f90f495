import itertools
import math

import numpy as np
import pytest

from speechzoo.decoding.commands.class_ngram import compile_class_ngram
from speechzoo.decoding.commands.compile import compile_grammar
from speechzoo.decoding.commands.compiled_grammar import UNIT_BONUS
from speechzoo.decoding.commands.decode import grammar_decode
from speechzoo.decoding.commands.token_passing import TokenPassing
from speechzoo.decoding.ctc.paths import log_softmax
from speechzoo.decoding.ctc.viterbi import align
from speechzoo.grammar.nodes import Choice, Grammar, Sequence, Slot, Value, Words
from speechzoo.grammar.sampling import sample_sentences
from speechzoo.text.ngram import build_ngram
from tests.decoding.grammars import CHARACTERS, speech

DRINKS = Slot("drink", Choice((Value("tea", Words("tea")),
                               Value("coffee", Choice((Words("coffee"), Words("a coffee")))))))
SIZES = Slot("size", Choice((Value("small", Words("small")), Value("large", Words("very large")))))
ORDERS = Grammar("orders", {
    "order": Sequence((Words("bring me"), Choice((Sequence((SIZES, DRINKS)), DRINKS)),
                       Choice((Words("please"), Words("now"))))),
    "stop": Choice((Words("stop it"), Words("stop"))),
})


def test_any_order_of_words_and_slots():
    free = compile_class_ngram(ORDERS, CHARACTERS)
    text = "tea very large please bring me"
    parse = grammar_decode(speech(text), free)
    assert (parse.text, parse.intent, parse.slots) == (text, "order", {"drink": "tea", "size": "large"})
    assert parse.accepted and not grammar_decode(speech(text), compile_grammar(ORDERS, CHARACTERS)).accepted
    assert grammar_decode(speech("stop it"), free).intent == "stop"
    assert not grammar_decode(speech("what a wonderful world it is"), free).accepted


@pytest.mark.parametrize("seed", range(6))
def test_scores_are_those_of_the_n_gram_over_all_short_word_sequences(seed):
    spec = {**CHARACTERS, "units": list(" abc")}
    slot = Slot("s", Choice((Value("1", Words("a")), Value("2", Words("b a")))))
    grammar = Grammar("g", {"x": Sequence((Words("c"), Choice((slot, Sequence((slot, Words("b")))))))})
    compiled = compile_class_ngram(grammar, spec, weight=0.7, num_sentences=20)
    classes = Grammar("g", {"x": Sequence((Words("c"), Choice((Words("{s}"), Words("{s} b")))))})
    model = build_ngram([sentence.text for sentence in sample_sentences(classes, 20, 1)], 2)
    entries = model.entries

    def log_prob(tokens):
        total, before = 0.0, "<s>"
        for token in [*tokens, "</s>"]:
            known = entries.get((before, token), (-math.inf,))[0]
            total += max(known, entries[(before,)][1] + entries[(token,)][0]) * math.log(10)
            before = token
        return total - math.log(2) * tokens.count("{s}")  # two ways to speak it

    log_probs = log_softmax(np.random.default_rng(seed).standard_normal((6, 5)) * 2)
    best = -math.inf
    for length in (1, 2, 3):  # six frames hold no more
        for tokens in itertools.product(["c", "b", "{s}"], repeat=length):
            for spoken in itertools.product(*(["a", "b a"] if token == "{s}" else [token] for token in tokens)):
                units = [spec["units"].index(letter) + 1 for letter in " ".join(spoken)]
                if len(units) <= len(log_probs):
                    best = max(best, align(log_probs, units)[1] + UNIT_BONUS * len(units) + 0.7 * log_prob(tokens))
    assert TokenPassing(compiled, log_probs, math.inf).scores.max() == pytest.approx(best, abs=1e-4)
