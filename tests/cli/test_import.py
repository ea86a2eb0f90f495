"""`speechzoo import`, and what `speechzoo show` says of licences."""

import pytest

from speechzoo.cli import main
from speechzoo.cli.show import _origin_rows
from speechzoo.registry import load
from tests.helpers import ORIGIN
from tests.published.tiny_whisper import COMMITTED


def run(capsys, *arguments):
    """Exit code, standard output and standard error of a command."""
    with pytest.raises(SystemExit) as exit_code:
        main([str(argument) for argument in arguments])
    return exit_code.value.code, *capsys.readouterr()


def test_says_what_was_read_what_was_left_out_and_what_comes_next(tmp_path, capsys):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.bin").write_bytes(COMMITTED.read_bytes())
    code, shown, error = run(capsys, "import", tmp_path / "model", "--out", tmp_path / "imported", "--encoder")
    assert code == 0 and "warning: " in error and "not among the files that speechzoo knows by their SHA-256" in error
    assert "from      model.bin\n" in shown
    assert "licence unknown: that of whoever published the file" in shown
    assert "read      31 arrays" in shown and "backbone 'whisper'" in shown
    assert "left out  1 array: positions: " in shown and "left out  35 arrays: decoder: " in shown
    assert f"  backbone: {{weights: {tmp_path / 'imported'}}}\nand\n  speechzoo train my_model.yaml --out" in shown


def test_the_decoder_comes_along(tmp_path, capsys):
    code, shown, _ = run(capsys, "import", COMMITTED, "--out", tmp_path)
    assert code == 0 and "weights of the backbone 'whisper' and the head 'transcript'\n" in shown
    assert f"speechzoo recognize {tmp_path} recording.wav\n" in shown


def test_a_config_extends_what_was_imported(tmp_path, capsys):
    (tmp_path / "model.bin").write_bytes(COMMITTED.read_bytes())
    run(capsys, "import", tmp_path / "model.bin", "--out", tmp_path / "imported", "--encoder")
    mine = tmp_path / "my_model.yaml"
    mine.write_text("summary: Mine.\nextends: imported/config.yaml\n"
                    "heads: {gender: {type: classifier, classes: [a, b]}}\n")
    model = load(mine, weights=tmp_path / "imported", heads={"gender": {}})
    assert model.name == "my_model" and model.zoo_config.backbone.type == "whisper"
    assert model.new_weights and all(path.startswith("gender/") for path in model.new_weights)


@pytest.mark.parametrize("source, message", [("nothing", "no such file or folder"),
                                             ("text.bin", "no file of weights that is known: safetensors, PyTorch")])
def test_mistakes_are_one_line(source, message, tmp_path, capsys):
    (tmp_path / "text.bin").write_text("no weights at all")
    code, _, error = run(capsys, "import", tmp_path / source, "--out", tmp_path / "imported")
    assert code == 2 and message in error and len(error.splitlines()) == 1
    assert not (tmp_path / "imported").exists()


def test_help_lists_it(capsys):
    assert "\n    import " in run(capsys, "--help")[1]


def test_show_names_the_licence(capsys):
    _, shown, _ = run(capsys, "show", "mtl_ds_cnn_micro")
    assert "Apache-2.0" in next(line for line in shown.splitlines() if "licence" in line)
    assert "derived from" not in shown
    assert _origin_rows(ORIGIN.summary()) == [
        ("licence", "MIT"), ("derived from", "Ears 1, MIT, Copyright (c) 1999 Somebody")]
