"""Bad input in Python: a documented exception that says what is wrong, or an answer."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import yaml

from speechzoo import registry
from speechzoo.audio import AudioError
from speechzoo.config import ConfigError, SourceConfig, load_config
from speechzoo.data.audio_reader import AudioReader
from speechzoo.data.examples import Examples
from speechzoo.data.prepare import prepare
from tests.bad_recordings import RECORDINGS, make, make_all
from tests.helpers import tone
from tests.tiny_models import tiny

CONFIG = tiny(heads={"keyword": {"classes": ["yes", "no"]}, "speaker": {}}, data={"train": [{"manifest": "train.jsonl"}]})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Folder of a training run: a config and weights, which nobody trained."""
    from speechzoo.multitask.build import build_model
    from speechzoo.weights import save_weights

    folder = tmp_path_factory.mktemp("run")
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    save_weights(build_model(load_config(folder / "config.yaml")), folder / "final.weights.h5")
    return folder


@pytest.fixture(scope="module")
def model(run):
    return registry.load(run)


# -- recordings -------------------------------------------------------------------------------------------------------

# Eight hours are recognised in pieces, which takes a while: tests/decoding/test_pieces.py hears one of them.
@pytest.mark.parametrize("name", [name for name in RECORDINGS if name != "eight_hours.wav"])
def test_recognize(model, tmp_path, name):
    path, message = make(tmp_path, name), RECORDINGS[name][1]
    tracemalloc.start()
    try:
        if message:
            with pytest.raises(AudioError) as error:
                model.recognize(path)
            assert str(path) in str(error.value) and message in str(error.value) and "\n" not in str(error.value)
        else:
            assert model.recognize(path).keyword in ("yes", "no")
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("what, change, message", [
    ("int16", lambda audio: (audio * 32767).astype(np.int16), None),
    ("float64", lambda audio: audio.astype(np.float64), None),
    ("stereo", lambda audio: np.stack([audio, audio], axis=1), None),
    ("channels first", lambda audio: np.stack([audio, audio]), r"shape \(2, 8000\): expected \(samples,\) or"),
    ("a batch of stereo", lambda audio: audio[None, :, None], r"shape \(1, 8000, 1\): expected \(samples,\) or"),
    ("a number", lambda audio: np.array(0.5), r"shape \(\): expected \(samples,\) or"),
    ("int64", lambda audio: (audio * 32767).astype(np.int64), "type int64: expected uint8, int8, int16"),
    ("booleans", lambda audio: audio > 0, "type bool: expected"),
    ("complex", lambda audio: audio.astype(complex), "type complex128: expected"),
    ("no samples", lambda audio: audio[:0], "holds no samples"),
    ("not a number", lambda audio: audio * np.nan, "not a finite number"),
    ("the scale of int16", lambda audio: audio * 32767, "full scale is 1; divide 16-bit values by 32768"),
])
def test_recognize_an_array(model, what, change, message):
    if message:
        with pytest.raises(AudioError, match=message):
            model.recognize(change(tone(0.5)))
    else:
        audio = tone(0.5, seed=1)
        same = model.recognize(audio)
        np.testing.assert_allclose(model.recognize(change(audio)).speaker, same.speaker, atol=1e-2)


@pytest.mark.parametrize("rate", [0, -16000, 16000.5, float("nan"), "16000", 10 ** 9])
def test_recognize_at_an_impossible_rate(model, rate):
    with pytest.raises(AudioError, match="sample rate .* is not a whole number of Hz from 1000 to 768000"):
        model.recognize(tone(0.1), rate)


@pytest.mark.parametrize("audio", [None, 3, [0.0, 0.1]])
def test_recognize_what_is_no_audio_at_all(model, audio):
    with pytest.raises(TypeError, match="audio must be a path, bytes, a file object or an .array, sample rate. pair"):
        model.recognize(audio)


def test_a_bad_recording_in_a_corpus_is_listed_and_the_rest_prepared(tmp_path):
    (tmp_path / "source").mkdir()
    make_all(tmp_path / "source")
    (tmp_path / "source" / "8_bit.txt").write_bytes(b"\xff\xfe")
    summary = prepare("folder", tmp_path / "source", tmp_path / "out")
    skipped = {line["audio"]: line["reason"] for line in map(json.loads, open(tmp_path / "out" / "skipped.jsonl"))}
    expected = {name: message for name, (_, _, message) in RECORDINGS.items() if message and name != "missing.wav"}
    expected["8_bit.wav"] = "its transcript, 8_bit.txt, is not a text file in UTF-8"
    assert skipped.keys() == expected.keys()
    assert all(message in skipped[name] for name, message in expected.items())
    assert summary.utterances == len(RECORDINGS) - 1 - len(skipped)


def test_a_bad_recording_in_training_data_is_left_out_or_named(tmp_path):
    class Head:
        label, target_shape, target_dtype, unlabelled = "keyword", (), "int32", False
        encode = staticmethod(["yes", "no"].index)

    make_all(tmp_path)
    lines = [{"id": name, "audio": name, "keyword": "yes"} for name in RECORDINGS]
    # A manifest that says how long its recordings are isn't checked against them before they are read.
    lines += [{"id": f"{name} again", "audio": name, "duration": 0.5, "keyword": "maybe"} for name in RECORDINGS]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, lines)))
    examples = Examples([SourceConfig("train.jsonl")], {"keyword": Head()}, tmp_path, maximum_seconds=60)
    assert examples.left_out["audio can't be read"] == 5 and examples.left_out["longer than 60 s"] == 1
    assert sum(examples.unused_labels["keyword"].values()) == len(RECORDINGS)
    reader = AudioReader(examples)
    for index in range(len(examples)):
        audio = reader.read(index)
        assert bool(len(audio)) != (examples.ids[index] in reader.failures)
    # Half a second of each is asked for.
    asked = {name: message for name, (_, _, message) in RECORDINGS.items()}
    asked |= {"eight_hours.wav": None, "claims_eight_hours.wav": None,
              "one_sample.wav": "0.00 s to 0.50 s was asked for, and the recording ends at 0.00 s"}
    for name, message in asked.items():
        assert (message or "") in reader.failures.get(f"{name} again", "")
        assert bool(message) == (f"{name} again" in reader.failures)


# -- weights ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("what, change, message", [
    ("truncated", lambda data: data[:len(data) // 2], "truncated, damaged or no weights file"),
    ("empty", lambda data: b"", "truncated, damaged or no weights file"),
    ("text", lambda data: b"weights\n", "truncated, damaged or no weights file"),
])
def test_weights_of_a_run(run, tmp_path, what, change, message):
    (tmp_path / "config.yaml").write_bytes((run / "config.yaml").read_bytes())
    (tmp_path / "final.weights.h5").write_bytes(change((run / "final.weights.h5").read_bytes()))
    with pytest.raises(ValueError, match=message) as error:
        registry.load(tmp_path)
    assert str(tmp_path / "final.weights.h5") in str(error.value) and "\n" not in str(error.value)


def test_weights_with_wrong_contents(run, tmp_path):
    import h5py

    from speechzoo.weights import read_arrays

    path = tmp_path / "final.weights.h5"
    path.write_bytes((run / "final.weights.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        name = max(read_arrays(run / "final.weights.h5"), key=len)
        file[name][...] = file[name][()] + 1
    with pytest.raises(ValueError, match="damaged, its contents don't match its digest; fetch or save it again"):
        read_arrays(path)


@pytest.mark.parametrize("what, files, message", [
    ("no weights", {}, "has no pretrained weights; load it with weights=None and train it"),
    ("wrong hash", {"model.weights.h5": b"x", "metrics.json": b'{"weights": {"sha256": "00"}}'},
     "its SHA-256 is not 00"),
    ("no hash", {"model.weights.h5": b"x", "metrics.json": b"{}"}, "model.weights.h5: damaged"),
    ("no metrics", {"model.weights.h5": b"x"}, "model.weights.h5: damaged"),
    ("damaged metrics", {"model.weights.h5": b"x", "metrics.json": b"{"}, "metrics.json: damaged, not valid JSON"),
])
def test_packaged_weights(tmp_path, monkeypatch, what, files, message):
    monkeypatch.setattr(registry, "_checkpoint_folder", lambda name: tmp_path)
    for name, contents in files.items():
        (tmp_path / name).write_bytes(contents)
    with pytest.raises(ValueError, match=message):
        registry.load("mtl_ds_cnn_micro")


def test_a_head_that_is_not_there(model, run):
    with pytest.raises(ValueError, match="the model has no head 'mood'; it has: keyword, speaker"):
        model.recognize(tone(0.1), heads=["mood"])
    for heads in ("keyword", []):
        with pytest.raises(ValueError, match="heads is a list of names"):
            model.recognize(tone(0.1), heads=heads)
    with pytest.raises(ConfigError, match="no head 'kyword'; did you mean 'keyword'"):
        registry.load(run, heads=["kyword"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_reported_with_the_log(tmp_path):
    from speechzoo.training.run_log import RunLog

    log = RunLog(tmp_path)
    log.path.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device: '.*log.jsonl'"):
        log.write({"event": "train", "step": 1, "loss": 1.0})
    log.close()


# -- configs ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("override, message", [
    ("training.learning_rate=-1", "training.learning_rate: must be 0 or more, got -1.0"),
    ("training.learning_rate=.nan", "training.learning_rate: must be 0 or more, got nan"),
    ("training.evaluate_every=0", "training.evaluate_every: must be 1 or more, got 0"),
    ("training.ema_momentum=1", "training.ema_momentum: must be 0 or more and less than 1"),
    ("training.seed=-1", "training.seed: must be 0 or more"),
    ("sample_rate=0", "sample_rate: must be above 0, got 0"),
    ("heads.keyword.loss_weight=-1", "heads.keyword.loss_weight: must be 0 or more"),
    ("data.bucket_seconds=[]", r"data.bucket_seconds: must be lengths above 0 that rise, got \[\]"),
    ("data.bucket_seconds=[2, 1]", "data.bucket_seconds: must be lengths above 0 that rise"),
    ("data.bucket_seconds=[.nan]", "data.bucket_seconds: must be lengths above 0 that rise"),
    ("data.seconds_per_batch=.inf", "data.seconds_per_batch: must be above 0, got inf"),
    ("training.precision=float16", "training.precision: must be float32 or bfloat16, got 'float16'"),
    ("training.cache_gigabytes=0", "training.cache_gigabytes: must be above 0, got 0.0"),
    ("training.rates={backbone/*: 0}", r"training.rates: the factor of 'backbone/\*' must be above 0, got 0; put it into "
                                       "training.freeze"),
    ("training.decay=cosin", "training.decay: must be cosine or linear, got 'cosin'"),
    ("data.train=[{manifest: a.jsonl, repeat: 0}]", "data.train.0.repeat: must be above 0"),
    ("data.augment.gain={probability: 7}", "data.augment.gain.probability: must be between 0 and 1"),
    ("data.augment.gain={minimum: 3, maximum: 1}", "data.augment.gain: minimum 3 and maximum 1 are no range"),
])
def test_numbers_of_a_config(run, override, message):
    with pytest.raises(ConfigError, match=f"^config.yaml.{message}"):
        load_config(run / "config.yaml", [override])


@pytest.mark.parametrize("override, message", [
    ("backbone.channels=lots", "backbone 'ds_cnn': channels: expected int, got 'lots'"),
    ("backbone.chanels=3", "backbone 'ds_cnn' has no option 'chanels'; did you mean 'channels'"),
    ("backbone.type=ds_cn", "unknown backbone 'ds_cn'; did you mean 'ds_cnn'"),
    ("heads.keyword.dropout=[1]", r"head 'classifier': dropout: expected float, got \[1\]"),
    ("heads.keyword.block=9", "head 'keyword' reads block 9; the backbone has blocks 1 to 2"),
])
def test_options_of_a_config(run, override, message):
    from speechzoo.multitask.build import build_model

    with pytest.raises(ConfigError, match=message):
        build_model(load_config(run / "config.yaml", [override]))
