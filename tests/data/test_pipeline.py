import numpy as np
import pytest
import tensorflow as tf

from speechzoo.audio import load_audio
from speechzoo.config import DataConfig, SourceConfig
from speechzoo.data.audio_reader import AudioReader
from speechzoo.data.batching import BatchPlan
from speechzoo.data.pipeline import make_dataset
from tests.data.batch_corpus import HEADS, make_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    make_corpus(folder)
    return folder


def make_plan(folder, **options):
    config = DataConfig(root=str(folder), seconds_per_batch=6.0, bucket_seconds=[1.0, 2.0], **options)
    return BatchPlan([SourceConfig("train.jsonl")], config, HEADS, seed=5)


def assert_equal_batches(first, second):
    first, second = list(first), list(second)
    assert len(first) == len(second) > 0
    for one, other in zip(first, second):
        tf.nest.map_structure(np.testing.assert_array_equal, one, other)


def test_batches_hold_the_audio_and_labels_of_the_plan(corpus):
    plan = make_plan(corpus)
    reader = AudioReader(plan.examples)
    dataset = make_dataset(plan, epoch=0, reader=reader)
    assert dataset.element_spec[0]["audio"].dtype == tf.float32
    for batch, (inputs, targets, weights) in zip(plan.epoch(0), dataset.as_numpy_iterator(), strict=True):
        assert inputs["audio"].shape == (len(batch.indices), batch.num_samples)
        assert inputs["audio_length"].dtype == np.int32
        for row, index in enumerate(batch.indices):
            audio = reader.read(index)
            length = inputs["audio_length"][row]
            assert length == len(audio)
            np.testing.assert_array_equal(inputs["audio"][row, :length], audio)
            assert not inputs["audio"][row, length:].any()
        expected = plan.targets(batch)
        for head in HEADS:
            np.testing.assert_array_equal(targets[head], expected[0][head])
            np.testing.assert_array_equal(weights[head], expected[1][head])
    assert not reader.failures


def test_restarted_at_any_step_it_goes_on_as_if_uninterrupted(corpus):
    whole = list(make_dataset(make_plan(corpus), epoch=1).as_numpy_iterator())
    for step in (1, len(whole) - 1):
        assert_equal_batches(whole[step:], make_dataset(make_plan(corpus), epoch=1, step=step).as_numpy_iterator())
    assert not list(make_dataset(make_plan(corpus), epoch=1, step=len(whole)))


def test_both_decoders_give_the_same_samples(corpus):
    plan = make_plan(corpus)
    assert_equal_batches(make_dataset(plan, decoder="graph", threads=1).as_numpy_iterator(),
                         make_dataset(plan, decoder="soundfile", threads=1).as_numpy_iterator())
    with pytest.raises(ValueError, match="choose 'soundfile' or 'graph'"):
        make_dataset(plan, decoder="ffmpeg")


@pytest.mark.parametrize("decoder", ["soundfile", "graph"])
def test_damaged_audio_is_counted_and_skipped(tmp_path, decoder, caplog):
    make_corpus(tmp_path)
    good = list(make_dataset(make_plan(tmp_path), epoch=0).as_numpy_iterator())
    (tmp_path / "wav/1.wav").unlink()
    (tmp_path / "wav/3.wav").write_text("not audio")
    plan = make_plan(tmp_path)
    with (tmp_path / "shard.tfrecord").open("r+b") as shard:
        shard.seek(plan.examples.audio[4].offset + 500)
        shard.write(b"\0" * 40)
    reader = AudioReader(plan.examples)
    batches = list(make_dataset(plan, epoch=0, reader=reader, decoder=decoder).as_numpy_iterator())
    assert set(reader.failures) == {"u1", "u3", "u4"}
    assert "o such file" in reader.failures["u1"] and "text file" in reader.failures["u3"]
    assert "shard.tfrecord: record at byte" in reader.failures["u4"]
    assert sum("u3" in message for message in caplog.messages) == 1
    for batch, before, (inputs, targets, weights) in zip(plan.epoch(0), good, batches, strict=True):
        for row, name in enumerate(plan.ids(batch)):
            if name in reader.failures:
                assert inputs["audio_length"][row] == 0 and not inputs["audio"][row].any()
                assert weights["keyword"][row] == weights["letters"][row] == 0
            else:
                np.testing.assert_array_equal(inputs["audio"][row], before[0]["audio"][row])
                assert weights["keyword"][row] == before[2]["keyword"][row]


@pytest.mark.parametrize("decoder", ["soundfile", "graph"])
def test_parts_of_recordings(tmp_path, decoder):
    from speechzoo.data.manifest import write_manifest
    from tests.helpers import tone, write_wav
    audio = tone(3.0, seed=1)
    write_wav(tmp_path / "a.wav", audio)
    write_manifest(tmp_path / "train.jsonl", [{"audio": "a.wav", "start": 0.5, "duration": 1.25},
                                              {"audio": "a.wav", "start": 2.0}])
    plan = make_plan(tmp_path)
    inputs, _, _ = next(make_dataset(plan, decoder=decoder).as_numpy_iterator())
    whole = load_audio(tmp_path / "a.wav")
    assert plan.examples.seconds.tolist() == [1.25, 1.0]
    batches = {tuple(batch.indices[:1]): inputs for batch, (inputs, _, _) in
               zip(plan.sequential(), make_dataset(plan, decoder=decoder).as_numpy_iterator(), strict=True)}
    np.testing.assert_array_equal(batches[1,]["audio"][0], whole[32000:48000])
    np.testing.assert_array_equal(batches[0,]["audio"][0, :20000], whole[8000:28000])
