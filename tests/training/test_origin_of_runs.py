"""A run carries the origin of the weights that it starts from."""

import json

import pytest

from speechzoo.origin import Origin, read_origin
from speechzoo.registry import load
from speechzoo.training.trainer import train
from tests.helpers import ORIGIN
from tests.training.tiny_corpus import make_corpus

SHORT = ["training.epochs=1"]


@pytest.mark.usefixtures("without_graphs")
def test_a_run_keeps_the_origin_it_started_with(tmp_path):
    corpus = make_corpus(tmp_path / "corpus")
    plain = train(corpus, tmp_path / "plain", overrides=SHORT)
    assert read_origin(plain.output) == Origin()
    start, values = plain.output / "final.weights.h5", {"licence": ORIGIN.licence, "derived_from": ORIGIN.derived_from}
    (plain.output / "origin.json").write_text(json.dumps(values))
    derived = train(corpus, tmp_path / "derived", overrides=SHORT, weights=start)
    assert read_origin(derived.output) == ORIGIN
    # Resumed, with whatever weights: the checkpoint is what it goes on from.
    train(corpus, derived.output, overrides=SHORT)
    assert read_origin(derived.output) == load(derived.output).origin == ORIGIN
    train(corpus, derived.output, resume=False, overrides=SHORT)
    assert read_origin(derived.output) == Origin()
