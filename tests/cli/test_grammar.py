import pytest

from speechzoo.cli import main
from speechzoo.decoding.commands.decoder import CommandDecoder
from tests.fake_model import FakeModel


@pytest.fixture
def moves(tmp_path, monkeypatch):
    monkeypatch.setattr("speechzoo.opening.open_model", lambda source: FakeModel())
    path = tmp_path / "moves.yaml"
    path.write_text("intents: {halt: stop, move: '(go|walk) {way}'}\nslots: {way: [up, down]}\n")
    return path


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["grammar", *map(str, arguments)])
    return ended.value.code


def test_what_can_be_said(moves, capsys):
    assert run(moves, "--sentences", "4") == 0
    title, *sentences = capsys.readouterr().out.splitlines()
    assert title == "moves: 2 intents, 1 slots, 5 sentences"
    assert len(sentences) == 4 and "  stop  (halt)" in sentences
    assert any(line.endswith("up  (move, way: up)") for line in sentences)


def test_a_compiled_grammar_decodes(moves, tmp_path, capsys):
    assert run(moves, "--model", "fake", "--out", tmp_path / "moves.npz") == 0
    assert "nodes over the characters of head 'transcript'" in capsys.readouterr().out
    assert CommandDecoder(tmp_path / "moves.npz", FakeModel.spec).compiled.name == "moves"


def test_every_mistake_is_a_line(tmp_path, capsys):
    path = tmp_path / "home.yaml"
    path.write_text("intents:\n  a: '{rom} on'\n  b: 'x ('\nslot: {}\n")
    assert run(path) == 2
    output = capsys.readouterr()
    assert output.out == "" and [line.removeprefix("speechzoo: error: ") for line in output.err.splitlines()] == [
        f"{path}:2:7: no slot 'rom'; known: duration, duration_adjective, number, ordinal, percentage, time",
        f"{path}:3:9: '(' is never closed; add ')'",
        f"{path}:4:1: a grammar has no key 'slot'; did you mean 'slots'?"]


@pytest.mark.parametrize("arguments, message", [
    (["--model", "fake"], "give both --model MODEL and --out FILE.npz"),
    (["--model", "fake", "--out", "moves.bin"], "moves.bin: a compiled grammar ends with .npz"),
])
def test_one_line_and_exit_code_2(moves, capsys, arguments, message):
    assert run(moves, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1
