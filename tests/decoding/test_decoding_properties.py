"""Whatever finite numbers a network gives, decoding answers."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as st_numpy

from speechzoo.decoding.ctc.beam import BeamSearch
from speechzoo.decoding.ctc.greedy import greedy_decode
from speechzoo.decoding.recognition import recognize_outputs
from speechzoo.text.ngram import build_ngram

SPECS = [{"type": "ctc", "label": "transcript", "units": units, "kind": kind, "frame_seconds": 0.04}
         for units, kind in ((list("ab "), "characters"), (["a", "<|unk|>", " "], "characters"),
                             (["\u2581a", "\u2581b", "b"], "pieces"), (["AA", "B", "CH"], "phones"))]
LANGUAGE_MODEL = build_ngram(["a b", "ab ba"], order=2)
DECODERS = {
    "greedy": greedy_decode,
    "beam": BeamSearch(4),
    "beam of one": BeamSearch(1),
    "language model": BeamSearch(4, LANGUAGE_MODEL, lm_weight=2.0),
    "words": BeamSearch(3, words=["ab", "ba bb"]),
    "words and language model": BeamSearch(3, LANGUAGE_MODEL, words=["b"]),
}


def logits(columns):
    """(frames, columns) of any finite float32, and of the few values that ties and certainty are made of."""
    values = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -1e9, 1e9, 1.0])
    return st_numpy.arrays(np.float32, st.tuples(st.integers(0, 6), st.just(columns)), elements=values)


@pytest.mark.parametrize("name", DECODERS)
@settings(deadline=None, max_examples=60)
@given(values=logits(4), spec=st.sampled_from(SPECS))
def test_any_finite_logits_are_decoded(name, values, spec):
    hypothesis = DECODERS[name](values, spec)
    assert len(hypothesis.units) <= len(values) and set(hypothesis.units) <= {1, 2, 3}
    assert 0.0 <= hypothesis.confidence <= 1.0
    assert hypothesis.text.split() == [word.text for word in hypothesis.words]
    times = [time for word in hypothesis.words for time in (word.start, word.end)]
    assert times == sorted(times) and all(0 <= time <= len(values) * 0.04 + 1e-9 for time in times)


@settings(deadline=None, max_examples=60)
@given(values=st_numpy.arrays(np.float32, 5, elements=st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_any_finite_outputs_are_read(values):
    spec = {"heads": {"keyword": {"type": "classifier", "label": "keyword", "classes": list("vwxyz")},
                      "slots": {"type": "slots", "label": "slots", "slots": {"size": ["s", "m"], "drink": ["tea"]}}}}
    result = recognize_outputs({"keyword": values, "slots": values}, spec)
    assert result.keyword == "vwxyz"[int(values.argmax())]
    assert all(0.0 <= share <= 1.0 for share in (*result.confidence.values(), *result.slot_confidence.values()))
    assert set(result.slots) == set(result.slot_confidence) <= {"size", "drink"}
