import io
import os
import threading

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from speechzoo.audio import recording as recording_module
from speechzoo.audio import AudioError, audio_info, encode_flac, load_audio, resample, stream_audio
from tests.helpers import encoded, tone, write_wav


@pytest.mark.parametrize("container, subtype, tolerance", [
    ("WAV", "PCM_U8", 1 / 100), ("WAV", "PCM_16", 2 / 32768), ("WAV", "PCM_24", 1e-6), ("WAV", "PCM_32", 1e-6),
    ("WAV", "FLOAT", 0), ("WAV", "DOUBLE", 0), ("FLAC", "PCM_16", 2 / 32768), ("FLAC", "PCM_24", 1e-6),
    ("AIFF", "PCM_16", 2 / 32768), ("OGG", "VORBIS", 0.05), ("OGG", "OPUS", 0.1), ("MP3", "MPEG_LAYER_III", 0.05),
])
def test_every_encoding_gives_the_samples_that_went_in(container, subtype, tolerance):
    expected = tone(0.5, seed=1)
    audio = load_audio(encoded(expected, container, subtype=subtype))
    assert audio.dtype == np.float32 and audio.shape == expected.shape
    np.testing.assert_allclose(audio[800:-800], expected[800:-800], atol=tolerance)


def test_path_bytes_stream_and_array_are_the_same(tmp_path):
    path = write_wav(tmp_path / "a.wav", tone(0.3, seed=1))
    samples, _ = soundfile.read(path, dtype="int16")
    expected = load_audio(path)
    for source in (str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), path.open("rb"), (samples, 16000),
                   (samples.astype(np.int32) << 16, 16000), (samples[:, None], 16000), (samples / 32768, 16000)):
        np.testing.assert_array_equal(load_audio(source), expected)


def test_unseekable_stream():
    class Pipe(io.RawIOBase):
        def __init__(self, data):
            self.buffer = io.BytesIO(data)

        def readable(self):
            return True

        def readinto(self, target):
            return self.buffer.readinto(target)

    data = encoded(tone(0.1))
    np.testing.assert_array_equal(load_audio(Pipe(data)), load_audio(data))


def test_named_pipe(tmp_path):
    data = encoded(tone(0.1))
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(data,))
    writer.start()
    np.testing.assert_array_equal(load_audio(tmp_path / "pipe"), load_audio(data))
    writer.join()


def test_channels_are_averaged_and_96_khz_surround_is_resampled(tmp_path):
    channels = np.stack([tone(0.5, frequency, 96000) for frequency in (200, 300, 400, 500, 600, 700)], axis=1)
    path = write_wav(tmp_path / "surround.wav", channels, 96000, "FLOAT")
    expected = np.mean([tone(0.5, frequency) for frequency in (200, 300, 400, 500, 600, 700)], axis=0)
    audio = load_audio(path)
    assert audio.shape == (8000,)
    np.testing.assert_allclose(audio[200:-200], expected[200:-200], atol=1e-3)
    info = audio_info(path)
    assert (info.duration, info.sample_rate, info.channels) == (0.5, 96000, 6)


def test_resampling_has_no_delay():
    resampled = resample(tone(0.5, sample_rate=44100), 44100, 16000)
    np.testing.assert_allclose(resampled[200:-200], tone(0.5)[200:-200], atol=1e-3)
    same = tone(0.1)
    assert resample(same, 16000, 16000) is same


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_part_is_the_part_of_the_whole(container, tmp_path):
    path = tmp_path / "a.audio"
    path.write_bytes(encoded(tone(2.0, seed=1), container))
    whole = load_audio(path)
    np.testing.assert_allclose(load_audio(path, start=0.5, duration=0.75), whole[8000:20000], atol=2e-2)
    np.testing.assert_allclose(load_audio(path, start=1.5), whole[24000:], atol=2e-2)
    assert len(load_audio(path, start=1.5, duration=10)) == 8000


def test_only_the_part_is_read_of_a_long_recording(tmp_path, monkeypatch):
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 8000, 1, "PCM_U8") as file:
        for _ in range(60):
            file.write(np.zeros(8000 * 60, np.float32))
        file.seek(8000 * 1800)
        file.write(tone(1.0, sample_rate=8000))
    read, mono = [], recording_module.average_channels
    monkeypatch.setattr(recording_module, "average_channels", lambda block: read.append(len(block)) or mono(block))
    audio = load_audio(path, start=1800, duration=1)
    assert sum(read) == 8000 and np.abs(audio).max() > 0.3
    read.clear()
    with pytest.raises(AudioError, match="long.wav: 3600.0 s, longer than 30 s: read a part of it with start and dur"):
        load_audio(path, maximum_seconds=30)
    assert not read  # refused before decoding
    with pytest.raises(AudioError, match="start is 4000.00 s, the recording ends at 3600.00 s"):
        load_audio(path, start=4000)


def test_maximum_holds_for_arrays_too():
    with pytest.raises(AudioError, match="2.0 s, longer than 1 s"):
        load_audio((tone(2.0), 16000), maximum_seconds=1)
    assert len(load_audio((tone(2.0), 16000), start=1.5, maximum_seconds=1)) == 8000


def test_silent_and_clipped_recordings_work():
    assert not load_audio(encoded(np.zeros(1600))).any()
    clipped = load_audio((np.sign(tone(0.1, sample_rate=44100)), 44100))
    assert np.abs(clipped).max() == 1.0  # resampling overshoots


@pytest.mark.parametrize("name", ["a.mp3", "a.raw", "a.txt", "a", "ein Ton ♪.flac"])
def test_content_decides_not_the_name(name, tmp_path):
    (tmp_path / name).write_bytes(encoded(tone(0.1)))
    assert len(load_audio(tmp_path / name)) == 1600


def test_what_is_not_a_recording_says_so(tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("a transcript\n")
    (tmp_path / "noise.wav").write_bytes(bytes(range(256)) * 10)
    write_wav(tmp_path / "none.wav", np.zeros(0))
    for source, message in ((tmp_path / "missing.wav", "missing.wav: no such file"), (tmp_path, "is a directory"),
                            (tmp_path / "empty.wav", "empty.wav: empty, 0 bytes"), (b"", "the audio bytes: empty"),
                            (tmp_path / "text.wav", "text.wav: a text file, not audio"),
                            (tmp_path / "noise.wav", "noise.wav: damaged, or not WAV, FLAC, OGG or MP3 audio"),
                            (tmp_path / "none.wav", "none.wav: holds no samples")):
        with pytest.raises(AudioError, match=message) as error:
            load_audio(source)
        assert "\n" not in str(error.value)
    with pytest.raises(AudioError, match="no such file"):
        audio_info(tmp_path / "missing.wav")


@pytest.mark.parametrize("samples, message", [
    (np.array([0, np.nan, 0], np.float32), "sample 1 at 0.000 s is not a finite number"),
    (np.array([0, 0, np.inf], np.float32), "sample 2 .* not a finite number"),
    (np.full(100, 12000.0), "float samples reach 12000, full scale is 1"),
    (np.zeros((2, 100)), r"shape \(2, 100\): expected \(samples,\) or \(samples, channels\)"),
    (np.zeros(0), "holds no samples"),
    (np.array(["a"]), "type <U1: expected uint8, int8, int16, int32 or floats"),
])
def test_arrays_that_can_not_be_audio(samples, message):
    with pytest.raises(AudioError, match=message):
        load_audio((samples, 16000))


def test_not_a_number_in_a_float_wav():
    samples = tone(0.1)
    samples[800] = np.nan
    with pytest.raises(AudioError, match="sample 800 at 0.050 s is not a finite number"):
        load_audio(encoded(samples, subtype="FLOAT"))


@pytest.mark.parametrize("arguments, message", [
    (dict(start=-1), "start must be"), (dict(start=float("nan")), "start must be"),
    (dict(duration=0), "duration must be"), (dict(duration=float("inf")), "duration must be"),
])
def test_bad_arguments(arguments, message):
    with pytest.raises(AudioError, match=message):
        load_audio((tone(), 16000), **arguments)
    with pytest.raises(AudioError, match="sample rate 0 is not"):
        load_audio((tone(), 0))
    with pytest.raises(TypeError, match="an .array, sample rate. pair, got ndarray"):
        load_audio(tone())


@pytest.mark.parametrize("container, subtype", [
    ("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", None), ("OGG", None), ("MP3", None)])
def test_truncated(container, subtype):
    data = encoded(tone(4.0, seed=1), container, subtype=subtype)
    half = data[:len(data) // 2]
    audio, whole = load_audio(half), load_audio(data)
    assert 0.2 * len(whole) < len(audio) < 0.6 * len(whole)
    np.testing.assert_allclose(audio[:-2000], whole[:len(audio) - 2000], atol=1e-3)  # what is there is right
    with pytest.raises(AudioError, match="truncated"):
        load_audio(half, strict=True)
    assert len(load_audio(data, strict=True)) == len(whole)
    with pytest.raises(AudioError):
        load_audio(data[:44])


def test_wav_from_a_pipe_is_not_truncated():
    data = bytearray(encoded(tone(0.5)))
    data[4:8] = data[40:44] = b"\xff" * 4
    assert len(load_audio(bytes(data), strict=True)) == 8000


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["WAV", "FLAC", "OGG", "MP3"]),
       st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8), st.floats(0, 1))
def test_damage_gives_samples_or_an_audio_error(container, changes, end):
    data = bytearray(encoded(tone(0.2, seed=1), container))
    for position, value in changes:
        data[int(position * (len(data) - 1))] = value
    try:
        audio = load_audio(bytes(data[:int(end * len(data)) + 1]), maximum_seconds=60)
    except AudioError as error:
        assert "\n" not in str(error)
    else:
        assert audio.dtype == np.float32 and np.isfinite(audio).all() and np.abs(audio).max() <= 1


def test_flac_keeps_16_bit_samples():
    samples = np.arange(-32768, 32768, 7, dtype=np.int16)
    decoded, rate = soundfile.read(io.BytesIO(encode_flac(samples / np.float32(32768))), dtype="int16")
    assert rate == 16000
    np.testing.assert_array_equal(decoded, samples)
    beyond = load_audio(encode_flac(np.array([-2, -1, 1, 2], np.float32)))
    np.testing.assert_array_equal(beyond * 32768, [-32768, -32768, 32767, 32767])


@pytest.mark.parametrize("rate, channels", [(16000, 1), (16000, 2), (44100, 1), (8000, 2)])
def test_streamed_blocks_are_the_whole_recording(tmp_path, rate, channels):
    audio = np.stack([tone(1.003, 400 + 200 * channel, sample_rate=rate) for channel in range(channels)], axis=1)
    path = tmp_path / "a.wav"
    soundfile.write(path, audio, rate)
    blocks = list(stream_audio(path, block_seconds=0.1))
    assert len(blocks) >= 10 and all(block.dtype == np.float32 for block in blocks)
    whole = load_audio(path)
    streamed = np.concatenate(blocks)
    assert abs(len(streamed) - len(whole)) <= 1
    count = min(len(streamed), len(whole))
    np.testing.assert_allclose(streamed[:count], whole[:count], atol=1e-4)
