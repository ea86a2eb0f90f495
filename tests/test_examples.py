"""What examples/ holds besides the demo, which `make demo` runs."""

import importlib.util
import json
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_fragments_are_as_long_as_commands(tmp_path, monkeypatch, capsys):
    sentences = [" ".join(f"{letter}{number}" for number in range(40)) for letter in ("a", "b")]
    lines = [{"id": "1", "audio": "1.wav", "split": "train", "transcript": sentences[0]},
             {"id": "2", "audio": "2.wav", "split": "dev", "transcript": sentences[1]},
             {"id": "3", "audio": "3.wav", "split": "train"}]
    (tmp_path / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    spec = importlib.util.spec_from_file_location("fragments", EXAMPLES / "fragments.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, "argv", ["fragments.py", str(tmp_path / "manifest.jsonl"), str(tmp_path / "out.txt")])
    module.main()
    pieces = (tmp_path / "out.txt").read_text().splitlines()
    assert f"{len(pieces)} pieces" in capsys.readouterr().out
    assert len(pieces) > 3 and all(2 <= len(piece.split()) <= 11 and piece in sentences[0] for piece in pieces)
