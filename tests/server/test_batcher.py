"""The thread of a model: what is heard together, and what isn't."""

import threading

import numpy as np
import pytest

from speechzoo.server.batcher import Batcher
from tests.fake_model import FakeModel

RATE = 16000


class Counting(FakeModel):
    """Waits until it may begin, remembers its batches (seconds) and what heads they needed; a loud one is too much."""

    def __init__(self):
        super().__init__()
        self.batches, self.heads, self.go = [], [], threading.Event()

    def batch_outputs(self, audios, heads=None):
        assert self.go.wait(60)
        self.batches.append([len(audio) / RATE for audio in audios])
        self.heads.append(heads)
        if any(audio.max() == 1 for audio in audios):
            raise MemoryError("too much")
        return [{"length": np.array(len(audio))} for audio in audios]


@pytest.fixture
def model():
    return Counting()


@pytest.fixture
def batcher(model):
    batcher = Batcher(model, 4)
    batcher.outputs(seconds(0.1), ["first"])  # the model is busy with this one while others come
    while batcher.waiting:
        pass
    yield batcher
    batcher.close()


def seconds(length, level=0.5):
    return np.full(round(length * RATE), level, np.float32)


def ask(model, batcher, lengths, heads=None):
    futures = [batcher.outputs(seconds(length), heads) for length in lengths]
    model.go.set()
    assert [int(future.result(60)["length"]) for future in futures] == [len(seconds(length)) for length in lengths]
    return model.batches[1:]


@pytest.mark.parametrize("lengths, batches", [
    ([1, 1, 1, 1, 1, 1], [[1, 1, 1, 1], [1, 1]]),  # four at most
    ([1, 3, 2, 0.5, 0.4], [[1, 2, 0.5], [3], [0.4]]),  # twice or half as long as the oldest at most
    ([30, 30, 30], [[30, 30], [30]]),  # 60 s with the padding at most
    ([25, 29, 21], [[25, 29], [21]]),
    ([0.9, 5, 1, 5], [[0.9, 1], [5, 5]]),
])
def test_batches(model, batcher, lengths, batches):
    assert ask(model, batcher, lengths) == batches


def test_steps_keep_their_place_and_run_in_the_models_thread(model, batcher):
    first, name = batcher.outputs(seconds(1)), batcher.call(lambda: threading.current_thread().name)
    model.go.set()
    assert name.result(60) == "model" and first.done()


def test_all_heads_that_anybody_needs(model, batcher):
    for heads in (["a", "b"], ["b", "c"]):
        last = batcher.outputs(seconds(1), heads)
    model.go.set()
    last.result(60)
    batcher.outputs(seconds(1), None).result(60)
    assert model.heads == [["first"], ["a", "b", "c"], None]


def test_one_that_is_too_much_takes_no_other_with_it(model, batcher):
    good, bad, late = (batcher.outputs(seconds(1, level)) for level in (0.5, 1.0, 0.5))
    model.go.set()
    with pytest.raises(MemoryError):
        bad.result(60)
    assert good.result(60) and late.result(60)
    assert model.batches == [[0.1], [1, 1, 1], [1], [1], [1]]


def test_what_nobody_waits_for_is_left_out(model, batcher):
    gone, waited = batcher.outputs(seconds(1)), batcher.outputs(seconds(5))
    assert gone.cancel()
    model.go.set()
    waited.result(60)
    assert model.batches == [[0.1], [5]]
    batcher.close()
    with pytest.raises(RuntimeError, match="has ended"):
        batcher.outputs(seconds(1))
