"""What is public has a docstring, and the examples in docstrings run and give what they say."""

import ast
import doctest
import importlib
from pathlib import Path

import pytest

import speechzoo

PACKAGE = Path(speechzoo.__file__).parent
MODULES = sorted(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
                 for path in PACKAGE.rglob("*.py") if ">>> " in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some examples write files
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert results.attempted or "+SKIP" in Path(importlib.import_module(name).__file__).read_text(encoding="utf-8")
    assert not results.failed


def undocumented(path):
    """Public functions and classes of a file without a docstring, and `call` of its classes."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        body = node.body if isinstance(node, ast.ClassDef) else []
        for part in (node, *(part for part in body if isinstance(part, ast.FunctionDef) and part.name == "call")):
            if not ast.get_docstring(part):
                yield f"{path.relative_to(PACKAGE)}:{part.lineno} {node.name}.{part.name}"


def test_what_is_public_says_what_it_is():
    assert [entry for path in sorted(PACKAGE.rglob("*.py")) for entry in undocumented(path)] == []


@pytest.mark.parametrize("name", speechzoo.__all__)
def test_public_names_say_what_they_are(name):
    assert getattr(speechzoo, name).__doc__


def test_modules_say_what_they_are():
    assert [str(path) for path in PACKAGE.rglob("*.py")
            if path.read_text(encoding="utf-8").strip() and not ast.get_docstring(ast.parse(path.read_text()))] == []
