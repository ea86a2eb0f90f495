"""How long a recording is and what is left of a broken one: one answer, whoever asks, whatever the header says."""

import io
import shutil
import struct
import subprocess

import numpy as np
import pytest

from speechzoo.audio import AudioError, audio_info, is_longer, load_audio, stream_audio
from tests.audio.made_recordings import (AUDIO, FORMATS, OTHER, cut_recordings, joined_recordings, made,
                                         whole_recordings)
from tests.helpers import tone

WHOLE, JOINED, CUT = whole_recordings(), joined_recordings(), cut_recordings()
LOSSY = ("OGG", "OPUS", "MP3")


def check_all_agree(source, sample_rate=16000):
    """`load_audio`, `stream_audio`, `audio_info` and `is_longer` say the same of a recording; returns its samples."""
    audio = load_audio(source, sample_rate)
    np.testing.assert_array_equal(np.concatenate(list(stream_audio(source, sample_rate))), audio)
    duration = audio_info(source).duration
    assert abs(duration * sample_rate - len(audio)) <= 1
    assert is_longer(source, duration - 0.001) and not is_longer(source, duration + 0.001)
    return audio


@pytest.mark.parametrize("name", WHOLE)
def test_the_data_decide_not_the_header(name, tmp_path):
    path = tmp_path / "a.audio"
    path.write_bytes(WHOLE[name])
    audio = check_all_agree(path)
    np.testing.assert_array_equal(check_all_agree(WHOLE[name]), audio)
    expected = load_audio(made(container=name.split()[0].strip(",")))
    assert len(audio) == len(expected)
    np.testing.assert_array_equal(audio, expected)
    np.testing.assert_array_equal(load_audio(path, strict=True), expected)
    np.testing.assert_allclose(load_audio(path, start=1.5, duration=0.25), expected[24000:28000], atol=2e-2)


@pytest.mark.parametrize("name", JOINED)
def test_joined_files_are_read_to_their_end(name, tmp_path):
    path = tmp_path / "a.audio"
    path.write_bytes(JOINED[name])
    audio = check_all_agree(path)
    assert len(audio) == len(AUDIO) + len(OTHER)
    tolerance = 0.1 if name.split()[0] in LOSSY else 1e-4
    for expected, part in ((AUDIO, audio[:len(AUDIO)]), (OTHER, audio[len(AUDIO):])):
        np.testing.assert_allclose(part[1600:-1600], expected[1600:-1600], atol=tolerance)
    np.testing.assert_array_equal(load_audio(path, strict=True), audio)
    np.testing.assert_allclose(load_audio(path, start=1.0, duration=2.0), audio[16000:48000], atol=2e-2)
    np.testing.assert_allclose(load_audio(path, start=3.0), audio[48000:], atol=2e-2)


@pytest.mark.parametrize("container", ["WAV", "OGG", "MP3"])
def test_joined_files_of_other_rates_are_converted_to_the_first(container):
    high = tone(1.0, 500, 44100)
    data = made(high, container, sample_rate=44100) + made(OTHER, container)
    audio = check_all_agree(data)
    assert abs(len(audio) - 16000 - len(OTHER)) <= 2
    assert audio_info(data).sample_rate == 44100
    np.testing.assert_allclose(audio[18000:46000], OTHER[2000:30000], atol=0.1)
    np.testing.assert_allclose(load_audio(data, start=1.5, duration=0.5)[200:7800], audio[24200:31800], atol=1e-2)


@pytest.mark.parametrize("name", CUT)
def test_what_is_left_of_a_broken_one(name, tmp_path):
    path = tmp_path / "a.audio"
    path.write_bytes(CUT[name])
    audio = check_all_agree(path)
    seconds = len(audio) / 16000
    assert 0.5 < seconds < 3.9
    whole = np.concatenate([AUDIO, OTHER])
    if name not in LOSSY:
        np.testing.assert_allclose(audio, whole[:len(audio)], atol=1e-4)
    with pytest.raises(AudioError, match="a.audio: truncated, the file ends before its header says"):
        load_audio(path, strict=True)
    # A part that is there is there, and one that isn't is none.
    assert len(load_audio(path, start=0.1, duration=0.3, strict=True)) == 4800
    with pytest.raises(AudioError, match=rf"0.10 s to 9.10 s was asked for, and what is left.* at {seconds:.2f} s"):
        load_audio(path, start=0.1, duration=9.0, strict=True)
    with pytest.raises(AudioError, match=rf"start is 5.00 s, the recording ends at {seconds:.2f} s"):
        load_audio(path, start=5.0)


@pytest.mark.parametrize("pad", [b"\0", b""])
def test_an_odd_number_of_bytes_before_a_chunk(pad):
    data = made(AUDIO[:3001], subtype="PCM_U8")[:44 + 3001] + pad + b"LIST" + struct.pack("<I", 4000) + b"INFO" + bytes(3996)
    assert len(check_all_agree(data)) == len(load_audio(data, strict=True)) == 3001


def test_mp3_without_a_tag_is_read_to_its_end():
    tagged = made(container="MP3")
    # The first frame, of 72 bytes per kbit/s and kHz, only says how many follow; a pipe can't have it.
    assert tagged[13:17] in (b"Xing", b"Info") and tagged[2] >> 2 & 3 == 2
    kilobits = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)[(tagged[2] >> 4) - 1]
    piped = tagged[72 * kilobits // 16 + (tagged[2] >> 1 & 1):]
    whole, audio = load_audio(tagged), check_all_agree(piped)
    np.testing.assert_array_equal(load_audio(piped, strict=True), audio)
    assert len(whole) <= len(audio) < len(whole) + 2000  # the encoder's delay is there, too
    np.testing.assert_allclose(audio[576:28576], whole[:28000], atol=1e-4)
    for joined, seconds in ((piped + piped, 4.1), (tagged + piped, 4.05), (piped + tagged, 4.05)):
        assert len(check_all_agree(joined)) / 16000 == pytest.approx(seconds, abs=0.1)


def test_a_part_beyond_a_whole_recording():
    data = made()
    with pytest.raises(AudioError, match=r"1.00 s to 4.00 s was asked for, and the recording ends at 2.00 s"):
        load_audio(data, start=1.0, duration=3.0, strict=True)
    assert len(load_audio(data, start=1.0, duration=3.0)) == 16000
    assert len(load_audio(data, start=0.0, duration=2.05, strict=True)) == 32000  # a label's time is rounded


def test_a_flac_that_never_ends_is_refused_by_its_data():
    data = WHOLE["FLAC of unknown length"]
    assert len(load_audio(data, maximum_seconds=3)) == len(AUDIO)
    with pytest.raises(AudioError, match="2.0 s, longer than 1 s"):
        load_audio(data, maximum_seconds=1)


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
@pytest.mark.parametrize("container", FORMATS)
def test_streamed_is_loaded_at_any_rate(container, rate):
    if container == "OPUS" and rate != 8000:
        pytest.skip("Opus has rates of its own")
    audio = np.stack([tone(1.003, 300, rate), tone(1.003, 500, rate)], axis=1)
    assert abs(len(check_all_agree(made(audio, container, sample_rate=rate))) - 16048) <= 2


@pytest.mark.parametrize("container, subtype", [
    ("WAV", "IMA_ADPCM"), ("WAV", "MS_ADPCM"), ("WAV", "ULAW"), ("WAVEX", "PCM_24"), ("AU", "ALAW"), ("CAF", "ALAC_16"),
    ("AIFF", "FLOAT"), ("RF64", "DOUBLE"), ("FLAC", "PCM_24"),
])
def test_codecs_that_can_or_can_not_be_searched(container, subtype):
    data = made(np.stack([AUDIO, OTHER], axis=1), container, 16000, subtype)
    audio = check_all_agree(data)
    assert len(audio) == pytest.approx(len(AUDIO), abs=1100)  # ADPCM comes in blocks
    np.testing.assert_allclose(load_audio(data, start=0.5, duration=0.75), audio[8000:20000], atol=1e-6)
    np.testing.assert_array_equal(load_audio(data, strict=True), audio)


@pytest.mark.parametrize("source, message", [
    (b"", "empty, 0 bytes"), (b"text", "a text file"), (made(np.zeros(0)), "holds no samples"),
    (made(np.full(800, 9.0), subtype="FLOAT"), "float samples reach 9"),
    (made(np.full(800, np.nan), subtype="FLOAT"), "sample 0 at 0.000 s is not a finite number"),
    ((np.zeros(0), 16000), "holds no samples"), ((np.zeros(1), 48000), "too short"),
    (b"\0\0\0\x20ftypM4A " + bytes(90), "M4A or MP4, which can't be read; convert it: ffmpeg -i"),
    (b"\x1aE\xdf\xa3" + bytes(90), "WebM or Matroska, which can't be read; convert it: ffmpeg -i"),
])
def test_both_refuse_the_same(source, message):
    with pytest.raises(AudioError, match=message):
        load_audio(source)
    with pytest.raises(AudioError, match=message):
        list(stream_audio(source))


def test_arrays_are_streamed_as_they_are_loaded():
    for array in (AUDIO, (AUDIO * 32767).astype(np.int16), np.stack([AUDIO, OTHER], axis=1)):
        check_all_agree((array, 44100))


def test_a_file_object_may_be_asked_twice():
    stream = io.BytesIO(b"head" + made())
    stream.seek(4)
    assert audio_info(stream).duration == 2.0 and len(load_audio(stream)) == len(load_audio(stream)) == 32000


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
def test_espeak_into_a_pipe():
    data = subprocess.run(["espeak-ng", "--stdout", "hi"], check=True, capture_output=True).stdout
    assert len(load_audio(data, strict=True)) > 8000
    assert len(check_all_agree(data + data)) == pytest.approx(2 * len(load_audio(data)), abs=100)
