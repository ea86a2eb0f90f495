"""Heads of type `seq2seq` among the others of a recognizer."""

import numpy as np
import pytest

from speechzoo.decoding.answers import answer_kind
from speechzoo.decoding.attention.hypothesis import AttentionHypothesis
from speechzoo.decoding.attention.search import AttentionSearch
from speechzoo.decoding.ctc.beam import BeamSearch
from speechzoo.decoding.recognition import head_decoders, make_decoders, recognize_outputs
from speechzoo.decoding.recognizer import Recognizer
from tests.decoding.attention.scripted import Reader, letters_spec, written_memory
from tests.decoding.attention.writer import SILENCE, Writer

SPEECH = {"type": "frame_classifier", "label": "speech", "classes": ["none", "speech"], "frame_seconds": 0.1}
LETTERS = {"type": "ctc", "label": "letters", "kind": "characters", "units": ["a", "b"], "frame_seconds": 0.1}
VOICED, SILENT = np.full(1600, 0.5, np.float32), np.zeros(1600, np.float32)


def test_a_recording_is_answered_by_all_heads():
    model = Writer()
    result = model.recognize(VOICED)
    assert (result.transcript, result.keyword, result.labels) == ("go on", "no", {"language": "de"})
    assert [word.text for word in result.words] == ["go", "on"] and result.confidence["transcript"] > 0.99
    assert result.confidence["language"] == pytest.approx(np.exp(3) / (np.exp(3) + 1))
    assert model.asked == [["transcript", "keyword"]]
    asked = model.recognize(VOICED, heads=["transcript"], decoder=AttentionSearch(beam=3, language="en"))
    assert (asked.transcript, asked.labels, asked.keyword) == ("go on", {"language": "en"}, None)


@pytest.mark.parametrize("gate", [{"speech": SPEECH}, {"letters": LETTERS}, {"letters": LETTERS, "speech": SPEECH}])
def test_nobody_speaks_where_another_head_hears_nobody(gate):
    model = Writer(gate)
    model.decode_steps["transcript"].fed = []
    voiced, silent = model.recognize_batch([VOICED, SILENT], heads=["transcript"])
    assert voiced.transcript == "go on" and (silent.transcript, silent.words) == ("", [])
    assert model.asked == [["transcript", "speech" if "speech" in gate else "letters"]]
    assert silent.confidence["transcript"] == pytest.approx(
        1 / (1 + np.exp(-3)) if "speech" in gate else 1 / (1 + 2 * np.exp(-9)))
    assert len(model.decode_steps["transcript"].fed) == 4 + len("go on")  # nothing was searched for in the silence
    assert silent.speech is None and silent.labels == {}


def test_only_a_head_of_speech_says_whether_somebody_speaks():
    assert answer_kind(SPEECH).silence(SILENCE, {**SPEECH, "label": "music"}) is None
    assert answer_kind(letters_spec()).silence(np.zeros((2, 2)), letters_spec()) is None


@pytest.mark.parametrize("recognize", [
    lambda model: Recognizer.recognize(model, VOICED),
    lambda model: recognize_outputs(model.batch_outputs([VOICED])[0], model.spec)])
def test_without_steps_the_remedy_is_named(recognize):
    model = Writer()
    model.decode_steps = {}
    message = "^head 'transcript' writes token by token, and nothing here runs these steps: open the model with"
    with pytest.raises(ValueError, match=message):
        recognize(model)
    assert model.recognize(VOICED, heads=["keyword"]).keyword == "no"


def test_each_search_is_for_its_heads():
    model = Writer({"letters": LETTERS})
    (outputs,) = model.batch_outputs([VOICED])
    for decoder in (None, BeamSearch(3), AttentionSearch(2)):
        result = recognize_outputs(outputs, model.spec, decoder=decoder, steps=model.decode_steps)
        assert (result.transcript, result.labels["letters"]) == ("go on", "a")
        decoders = head_decoders(model.spec, ["transcript", "letters", "keyword"], decoder, steps=model.decode_steps)
        decoded = {name: each(outputs) for name, each in decoders.items()}
        assert (decoded["transcript"].text, decoded["letters"].text) == ("go on", "a")
        assert decoded["keyword"] is outputs["keyword"]
    kinds = {each.name: type(each).__name__ for each in make_decoders(model.spec, steps=model.decode_steps)}
    assert kinds == {"transcript": "AttentionDecoder", "letters": "HeadDecoder", "keyword": "HeadDecoder"}


def test_errors_name_the_head():
    model = Writer()
    (outputs,) = model.batch_outputs([VOICED])
    with pytest.raises(ValueError, match=r"^head 'transcript': memory of shape \(3,\)"):
        recognize_outputs({**outputs, "transcript": np.ones(3)}, model.spec, steps=model.decode_steps)
    with pytest.raises(ValueError, match="^head 'transcript': the decoder doesn't know the language 'fr'"):
        model.recognize(VOICED, decoder=AttentionSearch(language="fr"))
    with pytest.raises(ValueError, match="a decoder's memory says nothing by itself"):
        answer_kind(model.spec["heads"]["transcript"]).answer(outputs["transcript"], {})


def test_a_head_for_the_language_has_the_last_word():
    model = Writer({"language": {"type": "classifier", "label": "language", "classes": ["en", "ar"]}})
    (outputs,) = model.batch_outputs([VOICED])
    for heads in (["transcript", "language"], None):
        result = recognize_outputs({**outputs, "language": np.array([0, 2.0])}, model.spec, heads,
                                   steps=model.decode_steps)
        assert result.labels["language"] == "ar"


def test_the_kind():
    head_spec = letters_spec()
    kind = answer_kind(head_spec)
    assert kind.reference("Go, now!", head_spec) == "go now" and kind.describe(head_spec) == "30 values"
    hypothesis = AttentionSearch()(written_memory("go on", head_spec), head_spec, Reader(head_spec))
    answer, confidence = kind.answer(hypothesis, head_spec)
    assert (answer, confidence) == ("go on", hypothesis.confidence)
    written = AttentionHypothesis("Go, on: 20 %!", language="en")
    assert kind.answer(written, head_spec)[0] == kind.reference("go on twenty percent", head_spec)
    figures = kind.score(["go on", "stop"], [answer, "top"], [1, 1], ["a", "b"], head_spec)
    assert figures["wer"] == pytest.approx(1 / 3) and "cer" in figures
    memory = np.random.default_rng(1).standard_normal((5, 4))
    assert kind.distance([(memory, memory)], head_spec) == ("cosine distance", pytest.approx(0, abs=1e-12))
    assert kind.distance([(memory, -memory)], head_spec)[1] == pytest.approx(2)
    assert np.isnan(kind.distance([(memory, memory * np.nan)], head_spec)[1])
    assert kind.served_outputs("transcript", head_spec) == ["transcript_memory"] and kind.labels(head_spec) == []
