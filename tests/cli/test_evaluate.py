import json

import pytest

from speechzoo.cli import main
from tests.fake_model import TEXTS, FakeModel
from tests.helpers import tone, write_wav


@pytest.fixture(autouse=True)
def fake_model(monkeypatch):
    monkeypatch.setattr("speechzoo.opening.open_model", lambda source: FakeModel())


@pytest.fixture
def manifest(tmp_path):
    lines = [{"audio": "missing.wav", "transcript": "x"}]
    for number, text in enumerate(TEXTS):
        write_wav(tmp_path / f"{number}.wav", tone(0.3) * 3 * 0.2 * (number + 1))
        lines.append({"audio": f"{number}.wav", "transcript": text, "keyword": "yes", "event": "thunder",
                      "corpus": "ab"[number % 2], "speaker": str(number)})
    path = tmp_path / "dev.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


def test_table_json_and_predictions(manifest, tmp_path, capsys):
    code = run("evaluate", "fake", "--manifest", manifest, "--json", tmp_path / "out.json",
               "--predictions", tmp_path / "answers.jsonl", "--confusions")
    printed = capsys.readouterr().out
    assert code == 0
    result = json.loads((tmp_path / "out.json").read_text())
    assert set(result) == {"overall", "a", "b", "_skipped"}
    assert result["overall"]["transcript"]["wer"] == 0 and result["overall"]["keyword"]["accuracy"] == 0.5
    assert "confusions" in result["a"]["keyword"]
    assert len((tmp_path / "answers.jsonl").read_text().splitlines()) == 4
    assert "50.0%" in printed and "keyword" in printed
    assert "skipped 1 recordings" in printed and "missing.wav" in printed
    assert "skipped 4 labels that head 'event' has no class for: thunder 4" in printed


def test_heads_and_word_list(manifest, tmp_path):
    (tmp_path / "words.txt").write_text("go left now stop yes")  # without "up"
    code = run("evaluate", "fake", "--manifest", manifest, "--heads", "transcript", "--words", tmp_path / "words.txt",
               "--json", tmp_path / "out.json")
    assert code == 0
    overall = json.loads((tmp_path / "out.json").read_text())["overall"]
    assert set(overall) == {"transcript"} and overall["transcript"]["wer"] == pytest.approx(1 / 7, abs=1e-6)


@pytest.mark.parametrize("arguments, message", [
    (["--heads", "mood"], "no head 'mood'"),
    (["--lm", "nowhere.arpa"], "nowhere.arpa: no such file"),
    (["--lm-words"], "--lm-words needs a language model"),
    (["--lm", "pocketsphinx", "--lm-words"], "give --lm an ARPA file"),
    (["--beam", "0"], "beam_width is 1 or more"),
    (["--boost", "hey jude", "--dictation"], "leave them out with --dictation"),
    (["--boost", " "], "no phrases to boost"),
    (["--json", "no/such/folder/out.json"], "no such file or directory"),
])
def test_one_line_and_exit_code_2(manifest, capsys, arguments, message):
    assert run("evaluate", "fake", "--manifest", manifest, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1


def test_ngram_from_text_and_manifest(manifest, tmp_path, capsys):
    (tmp_path / "more.txt").write_text("Go up!\nTurn on 2 lights\n")
    assert run("ngram", manifest, tmp_path / "more.txt", "--order", "2", "--out", tmp_path / "lm.arpa.gz") == 0
    assert "11 words from 7 sentences" in capsys.readouterr().out
    assert run("evaluate", "fake", "--manifest", manifest, "--lm", tmp_path / "lm.arpa.gz", "--lm-words") == 0


GRAMMAR = """
intents: {halt: stop, agree: "yes", move: "go {way}"}
slots: {way: [up, {left: left now}]}
"""


def test_commands_in_noise(manifest, tmp_path, capsys):
    (tmp_path / "moves.yaml").write_text(GRAMMAR)
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    for line, intent in zip(lines[1:], ["move", "halt", "move", "agree"]):
        line["intent"] = intent
    manifest.write_text("\n".join(map(json.dumps, lines)))
    assert run("evaluate", "fake", "--manifest", manifest, "--grammar", tmp_path / "moves.yaml",
               "--json", tmp_path / "out.json") == 0
    assert json.loads((tmp_path / "out.json").read_text())["overall"]["command"]["accuracy"] == 1.0
    # Noise as loud as this deafens the fake model, which goes by loudness.
    assert run("evaluate", "fake", "--manifest", manifest, "--grammar", tmp_path / "moves.yaml", "--noise",
               tmp_path / "3.wav", "--snr", "6,12", "--json", tmp_path / "out.json") == 0
    command = json.loads((tmp_path / "out.json").read_text())["overall"]["command"]
    assert list(command["by_snr"]) == ["6", "12"] and command["n"] == 8
    assert "accuracy at 12 dB" in capsys.readouterr().out
    noises = manifest.with_name("noises.jsonl")
    noises.write_text('{"audio": "3.wav", "split": "dev"}\n{"audio": "gone.wav", "split": "train"}\n')
    assert run("evaluate", "fake", "--manifest", manifest, "--grammar", tmp_path / "moves.yaml", "--noise", noises,
               "--noise-split", "dev", "--snr", "6,12", "--json", tmp_path / "again.json") == 0
    assert (tmp_path / "again.json").read_text() == (tmp_path / "out.json").read_text()


@pytest.mark.parametrize("arguments, message", [
    (["--grammar", "nowhere.yaml"], "nowhere.yaml"),
    (["--lexicon", "cmudict"], "--lexicon says how words sound: add --grammar FILE or --dictation"),
    (["--snr", "6"], "noise and snr go together"),
    (["--noise-split", "dev"], "there is no noise to take the split 'dev' of"),
])
def test_commands_one_line_and_exit_code_2(manifest, capsys, arguments, message):
    assert run("evaluate", "fake", "--manifest", manifest, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1
