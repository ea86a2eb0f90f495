"""Whatever answers recordings takes the same arguments, has the same limits and gives the same answers."""

import inspect

import numpy as np
import pytest

from speechzoo.decoding.commands.decoder import CommandDecoder
from speechzoo.decoding.ctc.beam import BeamSearch
from speechzoo.decoding.dictation.lexicon_search import LexiconSearch
from speechzoo.decoding.recognizer import Recognizer
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.exporters.micro import MicroModel, export_micro
from speechzoo.exporters.tflite import export_tflite
from speechzoo.grammar.nodes import Choice, Grammar, Sequence, Slot, Value, Words
from speechzoo.text.units import PHONES
from tests.helpers import tone, write_wav
from tests.tiny_models import EXPORTED, build, tiny, tiny_model

SOUNDS = [tone(0.9, 300, seed=1), tone(0.02, 500), tone(1.3, 900, seed=2)]
LEXICON = {"go": [["G", "OW"]], "up": [["AH", "P"]], "down": [["D", "AW", "N"]]}
GRAMMAR = Grammar("moves", {"move": Sequence((Words("go"), Slot("way", Choice((
    Value("up", Words("up")), Value("down", Words("down")))))))})
MICRO = tiny("tiny_micro", {"type": "log_mel", "hop_seconds": 0.02, "window_seconds": 0.032, "transform": "fft"},
             {"type": "ds_cnn", "channels": 8, "num_blocks": 1})


def make_keras(factory):
    return tiny_model()


def make_edge(factory):
    written = export_tflite(tiny_model(), factory.mktemp("edge"), signatures=["keyword"], representative=SOUNDS[:1])
    return EdgeModel(written.path)


def make_client(factory):
    pytest.importorskip("requests")
    pytest.importorskip("tensorflow_serving")
    from speechzoo.serving import Client
    from tests.serving.tiny import serving

    return Client(serving(factory).rest_url, "tiny")


def make_micro(factory):
    model = build(MICRO, spread=False)
    model.frontend.adapt([(audio[None], np.array([len(audio)])) for audio in SOUNDS])
    written = export_micro(model, factory.mktemp("micro"), SOUNDS)
    return MicroModel((written.path / "tiny_micro.tflite").read_bytes(), model)


MAKERS = {"keras": make_keras, "edge": make_edge, "client": make_client, "micro": make_micro}


@pytest.fixture(scope="module", params=MAKERS)
def recognizer(request, tmp_path_factory):
    return MAKERS[request.param](tmp_path_factory)


def assert_same(got, expected):
    """Two Recognitions, their numbers within what two runs of one network differ by."""
    got, expected = got.to_dict(), expected.to_dict()
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        if key in ("words", "phone_times", "sentence_words"):
            assert [(word["text"], word["start"]) for word in got[key]] == [
                (word["text"], word["start"]) for word in value]
        elif key in ("speaker", "confidence", "slot_confidence", "sentence_score"):
            assert got[key] == pytest.approx(value, abs=2e-4), key
        else:
            assert got[key] == value, key


def commands_of(recognizer):
    """A decoder under which even noise is a command."""
    compiled = CommandDecoder(GRAMMAR, recognizer.spec, LEXICON).compiled
    return CommandDecoder(compiled.with_threshold(-1000.0), recognizer.spec)


def writes(recognizer):
    return any(head["type"] == "ctc" for head in recognizer.spec["heads"].values())


def test_the_same_arguments(recognizer):
    assert isinstance(recognizer, Recognizer) and isinstance(recognizer.spec, dict)
    assert inspect.signature(type(recognizer).recognize) == inspect.signature(Recognizer.recognize)
    if writes(recognizer):
        assert recognizer.spec == tiny_model().spec


def test_a_batch_of_unequal_lengths_is_each_of_them_alone(recognizer):
    together = recognizer.recognize_batch(SOUNDS)
    for answer, sound in zip(together, SOUNDS, strict=True):
        assert_same(answer, recognizer.recognize(sound))
        if writes(recognizer):
            assert_same(answer, tiny_model().recognize(sound))
    assert recognizer.recognize_batch([]) == [] and recognizer.batch_outputs([]) == []
    rows = recognizer.recognize_batch(np.stack([SOUNDS[0], SOUNDS[0]]))  # an array is its rows
    assert_same(rows[0], rows[1])


def test_a_recording_of_one_piece_is_the_same_at_once(recognizer, tmp_path):
    path = write_wav(tmp_path / "long.wav", SOUNDS[2])
    whole = recognizer.recognize(path)
    assert_same(recognizer.recognize_batch([path], maximum_seconds=0.3)[0], whole)
    (piece,) = recognizer.recognize_pieces(path)
    assert_same(piece.recognition, whole)
    part = recognizer.recognize(path, start=0.25, duration=0.5, maximum_seconds=0.5)
    assert_same(part, recognizer.recognize_batch([SOUNDS[2]], start=0.25, duration=0.5)[0])


def test_the_same_refusals(recognizer):
    with pytest.raises(ValueError, match="the model has no head 'mood'; it has: .*keyword"):
        recognizer.recognize(SOUNDS[0], heads=["mood"])
    with pytest.raises(TypeError, match="audio must be a path, bytes"):
        recognizer.recognize(7)
    if not writes(recognizer):
        with pytest.raises(ValueError, match="commands need a head that writes words or phones"):
            recognizer.recognize(SOUNDS[0], grammar=GRAMMAR)
    other = {"heads": {"sounds": {"type": "ctc", "label": "phones", "kind": "phones", "units": PHONES,
                                  "frame_seconds": 0.04}}}
    for wrong in ({"grammar": CommandDecoder(GRAMMAR, other, LEXICON)}, {"decoder": LexiconSearch(other, LEXICON)}):
        with pytest.raises(ValueError, match="a decoder reads head 'sounds', which the model doesn't have; it has: .*key"):
            recognizer.recognize(SOUNDS[0], **wrong)


def test_the_same_answers_under_a_grammar(recognizer):
    if not writes(recognizer):
        pytest.skip("its heads write nothing")
    for commands in (commands_of(recognizer), GRAMMAR):
        answers = recognizer.recognize_batch(SOUNDS, heads=["keyword"], grammar=commands)
        for answer, sound in zip(answers, SOUNDS, strict=True):
            assert_same(answer, tiny_model().recognize(sound, heads=["keyword"], grammar=commands))
            assert answer.keyword is not None and answer.transcript is None and answer.sentence_score < 0
    understood = recognizer.recognize(SOUNDS[0], grammar=commands_of(recognizer))
    assert understood.sentence.startswith("go ") and understood.slots["way"] in understood.sentence
    assert understood.sentence == " ".join(word.text for word in understood.sentence_words)


def test_the_same_words_from_every_decoder(recognizer):
    if not writes(recognizer):
        pytest.skip("its heads write nothing")
    search = LexiconSearch(recognizer.spec, LEXICON)
    for decoder in (BeamSearch(4), search, lambda logits, head_spec: BeamSearch(2)(logits, head_spec)):
        answer = recognizer.recognize(SOUNDS[2], heads=["transcript"], decoder=decoder)
        assert_same(answer, tiny_model().recognize(SOUNDS[2], heads=["transcript"], decoder=decoder))
    (outputs,) = recognizer.batch_outputs([SOUNDS[2]], ["phones"])
    assert recognizer.recognize(SOUNDS[2], heads=["transcript"], decoder=search).transcript == search(outputs).text
    assert recognizer.recognize(SOUNDS[2], heads=["phones"], decoder=search).transcript is None


def test_an_early_exit_is_used_by_whoever_needs_no_other_head(tmp_path_factory, tmp_path, capsys, monkeypatch):
    from speechzoo.cli import main

    model, asked = make_edge(tmp_path_factory), []
    runner = EdgeModel._runner
    monkeypatch.setattr(EdgeModel, "_runner", lambda self, name: asked.append(name) or runner(self, name))
    path = write_wav(tmp_path / "said.wav", SOUNDS[0])
    model.recognize_batch(SOUNDS, heads=["keyword"])
    model.recognize(path, heads=["keyword"], decoder=BeamSearch(4))  # which no head asked for needs
    with pytest.raises(SystemExit) as ended:
        main(["recognize", str(model.path), str(path), "--heads", "keyword"])
    assert ended.value.code == 0 and "keyword" in capsys.readouterr().out
    assert asked == ["keyword"] * 3
    model.recognize(path, heads=["keyword"], grammar=commands_of(model))
    model.recognize(path)
    assert asked[3:] == ["recognize", "recognize"]


def test_a_model_without_a_head_for_transcripts_takes_dictation():
    model = build({**EXPORTED, "heads": {"phones": EXPORTED["heads"]["phones"]}}, spread=False)
    answer = model.recognize(SOUNDS[0], decoder=LexiconSearch(model.spec, LEXICON))
    assert answer.transcript is not None and answer.phones is not None
