"""The snippets of docs/keras.md run, one after the other, as the page shows them."""

import re
import runpy
from pathlib import Path

import keras

PAGE = (Path(__file__).parents[1] / "docs" / "keras.md").read_text(encoding="utf-8")


def test_snippets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    snippets = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    Path("page.py").write_text("\n".join(snippets), encoding="utf-8")
    policy = keras.config.dtype_policy()
    try:
        runpy.run_path("page.py")
    finally:
        keras.config.set_dtype_policy(policy)
    assert len(snippets) >= 7 and Path("best.keras").is_file() and Path("log.csv").read_text().startswith("epoch,")
