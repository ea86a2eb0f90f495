"""The grammars and the examples of docs/commands.md are what the page says."""

import doctest
import re
from pathlib import Path

import pytest

from speechzoo.grammar.reading import parse_grammar
from speechzoo.grammar.sampling import sample_sentences
from tests.grammar.matching import meanings

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
GRAMMARS = re.findall(r"(?:<!-- needs (\w+) -->\n)?```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("package, text", GRAMMARS)
def test_grammars(package, text):
    if package:
        pytest.importorskip(package)
    grammar = parse_grammar(text)
    for sentence in sample_sentences(grammar, 20):
        assert (sentence.intent, sentence.slots) in meanings(grammar, sentence.text)


def test_there_are_grammars():
    assert len(GRAMMARS) >= 6


def test_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("home.yaml").write_text(GRAMMARS[0][1], encoding="utf-8")
    example = doctest.DocTestParser().get_doctest(PAGE, {}, "commands.md", "docs/commands.md", 0)
    assert doctest.DocTestRunner().run(example).failed == 0
    assert example.examples


def test_table_of_the_syntax():
    rows = re.findall(r"^\| (`[^|]*?(?:\\\|[^|]*?)*`) \|[^|]*\| (\".*\"[^|]*) \|$", PAGE, re.MULTILINE)
    assert len(rows) >= 5
    for templates, accepted in rows:
        for text in re.findall(r'"([^"]+)"', accepted):
            template = re.findall(r"`([^`]+)`", templates.replace("\\|", "|"))[0]
            if template[0] == "{" and ".." not in template:
                continue
            grammar = parse_grammar(f"intents: {{a: 'say {template}'}}")
            assert meanings(grammar, f"say {text}"), (template, text)
