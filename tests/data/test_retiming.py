"""Labels with times against the augmented recording itself: a tone is speech, all else is not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechzoo.config import AugmentConfig, DataConfig, RangeConfig, SourceConfig
from speechzoo.data.augment import Augmenter
from speechzoo.data.batching import BatchPlan
from speechzoo.data.feed import make_feed
from speechzoo.data.manifest import write_manifest
from speechzoo.data.pipeline import make_dataset
from speechzoo.data.retiming import ADDED_PAIRS, retime
from speechzoo.heads import AlignmentHead, FrameClassifierHead
from speechzoo.heads.frame_labels import frame_targets
from tests.helpers import SAMPLE_RATE, tone, write_wav

HOP = 160
AUGMENT = AugmentConfig(speed=RangeConfig(0.7, 0.8, 1.25), silence=RangeConfig(0.7, 0.3, 1.5), shift=RangeConfig(0.7, -0.4, 0.4))


def test_by_hand():
    pairs = np.array([[1, 30], [2, 60], [1, 100]], np.int32)
    same = retime(pairs, 1.0, 1.25, 0.0, 0.0)
    np.testing.assert_array_equal(same, pairs)
    assert retime(pairs, 1.0, 1.0, 0.5, 0.0).tolist() == [[1, 30], [2, 60], [1, 100], [1, 150]]
    # At twice the speed half a second of silence is as long as the recording.
    assert retime(pairs, 1.0, 2.0, 0.5, 0.0).tolist() == [[1, 30], [2, 60], [1, 100], [1, 200]]
    assert retime(pairs, 1.0, 1.0, 0.0, 0.2).tolist() == [[1, 20], [1, 50], [2, 80], [1, 100]]
    assert retime(pairs, 1.0, 1.0, 0.0, -0.5).tolist() == [[1, 0], [2, 10], [1, 50], [1, 100]]
    assert retime(pairs[:0], 1.0, 1.0, 0.5, 0.1).tolist() == []


@settings(deadline=None, max_examples=60)
@given(st.floats(0.5, 2), st.floats(0, 3), st.floats(-3, 3), st.floats(0.2, 9))
def test_none_stays_none_and_ends_rise(speed, silence, shift, seconds):
    pairs = retime(np.array([[1, 10_000]], np.int32), seconds, speed, silence, shift)
    assert (pairs[:, 0] == 1).all() and (np.diff(pairs[:, 1]) >= 0).all() and len(pairs) <= 1 + ADDED_PAIRS


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Recordings in which a tone sounds somewhere, and noises without any."""
    folder, random = tmp_path_factory.mktemp("tones"), np.random.default_rng(0)
    lines = []
    for number in range(24):
        before, sound, after = (float(np.round(seconds, 2)) for seconds in random.uniform(0.1, 0.7, 3))
        audio = np.concatenate([np.zeros(round(before * SAMPLE_RATE)), tone(sound), np.zeros(round(after * SAMPLE_RATE))])
        write_wav(folder / f"{number}.wav", audio)
        lines.append({"audio": f"{number}.wav", "duration": len(audio) / SAMPLE_RATE, "alignment": [
            ["SIL", before], ["AH", before + sound], ["SIL", len(audio) / SAMPLE_RATE]]})
    write_manifest(folder / "tones.jsonl", lines)
    write_wav(folder / "silence.wav", np.zeros(SAMPLE_RATE))
    write_manifest(folder / "silence.jsonl", [{"audio": "silence.wav", "duration": 1.0}])
    return folder


@pytest.mark.parametrize("how", ["dataset", "feed"])
def test_labels_follow_speed_silence_and_shift(corpus, how):
    heads = {"speech": FrameClassifierHead(["none", "speech"], name="speech"), "alignment": AlignmentHead(name="alignment")}
    config = DataConfig(root=str(corpus), augment=AUGMENT, seconds_per_batch=20.0, bucket_seconds=[1.0, 2.0, 4.0])
    sources = [SourceConfig("tones.jsonl"), SourceConfig("silence.jsonl", default_labels={"speech": "none"})]
    plan, augmenter = BatchPlan(sources, config, heads, seed=2), Augmenter(AUGMENT, seed=2)
    batches = (make_dataset(plan, 0, augmenter=augmenter).as_numpy_iterator() if how == "dataset"
               else make_feed(plan, 0, augmenter=augmenter))
    wrong = frames = heard = silent = 0
    for batch, (inputs, targets, weights) in zip(plan.epoch(0), batches):
        for row, length in enumerate(inputs["audio_length"]):
            blocks = inputs["audio"][row, :length // HOP * HOP].reshape(-1, HOP)
            loud = np.abs(blocks).max(axis=1) > 0.1
            for head in heads:
                logits = np.zeros((1, len(loud), 40), np.float32)
                if not weights[head][row]:
                    continue
                found = np.asarray(frame_targets(targets[head][row:row + 1], logits)[0])[0] > 0
                wrong += (found != loud).sum()
                frames += len(loud)
                heard += loud.sum()
                silent += batch.silences[row] > 0
    assert silent > 20 and heard > 0.2 * frames
    # A frame of 10 ms at either edge of a tone, as filters ring and times are rounded.
    assert wrong / frames < 0.02


def test_the_first_epoch_without_augmentation_is_as_it_was(corpus):
    head = FrameClassifierHead(["none", "speech"], name="speech")
    config = DataConfig(root=str(corpus), augment=AUGMENT, bucket_seconds=[4.0])
    plan = BatchPlan([SourceConfig("tones.jsonl")], config, {"speech": head}, sort_first_epoch=True)
    for batch in plan.epoch(0):
        np.testing.assert_array_equal(plan.targets(batch)[0]["speech"][:, :3],
                                      plan.examples.targets("speech", batch.indices, 3))
