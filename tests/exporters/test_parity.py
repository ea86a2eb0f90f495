"""How far an export may be from the Keras model."""

import numpy as np
import pytest

from speechzoo.exporters.errors import ExportError
from speechzoo.exporters.parity import check_parity, measure_parity, parity_table

SPEC = {"heads": {
    "transcript": {"type": "ctc", "units": ["a", "b"]},
    "keyword": {"type": "classifier", "classes": ["yes", "no"]},
    "slots": {"type": "slots", "slots": {"size": ["large"], "drink": ["tea", "coffee"]}},
    "speaker": {"type": "speaker", "embedding_size": 2},
    "speech": {"type": "frame_classifier", "classes": ["none", "speech"]}}}


def outputs():
    return {"transcript": np.log([[.8, .1, .1], [.1, .8, .1], [.1, .8, .1], [.1, .1, .8]]), "keyword": np.log([.9, .1]),
            "slots": np.log([.7, .3, .2, .2, .6]), "speaker": np.array([0.6, 0.8]),
            "speech": np.log([[.9, .1], [.2, .8], [.4, .6]])}


def measure(quantize, **changes):
    rows = measure_parity([outputs(), outputs()], [outputs(), {**outputs(), **changes}], SPEC, quantize)
    return {row.head: row for row in rows}


@pytest.mark.parametrize("quantize", ["none", "float16", "dynamic", "int8", "int16x8"])
def test_equal_outputs_are_at_zero(quantize):
    rows = measure(quantize)
    assert list(rows) == list(SPEC["heads"])
    assert all(row.value == pytest.approx(0, abs=1e-12) and row.passed and row.changed == 0 for row in rows.values())


def test_float32_is_held_to_its_outputs():
    greatest = np.abs(outputs()["keyword"]).max()  # 2.3: rounding grows with what is rounded
    rows = measure("none", keyword=outputs()["keyword"] + [0, 2e-4 * greatest])
    assert rows["keyword"].value == pytest.approx(2e-4) and not rows["keyword"].passed
    assert measure("none", keyword=outputs()["keyword"] + 0.9e-4 * greatest)["keyword"].passed
    # No number of an embedding is above 1: there the difference itself counts.
    assert measure("none", speaker=outputs()["speaker"] + 2e-4)["speaker"].value == pytest.approx(2e-4)


def test_another_class_costs_what_keras_thought_of_its_own():
    row = measure("int8", keyword=np.log([.4, .6]))["keyword"]
    assert row.value == pytest.approx((0 + (.9 - .1)) / 2) and row.changed == 0.5 and not row.passed


def test_a_slot_is_a_decision_of_its_own():
    row = measure("int8", slots=np.log([.7, .3, .2, .6, .2]))["slots"]
    assert row.value == pytest.approx((.6 - .2) / 4) and row.changed == 0.25


def test_blank_frames_do_not_dilute_lost_tokens():
    deaf = np.log([[.8, .1, .1]] * 4)
    row = measure("int8", transcript=deaf)["transcript"]
    assert row.value == pytest.approx((3 * 0 + 3 * .7) / 6)  # three frames with tokens in each of two recordings
    assert row.changed == 0.5  # "a b" twice, once nothing of it


def test_a_frame_is_a_decision_of_its_own():
    row = measure("int8", speech=np.log([[.9, .1], [.2, .8], [.6, .4]]))["speech"]
    assert row.value == pytest.approx((.6 - .4) / 6) and row.changed == pytest.approx(1 / 6)
    longer, shorter = outputs(), {**outputs(), "speech": outputs()["speech"][:1]}  # recordings of unequal length
    for quantize in ("none", "int8"):
        assert all(row.passed for row in measure_parity([longer, shorter], [longer, shorter], SPEC, quantize))


def test_an_embedding_is_measured_by_its_direction():
    row = measure("int8", speaker=np.array([1.2, 1.6]))["speaker"]
    assert row.value == pytest.approx(0, abs=1e-12) and row.passed
    assert not measure("int8", speaker=np.array([0.8, -0.6]))["speaker"].passed


@pytest.mark.parametrize("quantize", ["none", "int8"])
@pytest.mark.parametrize("head", SPEC["heads"])
def test_not_a_number_never_passes(quantize, head):
    broken = outputs()[head].copy()
    broken.flat[0] = np.nan
    assert not measure(quantize, **{head: broken})[head].passed


def test_another_shape_is_refused():
    with pytest.raises(ExportError, match="head 'keyword' gives shape"):
        measure("none", keyword=np.zeros(3))


def test_the_worst_head_is_named():
    rows = measure("none", keyword=outputs()["keyword"] + 1e-3, transcript=outputs()["transcript"] + 1.0)
    with pytest.raises(ExportError, match="m.tflite: head 'transcript' is too far .* nothing was written"):
        check_parity(list(rows.values()), "m.tflite")
    check_parity(list(measure("none").values()), "m.tflite")


def test_the_table_has_a_line_a_head():
    lines = parity_table(list(measure("float16").values())).splitlines()
    assert len(lines) == 6 and lines[0].startswith("head") and "cosine distance" in lines[4]
