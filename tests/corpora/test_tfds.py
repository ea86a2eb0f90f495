import types

import numpy as np
import pytest
import soundfile
import tensorflow_datasets as tfds

from speechzoo.config import ConfigError
from speechzoo.corpora import CORPORA, CorpusError, make_reader, read_corpus, tfds_builders
from speechzoo.corpora.tfds_corpus import _samples
from speechzoo.corpora.tfds_sources import TFDS_SOURCES
from speechzoo.data.manifest import check_utterance, read_manifest, write_manifest
from tests.corpora import trees

LABELS = {
    "librispeech": {"transcript", "speaker", "language"},
    "speech_commands": {"keyword"},
    "spoken_digit": {"keyword", "transcript", "language"},
    "crema_d": {"emotion", "speaker", "language"},
    "voxceleb": {"speaker", "video"},
    "common_voice": {"transcript", "speaker", "language", "accent"},
    "fleurs": {"transcript", "language"},
}


@pytest.mark.parametrize("name", TFDS_SOURCES)
def test_reads_what_the_builder_promises(tmp_path, name):
    with tfds.testing.mock_data(num_examples=2):
        utterances = list(read_corpus(f"tfds:{name}", tmp_path))
    assert len(utterances) == 2 * len(TFDS_SOURCES[name].splits)
    assert {utterance["split"] for utterance in utterances} == set(TFDS_SOURCES[name].splits.values())
    for utterance in utterances:
        assert LABELS[name] <= utterance.keys()
        assert utterance["_audio"].dtype == np.int16 and utterance["_audio"].ndim == 1
        assert utterance["_sample_rate"] in (8000, 16000, 48000)
        public = {key: value for key, value in utterance.items() if not key.startswith("_")}
        assert [field for field, _ in check_utterance(public)] == ["audio"]
        # As `prepare` writes it, with a record instead of the audio.
        public["record"] = {"shard": "x", "offset": 0, "length": 1}
        write_manifest(tmp_path / "m.jsonl", [{**public, "_audio": utterance["_audio"]}])
        assert read_manifest(tmp_path / "m.jsonl") == [public]


def labels(name, example, config="", **info):
    """The labels of one example of the dataset, as its real builder describes it."""
    with tfds.testing.mock_data():
        features = tfds.builder(TFDS_SOURCES[name].builder.format(config=config)).info.features
    return TFDS_SOURCES[name].labels(example, types.SimpleNamespace(features=features, **info), config)


def test_librispeech():
    example = {"id": b"84-121123-0001", "text": b"BUT IT'S", "speaker_id": 84, "chapter_id": 121123}
    metadata = {"speakers": {"84": {"gender": "F"}}}
    expected = {"id": "librispeech/84-121123-0001", "transcript": "but it's", "speaker": "librispeech_84",
                "language": "en"}
    assert labels("librispeech", example, metadata=metadata) == {**expected, "gender": "female"}
    assert labels("librispeech", example, metadata=None) == expected


@pytest.mark.parametrize("label, expected", [
    (2, {"keyword": "left", "transcript": "left", "language": "en"}),
    (10, {"keyword": "_silence_"}),
    (11, {"keyword": "_unknown_", "language": "en"}),
])
def test_speech_commands(label, expected):
    assert labels("speech_commands", {"label": np.int64(label)}) == expected


def test_spoken_digit_is_fsdd(tmp_path):
    read = {utterance["id"]: utterance for utterance in read_corpus("fsdd", trees.fsdd(tmp_path))}
    for file in ("0_theo_4.wav", "7_jackson_32.wav"):
        found = labels("spoken_digit", {"label": np.int64(int(file[0])), "audio/filename": file.encode()})
        expected = read[found["id"]]
        assert found == {key: expected[key] for key in expected if key not in ("audio", "corpus", "gender")}


def test_crema_d_and_voxceleb():
    assert labels("crema_d", {"label": np.int64(3), "speaker_id": b"1001"}) == {
        "emotion": "anger", "language": "en", "speaker": "crema_d_1001"}
    assert labels("voxceleb", {"label": np.int64(270), "youtube_id": b"5r0dWxy17C8"}) == {
        "speaker": "voxceleb_id10270", "video": "5r0dWxy17C8"}


def test_common_voice():
    example = {"client_id": b"ab12", "sentence": "Où est-il\u00a0?".encode(), "age": b"twenties", "gender": np.int64(1),
               "accent": b""}
    assert labels("common_voice", example, "fr") == {
        "transcript": "où est il", "language": "fr", "speaker": "common_voice_ab12", "gender": "female",
        "age_group": "adult"}
    unknown = labels("common_voice", {**example, "age": b"teens", "gender": np.int64(-1)}, "fy-NL")
    assert unknown == {"transcript": "où est il", "language": "fy", "speaker": "common_voice_ab12"}


def test_fleurs():
    example = {"transcription": b"boot ritte", "gender": np.int64(1), "lang_id": np.int64(0)}
    assert labels("fleurs", example, "af_za") == {"transcript": "boot ritte", "language": "af", "gender": "female"}


def test_scale_of_the_samples():
    assert _samples(np.array([-32768, 32767])).dtype == np.int16
    np.testing.assert_allclose(_samples(np.array([2 ** 30, -(2 ** 31)])), [0.5, -1.0])
    assert _samples(np.array([0.25])).dtype == np.float32


def test_names_and_options():
    assert make_reader("tfds:librispeech", splits="dev-clean,test-clean").splits == {
        "dev_clean": "dev-clean", "test_clean": "test-clean"}
    with pytest.raises(CorpusError, match="no reader for the TFDS dataset 'libri'; did you mean 'librispeech'"):
        make_reader("tfds:libri")
    with pytest.raises(CorpusError, match="'spoken_digit' has no config 'en'"):
        make_reader("tfds:spoken_digit/en")
    with pytest.raises(CorpusError, match="'crema_d' has none of the splits dev; known: train, validation, test"):
        make_reader("tfds:crema_d", splits=["dev"])
    with pytest.raises(ConfigError, match="has no option 'split'; did you mean 'splits'"):
        make_reader("tfds:crema_d", split="train")


def test_what_is_not_prepared_is_an_error_of_one_line(tmp_path):
    with pytest.raises(CorpusError, match=r"TFDS hasn't prepared 'spoken_digit' there; run `tfds build") as error:
        list(read_corpus("tfds:spoken_digit", tmp_path))
    with pytest.raises(CorpusError, match="tfds: common_voice/xx: ") as other:
        list(read_corpus("tfds:common_voice/xx", tmp_path))
    assert "\n" not in str(error.value) + str(other.value)


def test_every_public_corpus_has_a_builder():
    builders = {cls.reader for cls in tfds_builders.CorpusBuilder.__subclasses__()}
    assert builders == set(CORPORA) - {"folder", "manifest"}
    for name in builders:
        assert tfds.builder_cls(f"{name}_local").reader == name


def build(name, tmp_path, folder):
    """Builds `<name>_local` from a tree at `manual/<folder>` and loads it."""
    getattr(trees, name)(tmp_path / "manual" / folder)
    builder = tfds.builder(f"{name}_local", data_dir=tmp_path / "data")
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=tmp_path / "manual"))
    splits = tfds.load(f"{name}_local", data_dir=tmp_path / "data", download=False)
    return {split: {example["id"].decode(): example for example in tfds.as_numpy(examples)}
            for split, examples in splits.items()}


def test_builds_speechocean762(tmp_path):
    examples = build("speechocean762", tmp_path, "speechocean762")
    assert list(examples) == ["train"]
    example = examples["train"]["speechocean762/000010011"]
    assert (example["transcript"], example["phones"], example["age"], example["gender"]) == (
        b"we call it bear", b"W IY K AO L IH T B EH R", 6, b"male")
    original, _ = soundfile.read(tmp_path / "manual/speechocean762/WAVE/SPEAKER0001/000010011.WAV", dtype="int16")
    np.testing.assert_array_equal(example["audio"], original)


def test_builds_speech_commands_without_the_damaged_clip(tmp_path, caplog):
    trees.write_text(tmp_path / "manual" / "yes" / "bbbbbbbb_nohash_0.wav", "not audio")
    examples = build("speech_commands", tmp_path, "")
    assert set(examples) == {"training", "validation", "testing"}
    silence = examples["testing"]["speech_commands/_background_noise_/running_tap.wav@9"]
    assert (silence["keyword"], silence["transcript"], silence["audio"].shape) == (b"_silence_", b"", (16000,))
    assert "bbbbbbbb_nohash_0.wav is left out" in caplog.text
    assert not any("bbbbbbbb" in name for split in examples.values() for name in split)


def test_builds_snips(tmp_path):
    example = build("snips", tmp_path, "snips")["train"]["snips/train/PlayMusic/0"]
    assert "audio" not in example
    assert list(zip(example["slots"]["name"], example["slots"]["value"])) == [
        (b"playlist", b"cafe del mar"), (b"service", b"spotify")]
