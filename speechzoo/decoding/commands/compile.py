"""Compiling a grammar for the units of a model."""

import numpy as np

from speechzoo.decoding.commands.compiled_grammar import (COMMAND_PRIOR_SCALE, DEFAULT_BLANK_COST, DEFAULT_THRESHOLD,
                                                          UNIT_BONUS, CompiledGrammar)
from speechzoo.decoding.commands.unit_graph import unit_graph
from speechzoo.decoding.commands.word_graph import WordGraph, grammar_graph
from speechzoo.grammar.nodes import Grammar
from speechzoo.text.spelling import Lexicon, Spelling
from speechzoo.text.units import BLANK_INDEX


def compile_grammar(grammar: Grammar, head_spec: dict, lexicon: Lexicon | None = None, weighted: bool = False,
                    threshold: float = DEFAULT_THRESHOLD) -> CompiledGrammar:
    """Compiles a grammar to a deterministic, minimal acceptor over the units of a `ctc` head.

    Args:
        grammar: The grammar.
        head_spec: Spec of a `ctc` head: `kind`, `units`, `frame_seconds`.
        lexicon: Word -> pronunciations; needed where the units are phones.
        weighted: A word is the more probable the fewer alternatives it has; otherwise all sentences are equally
            probable.
        threshold: Least score of an accepted parse, nats per unit; see `grammar_decode`.

    Returns:
        The compiled grammar, for `grammar_decode`.

    Raises:
        ValueError: A word can't be written in the head's units or has no pronunciation, or the grammar is too large.

    Example:
        >>> from speechzoo.grammar.nodes import Choice, Grammar, Sequence, Slot, Value, Words
        >>> rooms = Choice((Value("kitchen", Words("kitchen")), Value("attic", Words("attic"))))
        >>> lights = Sequence((Words("lights in the"), Slot("room", rooms)))
        >>> spec = {"units": list(" 'abcdefghijklmnopqrstuvwxyz"), "kind": "characters", "frame_seconds": 0.04}
        >>> compiled = compile_grammar(Grammar("lights", {"lights_on": lights}), spec)
        >>> len(compiled.node_unit)  # the letters and spaces, and the beginning
        27
    """
    graph = grammar_graph(grammar, weighted)
    return compile_graph(graph, grammar.name, head_spec, lexicon, threshold)


def compile_graph(graph: WordGraph, name: str, head_spec: dict, lexicon: Lexicon | None = None,
                  threshold: float = DEFAULT_THRESHOLD) -> CompiledGrammar:
    """The same for any graph of words; cycles in it are allowed."""
    arrays = unit_graph(graph, Spelling(head_spec, lexicon, f"grammar '{name}'"))
    unit_cost = np.zeros(len(head_spec["units"]) + 1, np.float32)
    if "log_prior" in head_spec:
        unit_cost += COMMAND_PRIOR_SCALE * np.asarray(head_spec["log_prior"], np.float32)
    else:
        unit_cost[BLANK_INDEX] = DEFAULT_BLANK_COST
    # A network is less sure of a unit than of its absence: of two sentences, the shorter one would win too often.
    arrays["arc_weight"] = arrays["arc_weight"] + np.float32(UNIT_BONUS)
    compiled = CompiledGrammar(name, head_spec["kind"], list(head_spec["units"]), float(head_spec["frame_seconds"]),
                               DEFAULT_THRESHOLD, unit_cost=unit_cost, **arrays)
    return compiled.with_threshold(threshold)
