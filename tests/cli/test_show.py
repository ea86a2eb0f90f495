"""`speechzoo show`: the list of models, and what heads can answer."""

import pytest

from speechzoo.cli import main
from speechzoo.registry import list_models


def show(capsys, *arguments):
    """Exit code, standard output and standard error of the command."""
    with pytest.raises(SystemExit) as exit_code:
        main(["show", *arguments])
    return exit_code.value.code, *capsys.readouterr()


@pytest.mark.parametrize("columns", ["20", "80", "200"])
def test_the_list_has_every_name_whole_and_trained_models_first(columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    code, shown, _ = show(capsys)
    families = ("enhance_", "mtl_", "speaker_", "wake_", "whisper_")
    names = [line.split()[0] for line in shown.splitlines() if line.startswith(families)]
    assert code == 0 and names == list_models(pretrained=True) + list_models(pretrained=False)
    assert shown.index("model with weights") < shown.index("mtl_whisper_tiny") < shown.index("recipe without weights")
    assert "MIT" in next(line for line in shown.splitlines() if line.startswith("mtl_whisper_tiny"))


def test_models_with_a_head(capsys):
    _, shown, _ = show(capsys, "--head", "slots")
    assert "mtl_conformer_small " in shown and "mtl_ds_cnn_micro" not in shown and "recipe" not in shown
    code, _, error = show(capsys, "--head", "sloths")
    assert code == 2 and "no model of the zoo has a head 'sloths'; heads: " in error


def test_what_heads_can_answer(capsys):
    _, shown, _ = show(capsys, "mtl_ds_cnn_micro", "--classes")
    assert shown.splitlines()[1:] == ["gender (2): female, male", "age_group (2): adult, child"]
    assert shown.startswith("keyword (16): yes, no, up, down, ")
    _, shown, _ = show(capsys, "mtl_conformer_small", "--classes")
    assert "\nspeaker: numbers without names\n" in shown
    code, _, error = show(capsys, "--classes")
    assert code == 2 and "speechzoo show NAME --classes" in error
