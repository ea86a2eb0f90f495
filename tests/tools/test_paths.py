"""Benchmarks and tools that documentation and comments name are where they say."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = [path for suffix in ("md", "py", "yaml", "sh", "cfg") for path in sorted(ROOT.rglob(f"*.{suffix}"))
         if not any(part.startswith(".") or part in ("build", "runs") for part in path.relative_to(ROOT).parts)]
HISTORY = ROOT / "CHANGELOG.md"
# A path from the root of the repository, or a module that `python -m` runs.
NAMED = re.compile(r"(?<![\w/.])((?:benchmarks|tools)(?:/\w+)+\.py)|-m (?:\\?\"?,? ?\\?\"?)((?:benchmarks|tools)(?:\.\w+)+)")


def test_every_path_that_is_named_exists():
    named = [(path.relative_to(ROOT).as_posix(), script or module.replace(".", "/") + ".py")
             for path in FILES if path != HISTORY
             for script, module in NAMED.findall(path.read_text(encoding="utf-8"))]
    assert len({script for _, script in named}) > 20
    assert [(page, script) for page, script in named if not (ROOT / script).is_file()] == []


def test_scripts_are_run_as_modules():
    wrong = re.compile(r"python (?:benchmarks|tools)/")
    assert [path.relative_to(ROOT).as_posix() for path in FILES
            if path not in (HISTORY, Path(__file__)) and wrong.search(path.read_text(encoding="utf-8"))] == []
