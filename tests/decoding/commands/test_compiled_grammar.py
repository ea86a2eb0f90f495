import json
import zipfile

import numpy as np
import pytest

from speechzoo.decoding.commands.compile import compile_grammar
from speechzoo.decoding.commands.compiled_grammar import CompiledGrammar
from speechzoo.decoding.commands.decode import grammar_decode
from tests.decoding.grammars import CHARACTERS, LIGHTS, speech

PIECES = {**CHARACTERS, "kind": "pieces", "units": ["\u2581", *CHARACTERS["units"][1:]]}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "lights.npz"
    compile_grammar(LIGHTS, CHARACTERS, weighted=True, threshold=-1.25).save(path)
    return path


def rewrite(path, header=None, **arrays):
    """Changes a file's header and arrays."""
    with np.load(path) as old:
        values = {**old, **arrays}
    if header is not None:
        header = {**json.loads(bytes(values["grammar"])), **header}
        values["grammar"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(path, **values)


def test_what_is_saved_decodes_alike(file):
    cost = np.linspace(-1, 1, 29)
    before = compile_grammar(LIGHTS, CHARACTERS, weighted=True).with_unit_cost(cost).with_threshold(-0.75)
    before.save(file)
    after = CompiledGrammar.load(file, CHARACTERS)
    assert (after.name, after.threshold, after.labels) == ("lights", -0.75, before.labels)
    np.testing.assert_array_equal(after.unit_cost, cost.astype(np.float32))
    logits = speech("no lights in the lounge", noise=1.0)
    assert grammar_decode(logits, after) == grammar_decode(logits, before)
    assert before.to_bytes() == after.to_bytes()


def test_it_belongs_to_the_head_it_was_compiled_for(file):
    with pytest.raises(ValueError, match=r"lights.npz: grammar 'lights' was compiled for 28 characters, and this model "
                                         "writes 28 other pieces; compile it for this model"):
        CompiledGrammar.load(file, PIECES)


def test_another_version_is_refused(file):
    rewrite(file, {"version": 7})
    with pytest.raises(ValueError, match="lights.npz: a compiled grammar of version 7, and this is version 1"):
        CompiledGrammar.load(file)


@pytest.mark.parametrize("damage", [
    lambda path: path.write_bytes(path.read_bytes()[:300]),
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(b"context:\n  expressions:\n"),
    lambda path: path.write_bytes(b"\x80\x04\x95\x05" + 30 * b"\0"),
    lambda path: np.savez(path, logits=np.zeros(3)),
    lambda path: np.savez(path, grammar=np.array([{}], object)),
    lambda path: rewrite(path, arc_source=np.full(5, 10 ** 6, np.int32)),
    lambda path: rewrite(path, arc_label=np.full(5, 10 ** 6, np.int32)),
    lambda path: rewrite(path, final_node=np.zeros(0, np.int32)),
    lambda path: rewrite(path, node_unit=np.zeros((2, 2), np.int32)),
    lambda path: rewrite(path, {"threshold": "high"}),
    lambda path: rewrite(path, {"labels": [["word"]]}),
    lambda path: rewrite(path, {"units": None}),
], ids=range(13))
def test_a_file_that_is_none_or_damaged_is_one_clear_line(file, damage):
    damage(file)
    with pytest.raises(ValueError, match="lights.npz: not a compiled grammar, or a damaged one") as error:
        CompiledGrammar.load(file)
    assert "\n" not in str(error.value)


def test_every_cut_of_the_file_is_noticed(file):
    whole = file.read_bytes()
    for length in range(0, len(whole) - 1, 97):
        file.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="not a compiled grammar"):
            CompiledGrammar.load(file)


def test_a_missing_file_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        CompiledGrammar.load(tmp_path / "none.npz")


def test_nothing_in_the_file_is_pickled(file):
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            assert b"'descr': '|O'" not in archive.read(name)
