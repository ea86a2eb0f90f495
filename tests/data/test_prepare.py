import hashlib
import itertools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from speechzoo.audio import load_audio
from speechzoo.corpora import CORPORA, CorpusError
from speechzoo.data import prepare as prepare_module
from speechzoo.data.manifest import read_manifest, validate_manifest, write_manifest
from speechzoo.data.prepare import prepare
from speechzoo.data.utterance_audio import read_utterance_audio
from speechzoo.text.letter_to_sound import pronounce
from tests.corpora import trees
from tests.helpers import encoded, tone, write_wav


@pytest.fixture
def recordings(tmp_path):
    """Twelve words of four speakers, in a folder a word, at 16 and 44.1 kHz; three can't be used."""
    source = tmp_path / "words"
    for number, word in itertools.product(range(6), ("yes", "no")):
        rate = 44100 if number == 1 else 16000
        write_wav(source / word / f"{number}.wav", tone(0.3 + number / 20, 200 + 50 * number, rate, seed=number), rate)
    (source / "yes" / "empty.wav").touch()
    (source / "yes" / "text.wav").write_text("hello")
    (source / "no" / "half.wav").write_bytes(encoded(tone(1.0))[:10000])
    return source


def snapshot(folder: Path) -> dict:
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def test_manifest_shards_and_summary(recordings, tmp_path):
    out, progress = tmp_path / "prepared", []
    summary = prepare("folder", recordings, out, on_progress=lambda *counts: progress.append(counts))
    assert progress == [(15, 15)]
    assert sorted(snapshot(out)) == ["audio-00000-of-00001.tfrecord", "manifest.jsonl", "skipped.jsonl"]
    assert validate_manifest(out / "manifest.jsonl") == []
    utterances = read_manifest(out / "manifest.jsonl")
    assert len(utterances) == summary.utterances == 12 and summary.shards == 1
    assert summary.labels == {"keyword": {"no": 6, "yes": 6}}
    assert summary.seconds == pytest.approx(sum(utterance["duration"] for utterance in utterances))
    for utterance in utterances:
        audio = read_utterance_audio(utterance, out)
        original = load_audio(out / utterance["audio"])  # `audio` still names the recording, relative to the manifest
        assert len(audio) == utterance["duration"] * 16000
        np.testing.assert_allclose(audio, original, atol=0.6 / 32768)
    skipped = {item["id"]: item["reason"] for item in map(json.loads, (out / "skipped.jsonl").read_text().splitlines())}
    assert skipped == {"words/no/half.wav": "truncated, the file ends before its header says",
                       "words/yes/empty.wav": "empty, 0 bytes", "words/yes/text.wav": "a text file, not audio"}
    assert sum(summary.skipped.values()) == 3


def test_records_hold_their_line_for_other_readers(recordings, tmp_path):
    import tensorflow as tf
    prepare("folder", recordings, tmp_path / "out")
    lines = []
    for record in tf.data.TFRecordDataset(str(tmp_path / "out" / "audio-00000-of-00001.tfrecord")).as_numpy_iterator():
        example = tf.train.Example.FromString(record)
        lines.append(json.loads(example.features.feature["utterance"].bytes_list.value[0]))
        assert example.features.feature["audio"].bytes_list.value[0][:4] == b"fLaC"
    assert lines == [{key: value for key, value in utterance.items() if key != "record"}
                     for utterance in read_manifest(tmp_path / "out" / "manifest.jsonl")]


def test_only_the_shards_are_needed(recordings, tmp_path):
    prepare("folder", recordings, tmp_path / "out")
    recordings.rename(tmp_path / "gone")
    (tmp_path / "out").rename(tmp_path / "moved")
    assert validate_manifest(tmp_path / "moved" / "manifest.jsonl") == []
    for utterance in read_manifest(tmp_path / "moved" / "manifest.jsonl"):
        assert read_utterance_audio(utterance, tmp_path / "moved").any()


@pytest.mark.parametrize("shard", [5, 512])
def test_the_same_bytes_twice_and_in_parallel(shard, recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare_module, "_UTTERANCES_PER_SHARD", shard)
    prepare("folder", recordings, tmp_path / "a")
    first = snapshot(tmp_path / "a")
    assert len(first) == 2 + -(-15 // shard)
    prepare("folder", recordings, tmp_path / "a")
    assert snapshot(tmp_path / "a") == first
    if shard == 5:
        prepare("folder", recordings, tmp_path / "b", workers=2)
        assert snapshot(tmp_path / "b") == first


def test_fewer_shards_leave_none_behind(recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare_module, "_UTTERANCES_PER_SHARD", 5)
    prepare("folder", recordings, tmp_path / "out")
    monkeypatch.undo()
    prepare("folder", recordings, tmp_path / "out", splits=[])
    assert len(list((tmp_path / "out").glob("*.tfrecord"))) == 1


def test_goes_on_after_its_last_complete_shard(recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare_module, "_UTTERANCES_PER_SHARD", 4)
    prepare("folder", recordings, tmp_path / "whole")

    decoded = []
    original = prepare_module._decode

    def interrupted(task):
        decoded.append(task[0]["id"])
        if len(decoded) == 11:
            raise KeyboardInterrupt
        return original(task)

    monkeypatch.setattr(prepare_module, "_decode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare("folder", recordings, tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.jsonl").exists()
    prepare("folder", recordings, tmp_path / "out")
    assert snapshot(tmp_path / "out") == snapshot(tmp_path / "whole")
    assert decoded[11:14] == decoded[8:11] and len(decoded) == 11 + 15 - 8  # the two complete shards were kept


def test_a_kept_shard_must_still_be_right(recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare_module, "_UTTERANCES_PER_SHARD", 4)
    prepare("folder", recordings, tmp_path / "whole")
    summarize = prepare_module.summarize
    monkeypatch.setattr(prepare_module, "summarize", lambda *_: None)
    prepare("folder", recordings, tmp_path / "out")
    shard = tmp_path / "out" / ".partial" / "shard-00001.tfrecord"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1  # a damaged shard
    shard.write_bytes(data)
    write_wav(recordings / "no" / "0.wav", tone(0.5))  # a recording that changed meanwhile
    monkeypatch.setattr(prepare_module, "summarize", summarize)
    prepare("folder", recordings, tmp_path / "out")
    before, after = snapshot(tmp_path / "whole"), snapshot(tmp_path / "out")
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"audio-00000-of-00004.tfrecord", "manifest.jsonl"}


@pytest.mark.slow
def test_kill_9_then_again(recordings, tmp_path):
    program = ("import sys, time; from speechzoo.data import prepare as p\n"
               "p._UTTERANCES_PER_SHARD = 2; decode = p._decode\n"
               "p._decode = lambda task: (time.sleep(float(sys.argv[3])), decode(task))[1]\n"
               "p.prepare('folder', sys.argv[1], sys.argv[2])")

    def start(out, delay):
        return subprocess.Popen([sys.executable, "-c", program, str(recordings), str(out), str(delay)])

    assert start(tmp_path / "whole", 0).wait() == 0
    for _ in range(3):
        process = start(tmp_path / "out", 0.1)
        index = len(list((tmp_path / "out").glob(".partial/*.json")))
        while process.poll() is None and not (tmp_path / "out" / ".partial" / f"shard-{index + 1:05d}.json").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (tmp_path / "out" / "manifest.jsonl").exists()
    assert start(tmp_path / "out", 0).wait() == 0
    assert snapshot(tmp_path / "out") == snapshot(tmp_path / "whole")


def test_silence_is_cut_and_the_manifest_says_where(tmp_path):
    audio = np.concatenate([np.zeros(16000), tone(0.5, seed=1), np.zeros(16000)])
    write_wav(tmp_path / "words" / "yes" / "a.wav", audio)
    prepare("folder", tmp_path / "words", tmp_path / "out", trim_silence=True)
    utterance, = read_manifest(tmp_path / "out" / "manifest.jsonl")
    assert 0.8 <= utterance["start"] <= 0.9 and 0.7 <= utterance["duration"] <= 0.9
    original = {key: value for key, value in utterance.items() if key != "record"}
    np.testing.assert_array_equal(*(read_utterance_audio(either, tmp_path / "out") for either in (utterance, original)))


def test_parts_of_one_recording(tmp_path):
    path = write_wav(tmp_path / "data" / "long.wav", tone(3.0, seed=1))
    write_manifest(tmp_path / "data" / "m.jsonl", [
        {"id": "b", "audio": "long.wav", "start": 1.0, "duration": 0.5, "keyword": "x"},
        {"id": "a", "audio": str(path), "start": 2.5, "keyword": "y"},
        {"id": "c", "audio": "long.wav", "start": 5.0}])
    prepare("manifest", tmp_path / "data" / "m.jsonl", tmp_path / "out")
    first, second = read_manifest(tmp_path / "out" / "manifest.jsonl")
    assert (first["id"], first["start"], first["duration"]) == ("b", 1.0, 0.5)
    assert (second["id"], second["audio"], second["duration"]) == ("a", str(path), 0.5)
    np.testing.assert_array_equal(read_utterance_audio(first, tmp_path / "out"), load_audio(path)[16000:24000])
    assert "start is 5.00 s, the recording ends at 3.00 s" in (tmp_path / "out" / "skipped.jsonl").read_text()


def test_splits_by_speaker(tmp_path):
    for speaker, take in itertools.product(range(40), range(2)):
        write_wav(tmp_path / "people" / f"s{speaker}" / f"{take}.wav", tone(0.05))
    prepare("folder", tmp_path / "people", tmp_path / "out", {"label": "speaker"}, hold_out=0.25)
    sides = {}
    for utterance in read_manifest(tmp_path / "out" / "manifest.jsonl"):
        sides.setdefault(utterance["speaker"], set()).add(utterance["split"])
    assert all(len(side) == 1 for side in sides.values())
    assert sum(side == {"dev"} for side in sides.values()) == 10
    with pytest.raises(ValueError, match="hold_out must be at least 0 and less than 1"):
        prepare("folder", tmp_path / "people", tmp_path / "out", hold_out=1.5)


def test_speakers_known_from_another_corpus_stay_on_their_side(tmp_path):
    for speaker in range(12):
        write_wav(tmp_path / "people" / f"s{speaker}" / "a.wav", tone(0.05))
    options = {"label": "speaker"}
    prepare("folder", tmp_path / "people", tmp_path / "first", options, hold_out=["people_s3", "people_s4"])
    speakers = splits_of(tmp_path / "first")
    assert {name for name, split in speakers.items() if split == "dev"} == {"people_s3", "people_s4"}
    for speaker in range(12, 24):
        write_wav(tmp_path / "people" / f"s{speaker}" / "a.wav", tone(0.05))
    prepare("folder", tmp_path / "people", tmp_path / "both", options, hold_out=0.25,
            same_split_as=[tmp_path / "first" / "manifest.jsonl"])
    both = splits_of(tmp_path / "both")
    assert speakers.items() <= both.items() and list(both.values()).count("dev") == 6
    with pytest.raises(ValueError, match="no speaker or recording 'people_s99' to hold out; did you mean 'people_s"):
        prepare("folder", tmp_path / "people", tmp_path / "out", options, hold_out=["people_s99"])


def splits_of(folder):
    return {utterance["speaker"]: utterance["split"] for utterance in read_manifest(folder / "manifest.jsonl")}


def test_the_corpus_own_split_is_kept_as_its_subset(tmp_path):
    trees.librispeech(tmp_path / "corpus")
    prepare("librispeech", tmp_path / "corpus", tmp_path / "out", hold_out=0.5)
    utterances = read_manifest(tmp_path / "out" / "manifest.jsonl")
    assert {utterance["subset"] for utterance in utterances} == {"dev-clean"}
    assert {utterance["split"] for utterance in utterances} == {"train", "dev"}


def test_an_alignment_is_cut_with_its_recording(tmp_path):
    audio = np.concatenate([np.zeros(16000), tone(0.5, seed=1), np.zeros(16000)])
    write_wav(tmp_path / "data" / "a.wav", audio)
    write_manifest(tmp_path / "data" / "m.jsonl", [
        {"id": "a", "audio": "a.wav", "alignment": [["SIL", 1.0], ["AA", 1.5], ["SIL", 2.5]]}])
    prepare("manifest", tmp_path / "data" / "m.jsonl", tmp_path / "out", trim_silence=True)
    utterance, = read_manifest(tmp_path / "out" / "manifest.jsonl")
    start, end = utterance["start"], utterance["start"] + utterance["duration"]
    assert utterance["alignment"] == [["SIL", pytest.approx(1 - start)], ["AA", pytest.approx(1.5 - start)],
                                      ["SIL", pytest.approx(end - start)]]


def test_phones_from_a_lexicon(tmp_path):
    for name, text in (("a", "two bears"), ("b", "two zebras")):
        write_wav(tmp_path / "data" / f"{name}.wav", tone(0.1))
        (tmp_path / "data" / f"{name}.txt").write_text(text)
    (tmp_path / "lexicon.txt").write_text("TWO T UW1\nBEARS B EH1 R Z\n")
    summary = prepare("folder", tmp_path / "data", tmp_path / "out", lexicon=tmp_path / "lexicon.txt")
    first, second = read_manifest(tmp_path / "out" / "manifest.jsonl")
    assert first["phones"] == "T UW B EH R Z" and second["phones"] == f"T UW {' '.join(pronounce('zebras'))}"
    assert summary.unspoken == 0 and summary.guessed == {"zebras": 1}
    # The sounds of English letters are no guess for another language.
    german = prepare("folder", tmp_path / "data", tmp_path / "de", {"language": "de"}, lexicon=tmp_path / "lexicon.txt")
    assert german.unspoken == 1 and not german.guessed


def test_transcripts_are_written_as_they_are_spoken_and_what_is_lost_is_said(tmp_path):
    written = ["GO UP, it\u2019s 3 o'clock!", "caf\u00e9 na\u00efve", "go up", "\u221e", "say \u0434\u0430",
               "[noise]", "so gut", "f\u00fcr 5"]
    path = write_wav(tmp_path / "a.wav", tone(0.1))
    write_manifest(tmp_path / "m.jsonl", [{"audio": path.name, "transcript": text, **({"language": "de"} if n > 5 else {})}
                                          for n, text in enumerate(written)])
    summary = prepare("manifest", tmp_path / "m.jsonl", tmp_path / "out")
    spoken = [utterance.get("transcript") for utterance in read_manifest(tmp_path / "out" / "manifest.jsonl")]
    assert spoken == ["go up it's three o'clock", "cafe naive", "go up", None, "say \u0434\u0430", "", "so gut", "f\u00fcr 5"]
    assert summary.rewritten == 4
    assert {reason.split(";")[0]: count for reason, count in summary.mended.items()} == {
        "nothing left: '\u221e' can't be spoken": 1,
        "'\u0434\u0430' has letters other than a to z": 1, "the number '5' must be written in words": 1}


def test_a_part_beyond_its_recording_is_skipped_and_a_recording_from_a_pipe_is_not(tmp_path):
    path = write_wav(tmp_path / "a.wav", tone(2.0))
    data = bytearray(path.read_bytes())
    data[4:8], data[40:44] = b"\x24\xf0\xff\x7f", b"\x00\xf0\xff\x7f"  # as espeak-ng leaves them
    (tmp_path / "piped.wav").write_bytes(data)
    write_manifest(tmp_path / "m.jsonl", [
        {"audio": "a.wav", "transcript": "go up", "start": 1.0, "duration": 3.0},
        {"audio": "a.wav", "transcript": "go up", "start": 3.0}, {"audio": "piped.wav", "transcript": "go up"}])
    summary = prepare("manifest", tmp_path / "m.jsonl", tmp_path / "out")
    assert [line["duration"] for line in read_manifest(tmp_path / "out" / "manifest.jsonl")] == [2.0]
    assert summary.skipped == {"N s to N s was asked for, and the recording ends at N s": 1,
                               "start is N s, the recording ends at N s": 1}


def test_classes_that_nobody_holds_out(tmp_path):
    for name, count in (("yes", 8), ("no", 1)):
        for number in range(count):
            write_wav(tmp_path / "data" / name / f"{number}.wav", tone(0.1))
    summary = prepare("folder", tmp_path / "data", tmp_path / "out", hold_out=0.25)
    assert summary.untested == {"keyword": ["no"]}
    lines = read_manifest(tmp_path / "out" / "manifest.jsonl")
    assert sum(line["split"] == "dev" for line in lines) == 2
    assert not prepare("folder", tmp_path / "data", tmp_path / "whole").untested


class InMemory:
    """A reader whose audio is in memory, with one utterance that breaks the contract and one that occurs twice."""

    has_audio = True
    group = "speaker"

    def read(self, source):
        for number in range(5):
            audio = (tone(0.2, 300 + number, 8000) * 32767).astype(np.int16)
            yield {"id": f"tones/{number % 4}", "corpus": "tones", "event": f"e{number}",
                   "_audio": audio, "_sample_rate": 8000}
        yield {"id": "tones/odd", "corpus": "tones", "gender": "both", "audio": "a.wav"}


def test_what_is_streamed_is_split_by_the_hash_alone(tmp_path, monkeypatch):
    monkeypatch.setitem(CORPORA, "tones", InMemory)
    (tmp_path / "source").mkdir()
    prepare("tones", tmp_path / "source", tmp_path / "out", hold_out=0.3)
    hashes = {f"tones/{n}": int(hashlib.sha256(f"tones/{n}".encode()).hexdigest()[:8], 16) / 16 ** 8 for n in range(4)}
    assert {utterance["id"]: utterance["split"] for utterance in read_manifest(tmp_path / "out" / "manifest.jsonl")} == {
        name: "dev" if fraction < 0.3 else "train" for name, fraction in hashes.items()}
    assert 0 < sum(fraction < 0.3 for fraction in hashes.values()) < 4
    with pytest.raises(ValueError, match="tones is read as a stream: a part of it can be held out, not names"):
        prepare("tones", tmp_path / "source", tmp_path / "out", hold_out=["tones/1"])


def test_audio_in_memory(tmp_path, monkeypatch):
    monkeypatch.setitem(CORPORA, "tones", InMemory)
    (tmp_path / "source").mkdir()
    progress = []
    summary = prepare("tones", tmp_path / "source", tmp_path / "out",
                      on_progress=lambda *counts: progress.append(counts))
    assert progress == [(6, None)]
    utterances = read_manifest(tmp_path / "out" / "manifest.jsonl")
    assert [utterance["event"] for utterance in utterances] == ["e0", "e1", "e2", "e3"]
    assert not any(key.startswith("_") for utterance in utterances for key in utterance)
    assert len(read_utterance_audio(utterances[2], tmp_path / "out")) == 3200
    assert validate_manifest(tmp_path / "out" / "manifest.jsonl") == []
    assert sorted(summary.skipped) == ["gender: unknown value '...'; known: female, male", "id: '...' occurs twice"]


def test_too_long_is_skipped_with_its_reason(tmp_path):
    write_wav(tmp_path / "w" / "yes" / "long.wav", tone(2.0))
    write_wav(tmp_path / "w" / "yes" / "short.wav", tone(0.5))
    summary = prepare("folder", tmp_path / "w", tmp_path / "out", maximum_seconds=1.0)
    assert summary.utterances == 1 and "longer than" in list(summary.skipped)[0]


def test_refuses_what_would_lose_something(recordings, tmp_path):
    mine = tmp_path / "mine"
    write_manifest(mine / "manifest.jsonl", [{"audio": "a.wav"}])
    before = snapshot(mine)
    for arguments, message in ((("folder", recordings, recordings), "is the source itself"),
                               (("folder", recordings, mine), "wasn't written by prepare"),
                               (("folder", recordings, recordings / "yes" / "0.wav"), "is a file"),
                               (("folder", tmp_path / "nothing", tmp_path / "out"), "nothing: no such file or folder"),
                               (("folders", recordings, tmp_path / "out"), "did you mean 'folder'"),
                               (("librispeech", recordings, tmp_path / "out"), "no LibriSpeech recordings"),
                               (("snips", recordings, tmp_path / "out"), "corpus of texts")):
        with pytest.raises(ValueError, match=message):
            prepare(*arguments)
    with pytest.raises(CorpusError, match="no utterance of split dev; it has: none"):
        prepare("folder", recordings, tmp_path / "out", splits=["dev"])
    assert snapshot(mine) == before and not (tmp_path / "out").exists()


def test_nothing_usable_keeps_the_earlier_result(recordings, tmp_path):
    prepare("folder", recordings, tmp_path / "out")
    before = snapshot(tmp_path / "out")
    with pytest.raises(CorpusError, match="none of the 15 recordings can be used; the first, words/no/0.wav: .*longer"):
        prepare("folder", recordings, tmp_path / "out", maximum_seconds=0.01)
    assert before.items() <= snapshot(tmp_path / "out").items()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_keeps_what_is_done(recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare_module, "_UTTERANCES_PER_SHARD", 5)
    partial = tmp_path / "out" / ".partial"
    partial.mkdir(parents=True)
    (partial / "shard-00001.tfrecord").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device: '.*shard-00001.tfrecord'"):
        prepare("folder", recordings, tmp_path / "out")
    assert (partial / "shard-00000.json").exists() and not (tmp_path / "out" / "manifest.jsonl").exists()
    (partial / "shard-00001.tfrecord").unlink()
    assert prepare("folder", recordings, tmp_path / "out").utterances == 12
