"""What an enhancer and an echo canceller are worth: to ears, by PESQ, STOI and SI-SDR, and to recognisers.

    pip install 'speechzoo[enhancement]'
    python -m benchmarks.quality.enhancement --enhancer runs/enhancer --models mtl_whisper_tiny mtl_ds_cnn_micro \\
        --speech prepared/librispeech/manifest.jsonl:dev prepared/speech_commands/manifest.jsonl:validation \\
        --noises prepared/kitchen20/manifest.jsonl:dev

mixes each recording with noises that training never heard (the split `dev` of their manifest), at each ratio of -5 to 20 dB, and
measures it as it is and behind the enhancer: PESQ (wideband, ITU-T P.862.2), STOI (Taal et al. 2011) and SI-SDR (Le Roux et al. 2019) of
transcribed speech, and of each model every head that has labels (words, keywords, ...). `--grammar` adds commands, of recordings with an
intent. `--playback` measures an echo canceller instead: each recording is heard while a loudspeaker in a simulated room plays pieces of
that manifest, which began three seconds before. `--dnsmos` adds DNSMOS (Reddy et al. 2022), of the package speechmos:
`pip install speechmos onnxruntime librosa pandas`.

PESQ and STOI together took 2 % of a recording's length on one core, for each of the two that are compared. The rest of the time is
that of the enhancer, and that of `speechzoo evaluate`, twice for each ratio and model: with six ratios and two models at a tenth of real
time, 2.4 times as long as the recordings last. The figures are written after every row, so that a stop loses none.
"""

import argparse
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.quality.parts import Part, evenly, read_part
from speechzoo.data.manifest import with_absolute_paths, write_manifest
from speechzoo.data.mixing import mix_somewhere
from speechzoo.data.rooms import make_rooms
from speechzoo.decoding.recognizer import Recognizer
from speechzoo.enhancement import EchoCanceller, Enhancer
from speechzoo.evaluation import evaluate
from speechzoo.metrics.enhancement import si_sdr
from speechzoo.opening import open_model
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import plain

RATE = 16000
SNRS = (-5.0, 0.0, 5.0, 10.0, 15.0, 20.0)  # dB
RATIOS = (-10.0, -5.0, 0.0, 5.0, 10.0)  # of the recording over what is played, dB
LEAD_SECONDS = 3.0  # of playback before the recording, in which a canceller learns the room
ROOMS, ROOM_SECONDS = 16, (0.2, 0.5)
PEAK = 0.5
# Name of a measure -> (clean, heard), float32 (samples,) each, -> its value.
Measure = Callable[[np.ndarray, np.ndarray], float]
# A condition: a recording -> (what is heard of it, the same enhanced, the recording at the level that it has in both).
Condition = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
# Figures of a head, the first of which that there is goes into the table.
FIGURES = ("wer", "per", "accuracy", "eer", "auc", "f1")


class Behind(Recognizer):
    """A model that hears each recording through a function."""

    def __init__(self, model: Recognizer, change: Callable[[np.ndarray], np.ndarray]):
        self.model, self.change = model, change
        self.spec, self.decode_steps = model.spec, model.decode_steps

    def batch_outputs(self, audios, heads=None):
        """See `Recognizer.batch_outputs`."""
        return self.model.batch_outputs([self.change(audio) for audio in audios], heads)


def number_of(audio: np.ndarray) -> int:
    """A number that is the same for the same recording, to draw by."""
    return zlib.crc32(np.ascontiguousarray(audio).tobytes())


def in_noise(noises: list[np.ndarray], snr: float, enhance: Callable[[np.ndarray], np.ndarray]) -> Condition:
    """Noise at a ratio, and an enhancer."""
    def hear(audio):
        noisy = mix_somewhere(audio, noises, snr, str(number_of(audio)))
        # The mix has another level: that part of it is the recording which explains most of it.
        scale = float(noisy @ audio) / max(float(audio @ audio), 1e-12)
        return noisy, enhance(noisy), scale * audio

    return hear


def while_playing(played: list[np.ndarray], ratio: float, rooms: np.ndarray) -> Condition:
    """A loudspeaker plays through a room at a ratio of mean powers, and a canceller that is told what it plays."""
    lead = round(LEAD_SECONDS * RATE)

    def hear(audio):
        number = number_of(audio)
        sound = played[number % len(played)]
        start = number // 7 % len(sound)
        sound = np.take(sound, np.arange(start, start + lead + len(audio)), mode="wrap")
        echo = np.convolve(sound, rooms[number // 11 % len(rooms)])[:len(sound)]
        power = np.mean(np.square(echo[lead:])) or 1.0
        gain = np.sqrt(np.mean(np.square(audio)) / power * 10 ** (-ratio / 10))
        recorded = gain * echo + np.concatenate([np.zeros(lead), audio])
        scale = PEAK / max(np.abs(recorded).max(), 1e-12)
        recorded = (scale * recorded).astype(np.float32)
        left = EchoCanceller(RATE).cancel(recorded, sound)
        return recorded[lead:], left[lead:], (scale * audio).astype(np.float32)

    return hear


def measures(with_dnsmos: bool) -> dict[str, Measure]:
    """What ears are measured by.

    Raises:
        ImportError: The packages aren't installed.
    """
    from pesq import NoUtterancesError, pesq
    from pystoi import stoi

    def quality(clean, heard):
        try:
            return pesq(RATE, clean, heard, "wb")
        except NoUtterancesError:  # too short or too quiet for the standard
            return np.nan

    found = {"PESQ": quality, "STOI": lambda clean, heard: stoi(clean, heard, RATE), "SI-SDR, dB": si_sdr}
    if with_dnsmos:
        from speechmos import dnsmos

        found["DNSMOS, overall"] = lambda clean, heard: dnsmos.run(np.clip(heard, -1, 1), RATE)["ovrl_mos"]
    return found


def listen(recordings: list[np.ndarray], condition: Condition, by: dict[str, Measure]) -> dict[str, tuple[float, float]]:
    """Measure -> mean over the recordings, as they are heard and enhanced; those without a value count nowhere."""
    values = {name: [] for name in by}
    for audio in recordings:
        heard, enhanced, clean = condition(audio)
        for name, measure in by.items():
            values[name].append((measure(clean, heard), measure(clean, enhanced)))
    return {name: tuple(float(value) for value in np.nanmean(pairs, axis=0)) for name, pairs in values.items()}


def recognise(model: Recognizer, manifest: Path, condition: Condition, grammar=None) -> list[tuple[str, str, int, float, float]]:
    """(head, figure, recordings, as they are heard, enhanced) of every head that the manifest has labels of."""
    before, after = (evaluate(Behind(model, lambda audio, which=which: condition(audio)[which]), manifest,
                              grammar=grammar)["overall"] for which in (0, 1))
    rows = []
    for head, figures in before.items():
        name = next((name for name in FIGURES if name in figures), None)
        if name:
            rows.append((head, name, figures["n"], figures[name], after[head][name]))
    return rows


def transcribed(parts: list[Part], maximum: int) -> list[np.ndarray]:
    """At most so many recordings of whole sentences."""
    found = [(part, utterance) for part in parts for utterance in part.utterances if utterance.get("transcript")]
    return [part.audio(utterance, RATE) for part, utterance in evenly(found, maximum)]


def sounds_of(part: Part) -> list[np.ndarray]:
    """All recordings of a part that hold any sound."""
    found = [part.audio(utterance, RATE) for utterance in part.utterances]
    return [sound for sound in found if np.any(sound)]


def rows_of(conditions: dict[float, Condition], parts: list[Part], models: dict[str, Recognizer], by: dict[str, Measure],
            maximum: int, grammar=None):
    """The table's rows, one after the other as they are measured."""
    recordings = transcribed(parts, maximum)
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "speech.jsonl"
        write_manifest(manifest, [with_absolute_paths(utterance, part.folder.resolve()) for part in parts
                                  for utterance in evenly(part.utterances, maximum)])
        for ratio, condition in conditions.items():
            for measure, (before, after) in (listen(recordings, condition, by) if recordings else {}).items():
                yield {"measure": measure, "model": None, "ratio": ratio, "recordings": len(recordings),
                       "before": before, "after": after}
            for name, model in models.items():
                for head, figure, count, before, after in recognise(model, manifest, condition, grammar):
                    yield {"measure": f"{head}: {figure}", "model": name, "ratio": ratio, "recordings": count,
                           "before": before, "after": after}


def main():
    """Measures, writes the figures after every row, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--enhancer", metavar="MODEL", help="what takes noise out; with --playback it comes behind the canceller")
    parser.add_argument("--limit", type=float, metavar="DB", help="lower noise by this many dB at most")
    parser.add_argument("--models", nargs="*", default=[], metavar="MODEL", help="recognisers to put behind it")
    parser.add_argument("--grammar", help="commands to understand, of recordings with an intent")
    parser.add_argument("--speech", nargs="+", required=True, metavar="MANIFEST[:SPLIT]")
    parser.add_argument("--noises", metavar="MANIFEST[:SPLIT]", help="noises that training has not heard")
    parser.add_argument("--playback", metavar="MANIFEST[:SPLIT]", help="what a loudspeaker plays, in place of noises")
    parser.add_argument("--maximum", type=int, default=100, help="recordings of each manifest (%(default)s)")
    parser.add_argument("--dnsmos", action="store_true", help="DNSMOS, too")
    add_figures_option(parser, "enhancement")
    arguments = parser.parse_args()
    if bool(arguments.noises) == bool(arguments.playback) or not (arguments.playback or arguments.enhancer):
        parser.error("give --noises and --enhancer, or --playback")
    enhancer = Enhancer(open_model(arguments.enhancer), arguments.limit) if arguments.enhancer else None
    enhance = enhancer.enhance if enhancer else (lambda audio: audio)
    if arguments.noises:
        noises = sounds_of(read_part(arguments.noises))
        conditions = {snr: in_noise(noises, snr, enhance) for snr in SNRS}
    else:
        played, rooms = sounds_of(read_part(arguments.playback)), make_rooms(ROOMS, ROOM_SECONDS, seed=7)
        conditions = {ratio: behind(while_playing(played, ratio, rooms), enhance) for ratio in RATIOS}
    rows = []
    for row in rows_of(conditions, [read_part(source) for source in arguments.speech],
                       {name: open_model(name) for name in arguments.models}, measures(arguments.dnsmos),
                       arguments.maximum, arguments.grammar):
        rows.append(row)
        write_figures(arguments.figures, rows)  # what a stop leaves is there
    print("\n".join(plain("enhancement", rows)))


def behind(condition: Condition, enhance: Callable[[np.ndarray], np.ndarray]) -> Condition:
    """A condition whose second recording goes through an enhancer, too."""
    def hear(audio):
        heard, left, clean = condition(audio)
        return heard, enhance(left), clean

    return hear


if __name__ == "__main__":
    main()
