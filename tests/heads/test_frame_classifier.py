"""What is particular to labels of one class for the whole recording, and to steps of a stream."""

import numpy as np
import pytest

from speechzoo.heads import FrameClassifierHead
from speechzoo.heads.frame_labels import frame_targets
from speechzoo.layers.stream_state import StreamState


def head_of():
    head = FrameClassifierHead(["none", "speech"], name="speech")
    head.build((None, None, 4))
    return head


@pytest.mark.parametrize("value, index", [("none", 0), ("speech", 1)])
@pytest.mark.parametrize("frames", [1, 500])
def test_one_class_is_that_of_every_frame(value, index, frames):
    target, valid = frame_targets(head_of().encode(value)[None], np.zeros((1, frames, 2), np.float32))
    assert (np.asarray(target) == index).all() and np.asarray(valid).all()


def test_labels_it_does_not_know():
    for value, message in (("music", "speech of head 'speech': 'music' is not among none, speech"),
                           ([["SIL", 1.0]], "'SIL' is not among none, speech"),
                           ([["none"]], r"expected a class or \[class, end in seconds\] pairs, got \[\['none'\]\]"),
                           (3, "expected a class or")):
        with pytest.raises(ValueError, match=message):
            head_of().encode(value)


@pytest.mark.parametrize("classes", [["speech"], ["none", "none"], ["none", "speech", "music"]])
def test_two_classes(classes):
    with pytest.raises(ValueError, match="head 'speech': classes must be two different names"):
        FrameClassifierHead(classes, name="speech")


@pytest.mark.parametrize("step", [1, 3])
def test_streamed_equals_offline(step):
    head, frames = head_of(), np.random.default_rng(0).standard_normal((2, 12, 4)).astype(np.float32)
    state = StreamState(None)
    pieces = [np.asarray(head(frames[:, start:start + step], state=state)) for start in range(0, 12, step)]
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), np.asarray(head(frames)), atol=1e-6)
    assert not state.new
