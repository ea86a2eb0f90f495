"""Runs of frames as segments, by hand and against a loop."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from speechzoo.decoding.ctc.segments import Segment, frame_probabilities, read_segments, segments_text
from speechzoo.decoding.recognition import Recognition, recognize_outputs

SPEC = {"type": "frame_classifier", "label": "speech", "classes": ["none", "speech"], "frame_seconds": 0.5}


def logits_of(probabilities):
    return np.log([[1 - probability, probability] for probability in probabilities]).reshape(-1, 2)


@settings(deadline=None)
@given(st.lists(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), max_size=12))
def test_segments_are_the_runs_above_a_half(probabilities):
    segments, confidence = read_segments(logits_of(probabilities), SPEC)
    heard = [any(segment.start <= 0.5 * frame < segment.end for segment in segments) for frame in range(len(probabilities))]
    assert heard == [probability > 0.5 for probability in probabilities]
    assert all(before.end < after.start for before, after in zip(segments, segments[1:]))
    for segment in segments:
        within = probabilities[round(segment.start / 0.5):round(segment.end / 0.5)]
        np.testing.assert_allclose(segment.confidence, np.mean(within))
    np.testing.assert_allclose(confidence, np.mean([max(p, 1 - p) for p in probabilities]) if probabilities else 1)


def test_padding_counts_for_nothing():
    logits = logits_of([0.1, 0.8])
    padded = np.concatenate([logits, [[0, -1e9], [0, -1e9]]])
    assert read_segments(padded, SPEC) == read_segments(logits, SPEC)
    np.testing.assert_allclose(frame_probabilities(padded, SPEC), [0.1, 0.8])


def test_nobody_speaks_and_no_head_for_it_are_different():
    silent = recognize_outputs({"speech": logits_of([0.1, 0.2])}, {"heads": {"speech": SPEC}})
    assert silent.speech == [] and silent.to_dict()["speech"] == [] and str(silent) == "speech   85%  (nothing)"
    assert Recognition.from_dict(silent.to_dict()).speech == []
    assert Recognition().speech is None and "speech" not in Recognition().to_dict()


def test_text_and_json():
    result = Recognition(speech=[Segment(0.31, 2.6, 0.98765), Segment(3, 4.1, 1.0)], confidence={"speech": 0.9})
    assert segments_text(result.speech) == "0.31-2.60, 3.00-4.10 s" and segments_text([]) == ""
    assert result.to_dict()["speech"][0] == {"start": 0.31, "end": 2.6, "confidence": 0.9877}
    assert result.answer("speech") is result.speech
