import hashlib
import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from speechzoo.corpora.corpus import CorpusError
from speechzoo.corpora.synthesis import engines
from speechzoo.corpora.synthesis.synthesize import split_sentences, split_voices, synthesize
from speechzoo.corpora.synthesis.voice import Voice
from speechzoo.corpora.synthesis import synthesize as module
from speechzoo.data.manifest import read_manifest, validate_manifest
from speechzoo.data.utterance_audio import read_utterance_audio
from speechzoo.text.letter_to_sound import pronounce
from tests.corpora.synthesis.fake_engine import FakeEngine

MINUTE = 1 / 60


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    """Only the fake engine is installed."""
    for name in list(engines.ENGINES):
        monkeypatch.delitem(engines.ENGINES, name)
    monkeypatch.setitem(engines.ENGINES, "fake", FakeEngine)


@pytest.fixture
def grammar(tmp_path):
    path = tmp_path / "home.yaml"
    path.write_text('language: en\nintents:\n  lights:\n'
                    '    sentences: ["[please] (turn|switch) {state} the {room} light"]\n'
                    '  stop:\n    sentences: ["stop"]\n'
                    'slots:\n  state: ["on", "off"]\n  room: [kitchen, hall, attic]\n')
    return path


def snapshot(folder: Path) -> dict:
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def test_what_comes_out(grammar, tmp_path):
    (tmp_path / "lexicon.txt").write_text("stop S T AA1 P\n")
    progress = []
    summary = synthesize(grammar, tmp_path / "out", MINUTE, hold_out=0.3, lexicon=tmp_path / "lexicon.txt",
                         on_progress=lambda *seconds: progress.append(seconds))
    utterances = read_manifest(tmp_path / "out" / "manifest.jsonl")
    assert validate_manifest(tmp_path / "out" / "manifest.jsonl") == []
    assert summary.utterances == len(utterances) and 60 <= summary.seconds < 64
    assert sum(utterance["duration"] for utterance in utterances[:-1]) < 60
    assert progress == sorted(progress) and progress[-1] == (60, 60)
    for utterance in utterances:
        audio = read_utterance_audio(utterance, tmp_path / "out")
        assert len(audio) == utterance["duration"] * 16000 and 0.1 < np.abs(audio).max() < 0.95
        assert utterance["corpus"] == "home_synthetic" and utterance["speaker"].startswith(utterance["voice"] + "/")
        stop = utterance["transcript"] == "stop"
        assert utterance["intent"] == ("stop" if stop else "lights")
        sounds = [["S", "T", "AA", "P"] if word == "stop" else pronounce(word) for word in utterance["transcript"].split()]
        assert utterance["phones"] == " ".join(sum(sounds, []))
        assert stop or utterance["slots"]["room"] in utterance["transcript"].split()
    labels = summary.labels
    assert "stop" not in summary.guessed and summary.unspoken == 0
    assert sum(summary.guessed.values()) == sum(len(line["transcript"].split()) for line in utterances
                                                if line["transcript"] != "stop")
    assert set(labels["voice"]) <= {str(voice) for voice in FakeEngine().voices()} and len(labels["speaker"]) > 10
    assert 0.25 < labels["gender"]["female"] / sum(labels["gender"].values()) < 0.75

    def of(split, key):
        return {key(utterance) for utterance in utterances if utterance["split"] == split}

    for key in (lambda utterance: utterance["transcript"], lambda utterance: utterance["voice"].split("+")[1]):
        assert of("dev", key) and not of("dev", key) & of("train", key)


def test_the_same_seed_gives_the_same_bytes(grammar, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_UTTERANCES_PER_SHARD", 4)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        synthesize(grammar, tmp_path / name, MINUTE / 2, seed)
    a, b, c = (snapshot(tmp_path / name) for name in "abc")
    assert a == b and len(a) > 4
    assert not set(a.values()) & set(c.values()) - {hashlib.sha256(b"").hexdigest()}  # skipped.jsonl is empty


def test_goes_on_after_its_last_complete_shard(grammar, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_UTTERANCES_PER_SHARD", 4)
    synthesize(grammar, tmp_path / "whole", MINUTE / 2)
    spoken, speak = [], module._speak

    def interrupted(task):
        spoken.append(task[0]["id"])
        if len(spoken) == 7:
            raise KeyboardInterrupt
        return speak(task)

    monkeypatch.setattr(module, "_speak", interrupted)
    with pytest.raises(KeyboardInterrupt):
        synthesize(grammar, tmp_path / "out", MINUTE / 2)
    assert not (tmp_path / "out" / "manifest.jsonl").exists()
    synthesize(grammar, tmp_path / "out", MINUTE / 2)
    assert snapshot(tmp_path / "out") == snapshot(tmp_path / "whole")
    assert spoken[7] == spoken[4]  # the first shard was kept


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_keeps_what_is_done(grammar, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_UTTERANCES_PER_SHARD", 4)
    partial = tmp_path / "out" / ".partial"
    partial.mkdir(parents=True)
    (partial / "shard-00001.tfrecord").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device: '.*shard-00001.tfrecord'"):
        synthesize(grammar, tmp_path / "out", MINUTE / 2)
    assert (partial / "shard-00000.json").exists() and not (tmp_path / "out" / "manifest.jsonl").exists()


def test_what_is_not_spoken_is_listed(tmp_path):
    long = "very " * 100
    lines = ["hello there", "good morning to you", "how are you", "\u043c\u0438\u0440", "the unspeakable", long, "see you later"]
    (tmp_path / "lines.txt").write_text("\n".join(lines), encoding="utf-8")
    summary = synthesize(tmp_path / "lines.txt", tmp_path / "out", MINUTE, name="mine")
    assert set(summary.skipped) == {"'...' is no letter that English voices speak", "fake can't say that",
                                    "longer than N letters"}
    assert {utterance["corpus"] for utterance in read_manifest(summary.manifest)} == {"mine"}
    assert json.loads((tmp_path / "out" / "skipped.jsonl").read_text().splitlines()[0])["id"].startswith("mine/")


def test_a_text_that_nobody_can_speak_ends(tmp_path):
    (tmp_path / "lines.txt").write_text("unspeakable\nsilence\n\u0645\u0631\u062d\u0628\u0627\n", encoding="utf-8")
    with pytest.raises(CorpusError, match="most sentences can't be spoken; the first, lines_synthetic/0000000: "):
        synthesize(tmp_path / "lines.txt", tmp_path / "out", MINUTE)


def test_voices_that_are_asked_for(grammar, tmp_path):
    summary = synthesize(grammar, tmp_path / "out", MINUTE / 4, voices=["fake:en-us+[ab]"])
    assert set(summary.labels["voice"]) == {"fake:en-us+a", "fake:en-us+b"}
    assert set(summary.labels["split"]) == {"train"}  # two talkers are too few to hold one out


@pytest.mark.parametrize("arguments, message", [
    ({"hours": 0}, "hours must be more than 0, got 0"), ({"hours": float("inf")}, "hours must be more than 0, got inf"),
    ({"hold_out": 1.0}, "hold_out must be at least 0 and less than 1"), ({"seed": -1}, "seed must be 0 or more"),
    ({"voices": ["other:*"]}, "no voice is called other"), ({"lexicon": "missing.txt"}, "no such lexicon")])
def test_wrong_arguments(grammar, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        synthesize(grammar, tmp_path / "out", **{"hours": 1.0, **arguments})
    assert not (tmp_path / "out").exists()


def test_other_data_is_not_replaced(grammar, tmp_path):
    (tmp_path / "manifest.jsonl").write_text("{}\n")
    with pytest.raises(ValueError, match="wasn't written by synthesize"):
        synthesize(grammar, tmp_path, MINUTE)


def test_split_voices_keeps_a_talker_on_one_side():
    voices = FakeEngine().voices() + [Voice("other", talker, talker) for talker in "abc"]
    sides = set()
    for seed in range(8):
        split = split_voices(voices, 0.2, seed)
        dev = {voice.talker for voice in split["dev"]}
        assert len(dev) == 1 and not dev & {voice.talker for voice in split["train"]}
        assert len(split["dev"]) + len(split["train"]) == len(voices)
        sides |= dev
    assert len(sides) > 2
    assert split_voices(voices, 0.0, 1)["dev"] == []


def test_dev_asks_only_what_train_has_been_told():
    room = itertools.cycle(f"room{n}" for n in range(10))
    source = [{"transcript": f"light {n % 300}", "intent": f"i{n % 3}", "slots": {"room": next(room)}}
              for n in range(3000)]
    source += [{"transcript": "rare", "intent": "rare"}] * 5
    done = list(split_sentences(source, 0.3))
    taught, sides = set(), {}
    for sentence in done:
        labels = {sentence["intent"], *sentence.get("slots", {}).values()}
        assert sides.setdefault(sentence["transcript"], sentence["split"]) == sentence["split"]
        if sentence["split"] == "train":
            taught |= labels
        assert labels <= taught
    counts = Counter(sides.values())
    assert 0.2 < counts["dev"] / sum(counts.values()) < 0.4
    assert [sentence["split"] for sentence in split_sentences([{"transcript": "hello"}] * 3, 0.0)] == ["train"] * 3


@pytest.mark.slow
def test_real_engines_in_parallel_give_the_same_bytes(grammar, tmp_path, monkeypatch):
    if not engines.Flite().installed():
        pytest.skip("flite is not installed")
    monkeypatch.setitem(engines.ENGINES, "flite", engines.Flite)
    for workers in (1, 2):
        synthesize(grammar, tmp_path / str(workers), MINUTE / 4, voices=["flite:*"], workers=workers)
    assert snapshot(tmp_path / "1") == snapshot(tmp_path / "2")
