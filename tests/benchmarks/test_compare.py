"""benchmarks/quality/compare.py: which speakers count as heard, and what the CSV and the table say of two models."""

import json
from types import SimpleNamespace

import pytest

from benchmarks.quality import compare
from speechzoo.config import SourceConfig
from speechzoo.data.manifest import read_manifest, write_manifest
from tests.fake_model import TEXTS, FakeModel
from tests.helpers import tone, write_wav
from tools.figures import read_figures
from tools.tables import compare as tables

# Readers whose names have hashes of 0.02, 0.04 and 0.13, 0.14.
UNHEARD, HEARD = ("librispeech_2277", "librispeech_3081"), ("librispeech_174", "librispeech_6345")
INTERVAL = {"wer_interval": [0.1, 0.3]}


class Reader(FakeModel):
    """Has no other heads than these, and a config with dev sources."""

    def __init__(self, sources, *heads):
        super().__init__()
        self.spec = {**FakeModel.spec, "heads": {head: FakeModel.spec["heads"][head] for head in heads}}
        self.zoo_config = SimpleNamespace(dev_sources=lambda data: [
            SourceConfig(str(data / folder / "manifest.jsonl"), split, default_labels=labels)
            for folder, split, labels in sources])


def write_corpus(folder, utterances):
    """Recordings that the fake model knows by their loudness, and their manifest."""
    for place, utterance in enumerate(utterances):
        number = utterance.pop("number", place % 4)
        utterance |= {"audio": f"{place}.wav", "id": utterance.get("id", f"{folder.name}_{place}"), "duration": 0.3}
        write_wav(folder / utterance["audio"], tone(0.3) * 3 * 0.2 * (number + 1))
    write_manifest(folder / "manifest.jsonl", utterances)


@pytest.fixture
def prepared(tmp_path):
    """Two sentences of each of four readers of LibriSpeech, of whom two were heard, and four sounds."""
    read = [{"corpus": "librispeech", "subset": "dev-clean", "split": "dev", "speaker": speaker, "number": number,
             "transcript": TEXTS[number] if speaker in UNHEARD else "no"}
            for speaker in UNHEARD + HEARD for number in (0, 1)]
    write_corpus(tmp_path / "librispeech", read)
    write_corpus(tmp_path / "esc10", [{"corpus": "esc10", "split": "fold4", "event": ["rain", "dog_bark"][number % 2]}
                                      for number in range(4)])
    return tmp_path


@pytest.fixture
def run(prepared, monkeypatch):
    """Compares two fake models, and returns the table and the lines of the CSV."""
    sources = [("librispeech", "dev", {}), ("esc10", "fold4", {})]
    models = {"old": Reader([], "transcript"), "runs/new": Reader(sources, "event", "transcript")}
    monkeypatch.setattr(compare, "load", models.__getitem__)
    def compared(**options):
        compare.main(list(models), prepared, prepared / "compare.csv", **options)
        return "\n".join(tables.compare(prepared)), read_figures(prepared / "compare.csv")
    return compared


def utterance(speaker=None, identity="a", **values):
    known = {"speaker": speaker} if speaker else {}
    return {"id": identity, "corpus": "librispeech", "subset": "dev-clean", **values, **known}


def test_who_was_heard_by_models_that_held_out_a_tenth():
    assert not any(compare.is_heard(utterance(speaker), 0.1) for speaker in UNHEARD)
    assert all(compare.is_heard(utterance(speaker), 0.1) for speaker in HEARD)
    assert not any(compare.is_heard(utterance(speaker), 1) for speaker in HEARD)
    # Nobody heard these subsets before; of this one they heard a sentence of everybody.
    assert not any(compare.is_heard(utterance(speaker, subset=subset), 0.1) for speaker in HEARD
                   for subset in ("dev-other", "test-other"))
    assert all(compare.is_heard(utterance(speaker, subset="train-clean-100"), 0.1) for speaker in UNHEARD + HEARD)
    assert not compare.is_heard(utterance(HEARD[0], corpus="speech_commands"), 0.1)
    # Where nobody knows who speaks, it is the recording that was held out or not: its id counts.
    assert compare.is_heard(utterance(identity=HEARD[0], corpus="wake_words"), 0.1)
    assert not compare.is_heard(utterance(identity=UNHEARD[0], corpus="wake_words"), 0.1)


def test_sources_without_what_was_heard(tmp_path):
    write_manifest(tmp_path / "m.jsonl", [
        {"audio": f"{number}.wav", "split": "dev" if number else "train", **utterance(speaker, str(number))}
        for number, speaker in enumerate((UNHEARD[0], *UNHEARD, *HEARD))])
    write_manifest(tmp_path / "esc10.jsonl", [{"id": "s", "audio": "s.wav", "corpus": "esc10"}])
    sources = [SourceConfig(str(tmp_path / "m.jsonl"), "dev", labels=["gender"]),
               SourceConfig(str(tmp_path / "esc10.jsonl"))]
    kept, corpora = compare.unheard_sources(sources, 0.1, tmp_path / "scratch")
    assert corpora == {"librispeech"} and len(kept) == 1 and kept[0].labels == ["gender"] and kept[0].split is None
    assert [(line["id"], line["audio"]) for line in read_manifest(kept[0].manifest)] == [
        (number, str(tmp_path.resolve() / f"{number}.wav")) for number in "12"]
    assert compare.unheard_sources(sources, 1, tmp_path / "scratch") == ([], set())


def test_two_models_on_the_last_ones_recordings(run):
    table, rows = run()
    figures = {(row["model"], row["corpus"], row["head"], row["metric"], row["speakers"]): row for row in rows}
    # Of those who were heard every word is wrong: "go up" for "no" is two errors, "stop" one.
    for model in ("old", "new"):
        everybody = figures[model, "librispeech", "transcript", "wer", "all"]
        assert everybody["value"] == pytest.approx(6 / 10) and everybody["n"] == 8 and everybody["low"] == 0
        others = figures[model, "librispeech", "transcript", "wer", "unheard"]
        assert others["value"] == 0 and others["n"] == 4
    # What was never heard is measured once and stands in both.
    sounds = figures["new", "esc10", "event", "accuracy", "unheard"]
    assert {**sounds, "speakers": "all"} == figures["new", "esc10", "event", "accuracy", "all"]
    assert sounds["value"] == 1
    assert not any(row["model"] == "old" and row["corpus"] == "esc10" for row in rows)
    assert "| corpus | head | metric | n | old | new | n, unheard | old, unheard | new, unheard |" in table
    assert "| esc10 | event | accuracy | 4 |  | 100.0 % (100.0 to 100.0) | 4 |  | 100.0 % (100.0 to 100.0) |" in table


def test_nothing_was_heard_by_models_of_one_split(run):
    table, rows = run(part=1)
    assert {row["speakers"] for row in rows} == {"all"} and "unheard" not in table


def test_coffee_orders_under_a_grammar(run, prepared):
    write_corpus(prepared / "coffee_orders", [{"corpus": "coffee_orders", "intent": "halt", "number": 1},
                                              {"corpus": "coffee_orders", "intent": "move", "number": 0}])
    for noise in compare.NOISES:
        write_wav(prepared / noise / "hum.wav", tone(0.5, 700))
        (prepared / noise / "manifest.jsonl").write_text(json.dumps({"audio": "hum.wav", "split": "dev"}) + "\n")
    grammar = prepared / "moves.yaml"
    grammar.write_text("intents:\n  move: go up\n  halt: stop\n")
    table, rows = run(grammar=str(grammar))
    orders = {(row["corpus"], row["speakers"]): row for row in rows
              if row["model"] == "new" and (row["head"], row["metric"]) == ("command", "accuracy")}
    clean = "coffee_orders"
    # The noise that is held out today was in the training of the earlier checkpoints.
    assert set(orders) == {(clean, "all"), (clean, "unheard"), (f"{clean} in noise", "all"),
                           (f"{clean} in kitchen20", "all"), (f"{clean} in kitchen20", "unheard")}
    assert orders[clean, "all"]["value"] == 1 and orders[clean, "all"]["n"] == 2
    # Mixtures peak at 0.5, which is "stop" to the fake model: one of two orders at each of seven ratios.
    assert orders[f"{clean} in noise", "all"]["n"] == 14 and orders[f"{clean} in noise", "all"]["value"] == 0.5
    assert "| coffee_orders in noise | command | exact | 14 |" in table
    assert compare.measure_orders(Reader([], "event"), str(grammar), prepared) == {}


def row(model, value, metric="wer", n=9, bounds=(None, None), **other):
    return {"model": model, "corpus": "c", "head": "h", "metric": metric, "n": n, "value": value, "low": bounds[0],
            "high": bounds[1], "speakers": "all", **other}


def test_the_best_is_bold_where_all_are_of_the_same_recordings():
    def cells(*rows):
        return tables.compare_table([*rows, *(row(model, 0.5, corpus="other") for model in "ab")])[2].split(" | ")[3:]

    assert cells(row("a", 0.25, bounds=(0.2, 0.301)), row("b", 0.3)) == ["9", "**25.0 %** (20.0 to 30.1)", "30.0 % |"]
    assert cells(row("a", 0.25, "accuracy"), row("b", 0.3, "accuracy")) == ["9", "25.0 %", "**30.0 %** |"]
    assert cells(row("a", 0.25), row("b", 0.3, n=8)) == ["9, 8", "25.0 %", "30.0 % |"]
    assert cells(row("a", 0.25), row("b", 0.25)) == ["9", "25.0 %", "25.0 % |"]
    assert cells(row("a", 0.25)) == ["9", "25.0 %", " |"]


def test_a_head_has_its_main_metrics():
    assert compare.shown({"wer": 0.1, "cer": 0.1, **INTERVAL, "n": 3}) == ["wer", "cer"]
    assert compare.shown({"accuracy": 0.9, "f1": 0.9, "auc": 0.9, "n": 3}) == ["auc"]
    assert compare.shown({"accuracy": 0.9, "macro_f1": 0.9, "n": 3}) == ["accuracy"]
    assert compare.shown({"accuracy": 0.9, "exact": 0.9, "rejected": 0, "n": 3}) == ["accuracy", "exact"]
    assert compare.shown({"false_accepts": 0.1, "n_none": 3}) == []


def test_models_are_told_apart_and_have_recordings(prepared, monkeypatch):
    monkeypatch.setattr(compare, "load", lambda name: Reader([], "event"))
    with pytest.raises(ValueError, match="two of these have the same name"):
        compare.main(["runs/one", "other/one"], prepared, prepared)
    with pytest.raises(ValueError, match="two: its config names no dev sources"):
        compare.main(["one", "two"], prepared, prepared)
