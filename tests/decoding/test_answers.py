"""Every kind of answer, and that all of them are where a kind is asked for."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import speechzoo
from speechzoo.decoding.answers import ANSWERS, Answer, UnknownLabelError, answer_kind
from speechzoo.decoding.heads import find_head, find_heads
from speechzoo.decoding.recognition import recognize_outputs
from speechzoo.exporters.served.graph_decoding import GRAPH_ANSWERS, decode_outputs
from speechzoo.heads import HEADS
from speechzoo.serving.signatures import output_names
from tests.tiny_models import EXPORTED, tiny_model

CLASSES = {"type": "classifier", "label": "keyword", "classes": ["yes", "no", "_unknown_"]}
FRAMES = {"type": "frame_classifier", "label": "speech", "classes": ["none", "speech"]}


def test_the_tiny_model_has_a_head_of_every_kind():
    # A server has no steps, which a text of this kind takes; `tests/multitask/test_decode_step.py` has models with it.
    # Gains have no label; tests/exporters/test_stream_tflite.py exports them.
    assert {head["type"] for head in tiny_model().spec["heads"].values()} == set(ANSWERS) - {"seq2seq", "enhancement"}
    # Of the types of heads in configs, the others give outputs of one of these kinds, or are for training only.
    kinds = {"svm": "classifier", "spotter": "classifier", "relation": "classifier"}
    assert {kinds.get(name, name) for name, head in HEADS.items() if not head.auxiliary} == set(ANSWERS)
    assert set(EXPORTED["heads"]) == set(tiny_model().spec["heads"])


def test_of_a_decoder_its_memory_is_served():
    spec = {"heads": {"text": {"type": "seq2seq", "label": "transcript"}}}
    memory = np.ones((1, 3, 2), np.float32)
    served = decode_outputs({"text": memory}, spec)
    assert list(served) == output_names(spec) == ["text_memory"] and served["text_memory"] is memory
    assert set(GRAPH_ANSWERS) == set(ANSWERS)


def test_of_gains_no_answer_is_read():
    spec = {"type": "enhancement", "label": "enhancement", "bands": 3, "hop_length": 160, "subsampling": 1}
    kind, gains = answer_kind(spec), np.full((4, 3), 0.25)
    recognition = recognize_outputs({"gains": gains}, {"heads": {"gains": spec}})
    assert recognition.labels == {} and kind.answer(gains, spec) == (0.25, 0.0)
    assert kind.score(["clean"], [0.25], [0.0], ["ann"], spec) is None
    assert decode_outputs({"gains": gains[None]}, {"heads": {"gains": spec}}).keys() == {"gains_gains"}
    pair = [(gains, gains + np.array([0, 0.05, 0.2]))]
    assert kind.distance(pair, spec) == ("gain", pytest.approx(0.25 / 3)) and kind.changed(pair, spec) == pytest.approx(1 / 3)
    for wrong in (gains[:, :2], gains + np.nan):
        with pytest.raises(ValueError, match=r"expected finite gains \(frames, 3\)"):
            kind.answer(wrong, spec)


def test_reading_needs_numpy_only():
    code = """
import sys

class Device:
    def find_spec(self, name, path=None, target=None):
        room = name.split(".")[0]
        if room not in sys.stdlib_module_names | {"speechzoo", "numpy"} or name.startswith("speechzoo.metrics"):
            raise ImportError(f"a device has no {name}")

sys.meta_path.insert(0, Device())
import numpy as np
from speechzoo.decoding.answers import ANSWERS
from speechzoo.decoding.recognition import recognize_outputs
head = {"type": "classifier", "label": "keyword", "classes": ["yes", "no"]}
print(recognize_outputs({"keyword": np.zeros(2)}, {"heads": {"keyword": head}}).keyword, len(ANSWERS))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                            cwd=Path(speechzoo.__file__).parent.parent)
    assert result.stdout.split() == ["yes", str(len(ANSWERS))], result.stderr


def test_a_kind_that_lacks_something_is_no_kind():
    class Half(Answer):
        def labels(self, head_spec):
            return []

    with pytest.raises(TypeError, match="abstract"):
        Half()


def test_an_unknown_type_is_one_clear_line():
    spec = {"heads": {"mood": {"type": "ordinal", "label": "mood"}}}
    with pytest.raises(ValueError, match="^head 'mood': unknown head type 'ordinal'; this version reads ctc, .*: update"):
        recognize_outputs({"mood": np.zeros(3)}, spec)


@pytest.mark.parametrize("head_spec, value, expected", [
    (CLASSES, "no", "no"),
    (CLASSES, "marvin", "_unknown_"),
    ({"type": "classifier", "label": "floor", "classes": ["1", "2"]}, 2, "2"),
    (FRAMES, "none", "none"),
    (FRAMES, [["none", 0.3], ["speech", 1.0]], [["none", 0.3], ["speech", 1.0]]),
    ({"type": "ctc", "kind": "phones", "units": []}, "G  OW1", "G OW"),
    ({"type": "ctc", "kind": "pieces", "units": []}, "Go, now!", "go now"),
    ({"type": "slots", "slots": {}}, {"count": 2}, {"count": "2"}),
    ({"type": "speaker", "embedding_size": 2}, "ann", "home/ann"),
])
def test_labels_are_made_comparable(head_spec, value, expected):
    assert answer_kind(head_spec).reference(value, head_spec, "en", "home") == expected


@pytest.mark.parametrize("head_spec, value, strangers", [
    ({**CLASSES, "classes": ["yes", "no"]}, "marvin", ["marvin"]),
    (FRAMES, "music", ["music"]),
    (FRAMES, [["song", 0.1], ["speech", 0.3], ["music", 1.0]], ["music", "song"]),
])
def test_labels_without_a_class_are_named(head_spec, value, strangers):
    with pytest.raises(UnknownLabelError) as caught:
        answer_kind(head_spec).reference(value, head_spec)
    assert caught.value.labels == strangers


def test_heads_are_found_by_what_they_do():
    spec = tiny_model().spec
    assert find_heads(spec, type="ctc") == ["transcript", "letters", "phones"]
    assert find_heads(spec, kind=("characters", "pieces")) == ["transcript", "letters"]
    assert find_head(spec, type="ctc", kind="phones") == "phones"
    assert find_head(spec, type="classifier", label="language") == "language"
    assert find_head(spec, label="mood") is None and find_heads(spec, type="ctc", label="keyword") == []
    assert find_heads(spec) == list(spec["heads"])
