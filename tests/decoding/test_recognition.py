import json

import numpy as np
import pytest

from speechzoo.decoding.ctc.hypothesis import Hypothesis
from speechzoo.decoding.ctc.segments import Segment
from speechzoo.decoding.recognition import Recognition, recognize_outputs

SPEC = {"name": "tiny", "sample_rate": 16000, "heads": {
    "transcript": {"type": "ctc", "label": "transcript", "units": list("no "), "kind": "characters",
                   "frame_seconds": 0.04},
    "phones": {"type": "ctc", "label": "phones", "units": ["N", "OW"], "kind": "phones", "frame_seconds": 0.04},
    "keyword": {"type": "classifier", "label": "keyword", "classes": ["yes", "no"]},
    "accent": {"type": "classifier", "label": "accent", "classes": ["scottish", "welsh"]},
    "slots": {"type": "slots", "label": "slots", "slots": {"size": ["small", "large"], "milk": ["oat"]}},
    "speaker": {"type": "speaker", "label": "speaker", "embedding_size": 3},
    "speech": {"type": "frame_classifier", "label": "speech", "classes": ["none", "speech"], "frame_seconds": 0.04},
    "music": {"type": "frame_classifier", "label": "music", "classes": ["none", "music"], "frame_seconds": 0.1},
}}


def make_outputs():
    return {
        "transcript": 9 * np.eye(4)[[0, 1, 1, 2, 0]],
        "phones": 9 * np.eye(3)[[1, 1, 2, 0, 0]],
        "keyword": np.log([0.25, 0.75]),
        "accent": np.log([0.6, 0.4]),
        "slots": np.log([0.1, 0.1, 0.8, 0.9, 0.1]),
        "speaker": np.array([0.6, 0.8, 0.0]),
        "speech": np.log([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3], [0.1, 0.9]]),
        "music": np.log([[0.9, 0.1], [0.2, 0.8]]),
    }


def test_every_head_answers():
    result = recognize_outputs(make_outputs(), SPEC)
    assert (result.transcript, result.phones, result.keyword) == ("no", "N OW", "no")
    assert [(word.text, word.start, word.end) for word in result.words] == [("no", 0.04, 0.16)]
    assert [phone.text for phone in result.phone_times] == ["N", "OW"]
    assert result.slots == {"size": "large"} and result.labels == {
        "accent": "scottish", "music": [Segment(0.1, 0.2, pytest.approx(0.8))]}
    assert result.confidence["keyword"] == pytest.approx(0.75)
    assert result.confidence["slots"] == pytest.approx(0.8 * 0.9)
    assert result.slot_confidence == {"size": pytest.approx(0.8)}
    assert result.speaker.dtype == np.float32 and result.speaker.tolist() == pytest.approx([0.6, 0.8, 0])
    assert result.gender is None and result.intent is None


SILENT = np.log([[0.9, 0.1], [0.7, 0.3], [0.9, 0.1]])


@pytest.mark.parametrize("heads", [None, ["accent", "speaker"]])
def test_nothing_is_said_of_a_speaker_where_nobody_speaks(heads):
    result = recognize_outputs({**make_outputs(), "speech": SILENT}, SPEC, heads)
    assert result.speaker is None and "accent" not in result.labels and "accent" not in result.confidence
    assert sorted(result.unanswered) == ["accent", "speaker"]
    assert result.keyword == (None if heads else "no")  # a keyword head has its own classes for silence
    assert [line.split() for line in str(result).splitlines()[-2:]] == [["accent", "-"], ["speaker", "-"]]
    assert Recognition.from_dict(json.loads(json.dumps(result.to_dict()))).unanswered == result.unanswered


@pytest.mark.parametrize("event, frames, answer", [
    ("speech", SILENT, None), ("rain", SILENT, "rain"), ("speech", np.log([[0.1, 0.9]]), "speech")])
def test_a_sound_is_no_speech_where_nobody_speaks(event, frames, answer):
    sounds = {"type": "classifier", "label": "event", "classes": ["rain", "speech", "none"]}
    spec = {"heads": {"speech": SPEC["heads"]["speech"], "sounds": sounds}}
    result = recognize_outputs({"speech": frames, "sounds": 9.0 * np.eye(3)[sounds["classes"].index(event)]}, spec)
    assert result.event == answer and result.unanswered == ([] if answer else ["event"])


def test_a_model_without_the_head_speech_answers_always():
    heads = {name: head for name, head in SPEC["heads"].items() if name != "speech"}
    assert recognize_outputs(make_outputs(), {"heads": heads}).labels["accent"] == "scottish"


def test_what_a_head_is_unsure_of_stays_unanswered():
    head = {"type": "classifier", "label": "gender", "classes": ["female", "male"]}
    for threshold, expected in ((0.59, "female"), (0.61, None)):
        result = recognize_outputs({"mine": np.log([0.6, 0.4])}, {"heads": {"mine": {**head, "threshold": threshold}}})
        assert result.gender == expected and result.unanswered == ([] if expected else ["gender"])


def test_survives_json():
    result = recognize_outputs(make_outputs(), SPEC)
    values = json.loads(json.dumps(result.to_dict()))
    assert "gender" not in values and values["words"][0]["text"] == "no"
    assert Recognition.from_dict(values).to_dict() == values
    with pytest.raises(ValueError, match="unknown key 'sentences'"):
        Recognition.from_dict({"sentences": "no"})


def test_prints_one_line_an_answer():
    lines = str(recognize_outputs(make_outputs(), SPEC)).splitlines()
    assert len(lines) == 8
    assert "speech       78%  0.04-0.12, 0.16-0.20 s" in lines and "music        85%  0.10-0.20 s" in lines
    assert lines[0].split() == ["transcript", "100%", "no"]
    assert "slots        72%  size: large" in lines
    assert str(Recognition(transcript="", confidence={"transcript": 0.9})) == "transcript   90%  (nothing)"


def test_only_the_heads_asked_for():
    result = recognize_outputs(make_outputs(), SPEC, heads=["keyword"])
    assert result.to_dict() == {"keyword": "no", "confidence": {"keyword": 0.75}}


def test_a_decoder_is_for_words_only():
    result = recognize_outputs(make_outputs(), SPEC, decoder=lambda logits, spec: Hypothesis("on"))
    assert (result.transcript, result.phones) == ("on", "N OW")


def test_the_head_named_as_the_label_owns_its_field():
    heads = {"command": {**SPEC["heads"]["keyword"]}, "keyword": SPEC["heads"]["keyword"]}
    outputs = {"command": np.log([0.9, 0.1]), "keyword": np.log([0.25, 0.75])}
    result = recognize_outputs(outputs, {"heads": heads})
    assert result.keyword == "no" and result.labels == {"command": "yes"}


@pytest.mark.parametrize("change, message", [
    ({"keyword": np.array([np.nan, 0])}, "head 'keyword': the model gave NaN"),
    ({"keyword": np.zeros(3)}, r"head 'keyword': logits have shape \(3,\); expected \(2,\)"),
    ({"slots": np.zeros(4)}, r"head 'slots': slot logits have shape \(4,\); expected \(5,\)"),
    ({"speech": np.zeros((4, 3))}, r"head 'speech': logits have shape \(4, 3\); expected \(frames, 2\)"),
    ({"speech": np.zeros(4)}, r"head 'speech': logits have shape \(4,\); expected \(frames, 2\)"),
    ({"speech": np.full((4, 2), np.nan)}, "head 'speech': the model gave NaN"),
    ({"speaker": np.array([np.inf, 0, 0])}, "head 'speaker': the embedding has NaN"),
])
def test_unusable_outputs_name_the_head(change, message):
    with pytest.raises(ValueError, match=message):
        recognize_outputs({**make_outputs(), **change}, SPEC)


def test_unknown_and_missing_heads():
    with pytest.raises(ValueError, match="no head 'mood'; it has: transcript, phones"):
        recognize_outputs(make_outputs(), SPEC, heads=["mood"])
    with pytest.raises(ValueError, match="outputs lack head 'phones'"):
        recognize_outputs({"transcript": make_outputs()["transcript"]}, SPEC)


def test_labels_may_be_numbers():
    result = Recognition(keyword="no", labels={"loudness": np.float32(-0.5), "mood": "", "level": 0.0})
    assert str(result).splitlines() == ["keyword         no", "loudness        -0.5", "mood            (nothing)",
                                        "level           0"]
    values = json.loads(json.dumps(result.to_dict()))
    assert values["labels"] == {"loudness": -0.5, "mood": "", "level": 0.0}
    assert Recognition.from_dict(values).answer("loudness") == -0.5 and result.answer("event") is None
    small = Recognition(labels={"pressure": 2.5e-5, "count": np.int64(12345678), "unknown": None}).to_dict()
    assert small == {"labels": {"pressure": 2.5e-5, "count": 12345678.0}}
    assert Recognition.from_dict(json.loads(json.dumps(small))).to_dict() == small


@pytest.mark.parametrize("names, owner", [
    (("near", "far"), "near"), (("far", "near"), "far"), (("near", "own"), "own")])
def test_of_two_heads_for_one_label_one_fills_the_field(names, owner):
    """The one that is named as the label, or else the first, whatever the type; the other has an entry in `labels`."""
    outputs = make_outputs()
    for label in ("speaker", "slots", "speech", "transcript"):
        spec, first = SPEC["heads"][label], outputs[label]
        heads = {label if name == "own" else name: spec for name in names}
        owning, other = sorted(heads, key=[label if owner == "own" else owner].count, reverse=True)
        given = {owning: first, other: first[::-1]}
        result = recognize_outputs(given, {**SPEC, "heads": heads})
        alone = [recognize_outputs({label: given[name]}, {**SPEC, "heads": {label: spec}}) for name in (owning, other)]
        kept, left = (each.to_dict() for each in alone)
        assert kept[label] != left[label]
        values = result.to_dict()
        assert values[label] == kept[label] and values.get("slot_confidence") == kept.get("slot_confidence")
        assert values["labels"] == {other: left[label]}
        assert Recognition.from_dict(json.loads(json.dumps(values))).to_dict() == values
        assert len(str(result).splitlines()) == 2


def test_an_embedding_of_another_label_is_no_speaker():
    spec = {**SPEC, "heads": {"owner": {"type": "speaker", "label": "owner", "embedding_size": 3}}}
    result = recognize_outputs({"owner": np.array([0.6, 0.8, 0.0])}, spec)
    assert result.speaker is None and result.answer("owner").tolist() == pytest.approx([0.6, 0.8, 0])
    assert str(result) == "owner        voice embedding of 3 numbers"
