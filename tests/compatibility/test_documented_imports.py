"""Every import that README.md and docs/*.md show works."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CODE = re.compile(r"^```[^\n]*\n(.*?)^```|(?<!`)`([^`\n]+)`(?!`)", re.DOTALL | re.MULTILINE)
NAME = r"[A-Za-z_][\w.]*(?: as \w+)?"
STATEMENT = re.compile(rf"(?:from [\w.]+ )?import (?:\([^)]*\)|{NAME}(?:, *{NAME})*)")
# Words in code that are no statements of Python: a sub-command, and what is written of the absence of an import.
COMMAND = re.compile(r"speechzoo import\b")
# Packages that no extra of the development environment brings.
OPTIONAL = {"tflite_micro"}


def shown():
    """(page:line, statement) of every import in code blocks and code spans."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in CODE.finditer(text):
            code = COMMAND.sub(lambda command: " " * len(command[0]), block[0])
            statements = list(STATEMENT.finditer(code))
            words = len(re.findall(r"\bimport\b", code))
            line = text.count("\n", 0, block.start()) + 1
            assert len(statements) == words, f"{page.name}:{line}: an import that this test can't read"
            found += [(f"{page.name}:{line + code.count(chr(10), 0, statement.start())}", statement[0])
                      for statement in statements]
    return found


SHOWN = shown()


@pytest.mark.parametrize("place, statement", SHOWN, ids=[place for place, _ in SHOWN])
def test_it_works(place, statement):
    for node in ast.parse(statement).body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module]
        for name in names:
            if name.split(".")[0] in OPTIONAL:
                pytest.importorskip(name, reason=f"{place}: {name} is not installed")
            module = importlib.import_module(name)
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                assert hasattr(module, alias.name) or importlib.import_module(f"{node.module}.{alias.name}")


def test_the_pages_show_imports():
    statements = {statement for _, statement in SHOWN}
    assert "import speechzoo" in statements and any(name.startswith("from speechzoo.") for name in statements)
