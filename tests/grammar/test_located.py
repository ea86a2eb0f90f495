import pytest
import yaml

from speechzoo.grammar.errors import GrammarError
from speechzoo.grammar.located import read_located


def test_texts_know_where_they_stand():
    document = read_located("a: on\nb:\n  - \"two words\"\n  - 'three: 07'\n", "file.yaml")
    assert document == {"a": "on", "b": ["two words", "three: 07"]}
    key, = (key for key in document if key == "b")
    assert str(key.error("bad")) == "file.yaml:2:1: bad"
    assert str(document["a"].error("bad", 1)) == "file.yaml:1:5: bad"
    assert str(document["b"][0].error("bad", 4)) == "file.yaml:3:10: bad"
    assert str(document["b"][1].error("bad")) == "file.yaml:4:6: bad"


def test_escapes_move_characters_so_only_the_beginning_is_named():
    document = read_located('a: "tab\\t here"\nb: >\n  folded\n  lines\n', "file.yaml")
    assert str(document["a"].error("bad", 6)) == "file.yaml:1:4: bad"
    assert str(document["b"].error("bad", 8)) == "file.yaml:2:4: bad"


@pytest.mark.parametrize("text, message", [
    ("", "file.yaml: the file is empty"),
    ("a: 1\nb: 2\na: 3", "file.yaml:3:1: the key 'a' stands in line 1 already"),
    ("a: {b: 1, b: 2}", "file.yaml:1:11: the key 'b'"),
    ("a: [", "file.yaml:1:5: not valid YAML"),
    ("a: b: c", "file.yaml:1:5: not valid YAML: mapping values are not allowed here; quote texts"),
    ("a: &y [1]\nb: *x", "file.yaml:2:4: the alias *x names nothing"),
    ("a: &x [*x]", "file.yaml:1:8: the alias *x names nothing"),
    ("a: &a [" + "x, " * 999 + "x]\nb: &b [" + "*a, " * 900 + "*a]\nc: [*b]",
     "file.yaml:3:5: more than 1,000,000 texts with every alias"),
    ("<<: [a]", "file.yaml:1:1: '<<' merges mappings only"),
    ("? [a, b]\n: c", "file.yaml:1:3: a key must be a text"),
    ("a: 1\n---\nb: 2", "file.yaml:2:1: a second document"),
    ("a: \x01", "file.yaml: not valid YAML"),
    ("[" * 5000, "file.yaml:1:21: more than 20 levels"),
])
def test_what_is_no_document(text, message):
    with pytest.raises(GrammarError) as caught:
        read_located(text, "file.yaml")
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_a_tag_makes_nothing():
    assert read_located("a: !!python/object/apply:os.system ['x']", "file.yaml") == {"a": ["x"]}


def test_aliases_and_merge_keys_are_followed():
    document = read_located("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: [*x, &y z, *y]\nd: {'<<': w}\n"
                            "e: {q: 4, <<: [{q: 5, r: 6}, *x]}", "file.yaml")
    assert document == {"a": {"p": "1", "q": "2"}, "b": {"p": "1", "q": "3"}, "c": [{"p": "1", "q": "2"}, "z", "z"],
                        "d": {"<<": "w"}, "e": {"q": "4", "r": "6", "p": "1"}}
    assert document == yaml.safe_load("a: &x {p: '1', q: '2'}\nb: {<<: *x, q: '3'}\nc: [*x, &y z, *y]\nd: {'<<': w}\n"
                                      "e: {q: '4', <<: [{q: '5', r: '6'}, *x]}") | {"d": {"<<": "w"}}


def test_mistakes_that_do_not_end_reading_are_gathered():
    problems = []
    assert read_located("a: 1\na: 2\nb: 3\nb: 4", "file.yaml", problems) == {"a": "1", "b": "3"}
    assert [str(problem).split(": ")[0] for problem in problems] == ["file.yaml:2:1", "file.yaml:4:1"]
