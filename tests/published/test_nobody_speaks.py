"""Published decoders in exported files: no text of what nobody says.

`SPEECHZOO_WHISPER_TINY_EN` and `SPEECHZOO_WHISPER_BASE` name a `model.bin`, which is imported and exported, or a
`.tflite` file that was exported from it.
"""

import os
from pathlib import Path

import numpy as np
import pytest

import speechzoo
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.published.importing import import_published
from speechzoo.text.normalize import normalize_transcript

RATE = 16000
SENTENCE = Path(__file__).parents[2] / "examples" / "sentence.flac"
CHORDS = [(262, 330, 392), (349, 440, 523), (392, 494, 587), (262, 330, 392)]  # C, F, G, C; Hz of the lowest partials


def seconds(count):
    return np.arange(int(count * RATE)) / RATE


def hum(fundamental=50.0):
    """A mains hum with its harmonics."""
    time = seconds(5)
    return sum(0.1 / number * np.sin(2 * np.pi * fundamental * number * time) for number in (1, 2, 3, 4, 6))


def music():
    """Plucked chords of eight partials, half a second each."""
    time = seconds(0.5)
    chords = [sum(np.exp(-4 * time * number) / number * np.sin(2 * np.pi * note * number * time)
                  for note in chord for number in range(1, 9)) for chord in CHORDS * 3]
    return 0.1 * np.concatenate(chords)


def noise(count, colour):
    """White or pink noise."""
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(int(count * RATE)))
    if colour == "pink":
        spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    audio = np.fft.irfft(spectrum)
    return 0.1 * audio / np.abs(audio).max()


SOUNDS = {"silence": lambda: 0 * seconds(3), "silence, 30 s": lambda: 0 * seconds(30), "hum": hum,
          "hum, 60 Hz": lambda: hum(60.0), "tone": lambda: 0.2 * np.sin(2 * np.pi * 440 * seconds(4)), "music": music,
          "white noise": lambda: noise(4, "white"), "white noise, 30 s": lambda: noise(30, "white"),
          "pink noise, 30 s": lambda: noise(30, "pink")}


@pytest.fixture(scope="module", params=["SPEECHZOO_WHISPER_TINY_EN", "SPEECHZOO_WHISPER_BASE"])
def device(request, tmp_path_factory):
    source = os.environ.get(request.param, "")
    if not source:
        pytest.skip(f"{request.param} names no model.bin and no .tflite file")
    if source.endswith(".tflite"):
        return EdgeModel(source)
    folder = tmp_path_factory.mktemp("published")
    import_published(source, folder)
    return EdgeModel(speechzoo.export(speechzoo.load(folder), folder, format="tflite", quantize="dynamic"))


@pytest.mark.published
@pytest.mark.parametrize("sound", SOUNDS)
def test_nobody_speaks(device, sound):
    assert device.recognize(SOUNDS[sound]().astype(np.float32), RATE).transcript == ""


@pytest.mark.published
def test_somebody_speaks(device):
    found = device.recognize(SENTENCE)
    words = normalize_transcript(found.transcript).split()
    expected = "the old man opened the door and looked out at the sea".split()
    assert len(words) == len(expected) and sum(map(str.__eq__, words, expected)) >= len(words) - 1
    starts = [word.start for word in found.words]
    assert starts == sorted(starts) and starts[-1] < 2.8  # the sentence, not the silence behind it
