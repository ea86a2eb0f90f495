"""A word anywhere in a recording, or nowhere."""

import numpy as np
import pytest

from speechzoo.heads import SpotterHead
from speechzoo.layers.stream_state import StreamState

CLASSES = ["alexa", "computer", "_unknown_"]


def head_of(window=3, **options):
    """A head whose logits are the means of the first three channels."""
    head = SpotterHead(CLASSES, window=window, name="keyword", **options)
    head.build((None, None, 4))
    head.logits.kernel.assign(np.eye(4, 3))
    return head


def frames_with(word, first, frames=20, lead=6.0):
    """`word` for three frames in frames of `_unknown_`."""
    frames = np.tile([0.0, 0.0, 3.0, 0.0], (1, frames, 1)).astype(np.float32)
    frames[0, first:first + 3, CLASSES.index(word)] = lead
    return frames


@pytest.mark.parametrize("first", [0, 8, 17])
def test_a_word_is_found_wherever_it_stands(first):
    answer = np.asarray(head_of()(frames_with("computer", first)))[0]
    np.testing.assert_allclose(answer, [0.0, 6.0, answer[2]], atol=1e-6)
    assert answer[2] <= 3.0 and answer.argmax() == 1


def test_without_a_word_the_frame_nearest_to_one_answers():
    answer = np.asarray(head_of()(frames_with("alexa", 9, lead=2.5)))[0]
    np.testing.assert_allclose(answer, [2.5, 0.0, 3.0], atol=1e-6)


def test_windows_look_back_on_zeros_first():
    frames = np.random.default_rng(1).standard_normal((1, 6, 4)).astype(np.float32)
    padded = np.pad(frames[0], ((2, 0), (0, 0)))[:, :3]
    expected = [padded[end - 3:end].mean(axis=0) for end in range(3, 9)]
    np.testing.assert_allclose(np.asarray(head_of().window_logits(frames))[0], expected, atol=1e-6)


@pytest.mark.parametrize("memory, found", [(0.0, "alexa"), (2.0, "computer")])
def test_memory_prefers_what_was_said_last(memory, found):
    frames = frames_with("alexa", 2, lead=9.0) + frames_with("computer", 14, lead=7.0) - frames_with("alexa", 0, lead=0.0)
    assert CLASSES[np.asarray(head_of(memory=memory)(frames))[0].argmax()] == found


@pytest.mark.parametrize("memory", [0.0, 4.0])
@pytest.mark.parametrize("step", [1, 3])
def test_streamed_equals_offline(memory, step):
    frames = np.random.default_rng(2).standard_normal((2, 12, 4)).astype(np.float32)
    head, state = head_of(memory=memory), None
    for start in range(0, 12, step):
        hears = StreamState(state)
        answer = head(frames[:, start:start + step], state=hears)
        state = hears.new
        np.testing.assert_allclose(answer, head(frames[:, :start + step]), atol=1e-5)


@pytest.mark.parametrize("options, message", [
    ({"classes": ["alexa", "computer"]}, "head 'keyword': classes must be words, and _unknown_, _silence_ or both"),
    ({"classes": ["_unknown_", "_silence_"]}, "head 'keyword': classes must be words"),
    ({"classes": CLASSES, "window": 0}, "head 'keyword': window must be 1 or more frames, got 0"),
])
def test_what_it_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        SpotterHead(**options, name="keyword")
