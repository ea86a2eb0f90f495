"""What examples/ holds besides the demo, which `make demo` runs."""

import importlib.util
import json
import sys
from pathlib import Path

from speechzoo.data.manifest import read_manifest, write_manifest

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name):
    """The module of one of the examples."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_fragments_are_as_long_as_commands(tmp_path, monkeypatch, capsys):
    sentences = [" ".join(f"{letter}{number}" for number in range(40)) for letter in ("a", "b")]
    lines = [{"id": "1", "audio": "1.wav", "split": "train", "transcript": sentences[0]},
             {"id": "2", "audio": "2.wav", "split": "dev", "transcript": sentences[1]},
             {"id": "3", "audio": "3.wav", "split": "train"}]
    (tmp_path / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    module = example("fragments")
    monkeypatch.setattr(sys, "argv", ["fragments.py", str(tmp_path / "manifest.jsonl"), str(tmp_path / "out.txt")])
    module.main()
    pieces = (tmp_path / "out.txt").read_text().splitlines()
    assert f"{len(pieces)} pieces" in capsys.readouterr().out
    assert len(pieces) > 3 and all(2 <= len(piece.split()) <= 11 and piece in sentences[0] for piece in pieces)


def test_words_are_found_where_their_phones_are(tmp_path, monkeypatch, capsys):
    (tmp_path / "lexicon.txt").write_text("turn T ER N\non AA N\non AO N\nit IH T\noff AO F\n")
    sentence = {"audio": "../recordings/a.flac", "start": 2.0, "duration": 1.5, "speaker": "ann", "gender": "female",
                "split": "dev", "record": {"shard": "s", "offset": 0, "length": 1}, "intent": "lightsOn"}
    # "on" in another pronunciation than the lexicon's first; "strangely" isn't in it; the second "on" is said differently.
    first = {**sentence, "id": "first", "transcript": "turn it strangely on", "alignment": [
        ["SIL", 0.1], ["T", 0.2], ["ER", 0.3], ["N", 0.4], ["IH", 0.5], ["T", 0.6], ["S", 0.7], ["T", 0.75], ["R", 0.8], ["EY", 0.9],
        ["SIL", 1.0], ["AO", 1.2], ["N", 1.3], ["SIL", 1.5]]}
    second = {**sentence, "id": "second", "transcript": "on off", "alignment": [
        ["UH", 0.2], ["N", 0.4], ["AO", 0.5], ["SIL", 0.6], ["F", 0.7]]}  # "off" falls apart
    write_manifest(tmp_path / "prepared" / "manifest.jsonl", [first, second, {**sentence, "id": "third", "transcript": "on"}])
    module = example("words_from_sentences")
    monkeypatch.setattr(sys, "argv", ["words_from_sentences.py", str(tmp_path / "prepared" / "manifest.jsonl"), "on", "off", "--out",
                                      str(tmp_path / "words.jsonl"), "--lexicon", str(tmp_path / "lexicon.txt")])
    module.main()
    assert capsys.readouterr().out == "on: 1, 0.40 to 0.40 s, median 0.40 s\noff: 0\n"
    found, = read_manifest(tmp_path / "words.jsonl")
    assert found == {"id": "first/on@0.95", "audio": "recordings/a.flac", "start": 2.95, "duration": 0.4, "keyword": "on",
                     "transcript": "on", "phones": "AO N", "speaker": "ann", "gender": "female", "split": "dev"}


def test_pieces_are_short_spoken_and_keep_the_speaker(tmp_path, monkeypatch, capsys):
    def sentence(name, alignment):
        return {"id": name, "audio": "../recordings/a.flac", "start": 2.0, "duration": alignment[-1][1], "speaker": "ann",
                "corpus": "tales", "age_group": "child", "transcript": "never kept", "alignment": alignment}

    spoken = [["SIL", 1.0], *(["AA", 1.0 + 0.1 * phone] for phone in range(1, 41)), ["SIL", 6.0]]
    sentences = [*(sentence(f"spoken{number}", spoken) for number in range(40)),
                 sentence("short", [["AA", 0.2], ["SIL", 1.0]]),  # too little speech for any piece
                 sentence("silent", [["SIL", 2.0]]), {"id": "unaligned", "audio": "b.flac", "transcript": "so"}]
    write_manifest(tmp_path / "prepared" / "manifest.jsonl", sentences)
    module = example("pieces_of_sentences")
    monkeypatch.setattr(sys, "argv", ["pieces_of_sentences.py", str(tmp_path / "prepared" / "manifest.jsonl"), "--out",
                                      str(tmp_path / "pieces.jsonl")])
    module.main()
    assert capsys.readouterr().out.startswith("40 pieces, ")
    found = read_manifest(tmp_path / "pieces.jsonl")
    assert all(set(piece) == {"id", "audio", "start", "duration", "speaker", "corpus", "age_group"} for piece in found)
    assert {piece["corpus"] for piece in found} == {"tales_pieces"}
    assert found[0]["audio"] == "recordings/a.flac"
    for piece in found:  # from 1 s to 5 s of a sentence that begins at 2 s, silence at most a fifth
        assert 3.0 <= piece["start"] and 0.5 <= piece["duration"] <= 3.0 and piece["start"] + 0.8 * piece["duration"] <= 7.0
    assert len({piece["start"] for piece in found}) > 10
    assert sum(piece["duration"] < 1.25 for piece in found) in range(10, 31)  # half of them, were there no limits
