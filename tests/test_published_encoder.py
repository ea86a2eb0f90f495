"""The lines of README.md that put three heads on a published encoder run, with a small one of random weights."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

import speechzoo
from speechzoo import cli
from speechzoo.training import trainer
from tests.helpers import tone, write_wav
from tests.published.tiny_whisper import COMMITTED

README = Path(__file__).parents[1] / "README.md"
# What the page shows -> what stands for it here: the published file, which has four blocks, and the time it takes.
SMALLER = {"hf://openai/whisper-tiny.en": "model.bin", "blocks: 3": "blocks: 2", "epochs: 20": "epochs: 2"}


def test_three_heads_on_a_published_encoder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trainer, "plot_curves", lambda *_: None)
    text = README.read_text(encoding="utf-8")
    section = text[text.index("### Start from a published encoder"):]
    for shown, smaller in SMALLER.items():
        section = section.replace(shown, smaller)
    config, commands = (re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)[1] for language in ("yaml", "sh"))
    lines = [shlex.split(line) for line in commands.splitlines()]
    assert len(config.splitlines()) + len(lines) <= 12
    assert [words[1] for words in lines] == ["import", "train", "export"]
    Path("my_ears.yaml").write_text(config, encoding="utf-8")
    shutil.copy(COMMITTED, "model.bin")
    rows = []
    for number, word in enumerate(("lights", "music", "timer", "lights")):
        write_wav(tmp_path / "prepared" / "my_words" / f"{number}.wav", tone(1.0, 300.0 + 100 * number, seed=number))
        rows.append({"audio": f"{number}.wav", "duration": 1.0, "split": "train", "keyword": word, "transcript": word,
                     "speaker": f"speaker_{number % 2}"})
    Path("prepared/my_words/manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for words in lines:
        with pytest.raises(SystemExit) as ended:
            cli.main(words[1:])
        assert ended.value.code == 0, words
    model = speechzoo.load("runs/ears")
    assert list(model.blocks.values()) == [2, 2, 1] and model.zoo_config.backbone.freeze
    device = speechzoo.EdgeModel(next(Path("exported").glob("*.tflite")))
    assert list(device.spec["heads"]) == ["transcript", "command", "speaker"]
    assert device.recognize(tone(1.0, 300.0), 16000).keyword in ("lights", "music", "timer", "_unknown_")
