"""Wake words: how many are missed, against how often other audio wakes the device.

    python -m benchmarks.quality.wake_word mtl_conformer_small --words prepared/wake_words/manifest.jsonl:dev \\
        --other prepared/librispeech/manifest.jsonl:dev prepared/noise/manifest.jsonl --out wake_word.png --json wake_word.json
    python -m benchmarks.quality.wake_word exported/alexa.json exported/jarvis.json --words ... --other ...

Every recording of `--words` (`keyword` labels it) stands alone in a stream of near silence; `--other` is everything that should wake
nobody; `:dev` behind a manifest takes one split of it. Audio goes through the windows and the smoothing of `speechzoo listen`,
without its voice activity detection, which only makes false alarms rarer. Exports for ESPHome hear what the device's own front end
(package `pymicro-features`) makes of it, step by step in int8, each file its word. For each word the plot shows misses over false
alarms per hour as the threshold moves; printed are the misses at the threshold of `listen` or of the file, and at at most one false
alarm in two hours. `--tune` writes the latter threshold into the files of exports as their `probability_cutoff`, with the
`sliding_window_size` that misses least: measure them on other audio than they were tuned on.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.quality.parts import read_part
from speechzoo.decoding.answers.classifier import class_probabilities
from speechzoo.decoding.streams.event import KEYWORD_THRESHOLD
from speechzoo.decoding.streams.windows import HOP_SECONDS, WINDOW_SECONDS
from speechzoo.exporters.esphome import EsphomeModel
from speechzoo.files import write_atomically
from speechzoo.frontends.micro_features import HOP_LENGTH, SAMPLE_RATE
from speechzoo.listening.listener import SMOOTHED
from speechzoo.opening import open_model
from tools.figures import FOLDER, write_figures

ALLOWED = 0.5  # false alarms per hour
REFRACTORY_SECONDS = 2.0  # a device that has just woken up can't do so again
SILENCE_SECONDS = 1.0
THRESHOLDS = np.concatenate([np.linspace(0.02, 0.98, 49), 1 - np.geomspace(0.015, 1e-6, 40)])
SLIDING_WINDOWS = (1, 2, 3, 5, 8)  # steps, that `--tune` chooses from


@dataclass
class Detector:
    """What wakes a device.

    Attributes:
        thresholds: Of each word, where the device wakes by default.
        windows: Of each word, how many posteriors are averaged before they are compared with the threshold.
        hop_seconds: Time between two posteriors.
        sample_rate: In Hz.
        posteriors: float32 (samples,) -> {word: posteriors (hops,)}.
    """

    thresholds: dict[str, float]
    windows: dict[str, int]
    hop_seconds: float
    sample_rate: int
    posteriors: Callable[[np.ndarray], dict[str, np.ndarray]]


def smoothed(posteriors: np.ndarray, count: int) -> np.ndarray:
    """Means of the last `count` along the first axis; nothing was heard before the first."""
    padded = np.concatenate([np.zeros((count - 1, *posteriors.shape[1:])), posteriors])
    return np.mean([padded[shift:shift + len(posteriors)] for shift in range(count)], axis=0)


def listening(model) -> Detector:
    """The keyword head of a model as `speechzoo listen` uses it."""
    spec = model.spec
    head, rate = spec["heads"]["keyword"], spec["sample_rate"]
    window, hop = round(WINDOW_SECONDS * rate), round(HOP_SECONDS * rate)

    def posteriors(audio):
        windows = [audio[max(end - window, 0):end] for end in range(hop, len(audio) + 1, hop)]
        found = np.stack([class_probabilities(np.asarray(outputs["keyword"]), head) for first in range(0, len(windows), 256)
                          for outputs in model.batch_outputs(windows[first:first + 256])])
        return {word: found[:, head["classes"].index(word)] for word in words}

    words = [name for name in head["classes"] if not name.startswith("_")]
    return Detector(dict.fromkeys(words, KEYWORD_THRESHOLD), dict.fromkeys(words, SMOOTHED), HOP_SECONDS, rate, posteriors)


def esphome(manifests: list[Path]) -> Detector:
    """Exports for ESPHome, as its devices run them."""
    from benchmarks.quality.micro_features import device_features

    files = {}
    for path in manifests:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        files[manifest["wake_word"]] = (EsphomeModel((path.parent / manifest["model"]).read_bytes()), manifest["micro"])

    def posteriors(audio):
        features = device_features(audio)
        return {word: network.probabilities(features) for word, (network, _) in files.items()}

    step_frames, = {network.step_frames for network, _ in files.values()}
    cutoffs, windows = ({word: settings[key] for word, (_, settings) in files.items()}
                        for key in ("probability_cutoff", "sliding_window_size"))
    return Detector(cutoffs, windows, step_frames * HOP_LENGTH / SAMPLE_RATE, SAMPLE_RATE, posteriors)


def count_alarms(posteriors: np.ndarray, threshold: float, hop_seconds: float) -> int:
    """How often a posterior (hops,) wakes the device."""
    alarms, asleep = 0, 0
    for number in np.flatnonzero(posteriors >= threshold):
        if number >= asleep:
            alarms, asleep = alarms + 1, number + round(REFRACTORY_SECONDS / hop_seconds)
    return alarms


def recordings(sources: list[str], rate: int, words=None):
    """(keyword, audio) of the utterances of manifests; of these words only, if given."""
    for source in sources:
        part = read_part(source)
        for utterance in part.utterances:
            if words is None or utterance.get("keyword") in words:
                yield utterance.get("keyword"), part.audio(utterance, rate)


def listen_to(detector: Detector, words: list[str], other: list[str], maximum_hours: float) -> tuple[dict, float]:
    """{word: (posteriors of each recording of it, posteriors of each stream of other audio)} and the hours of the latter."""
    rate = detector.sample_rate
    near_silence = np.random.default_rng(0).standard_normal(round(SILENCE_SECONDS * rate)).astype(np.float32) * 1e-4
    found = {}
    for word, audio in recordings(words, rate, detector.thresholds):
        posteriors = detector.posteriors(np.concatenate([near_silence, audio, near_silence]))
        found.setdefault(word, []).append(posteriors[word])
    streams, seconds = [], 0.0
    for word, audio in recordings(other, rate):
        if seconds > 3600 * maximum_hours:
            break
        if word in found:
            raise SystemExit(f"'{word}' stands in --other, where nobody should say it")
        streams.append(detector.posteriors(audio))
        seconds += len(audio) / rate
    return {word: (heard, [stream[word] for stream in streams]) for word, heard in sorted(found.items())}, seconds / 3600


@dataclass
class Curve:
    """What each threshold costs a word whose posteriors are averaged over so many: a share, and a number an hour."""

    window: int
    thresholds: np.ndarray
    misses: list[float]
    false_alarms_per_hour: list[float]

    @property
    def quiet(self) -> int:
        """Where the lowest threshold stands with no more false alarms than allowed, else the highest."""
        return next((number for number, rate in enumerate(self.false_alarms_per_hour) if rate <= ALLOWED),
                    len(self.thresholds) - 1)


def curve(heard: list, streams: list, window: int, thresholds: np.ndarray, hop_seconds: float, hours: float) -> Curve:
    """Misses and false alarms of one word, from what `listen_to` heard."""
    best = np.array([smoothed(posteriors, window).max() for posteriors in heard])
    streams = [smoothed(posteriors, window) for posteriors in streams]
    return Curve(window, thresholds, [float(np.mean(best < threshold)) for threshold in thresholds],
                 [sum(count_alarms(stream, threshold, hop_seconds) for stream in streams) / hours for threshold in thresholds])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="+", help="a model, or manifests of exports for ESPHome")
    parser.add_argument("--words", nargs="+", required=True, metavar="MANIFEST[:SPLIT]")
    parser.add_argument("--other", nargs="+", required=True, metavar="MANIFEST[:SPLIT]")
    parser.add_argument("--hours", type=float, default=2.0, help="at most so much other audio, 2")
    parser.add_argument("--out", type=Path, help="PNG file to plot to")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--tune", action="store_true", help="choose cutoff and window of the exports")
    parser.add_argument("--figures", type=Path, metavar="CSV", help="file for the figures of exports "
                        "(docs/figures/wake_word.csv, with --tune wake_word_tuning.csv)")
    arguments = parser.parse_args()
    manifests = [Path(path) for path in arguments.model if path.endswith(".json")]
    if len(arguments.model) != max(1, len(manifests)):
        parser.error("name one model, or manifests of exports for ESPHome")
    if arguments.tune and not manifests:
        parser.error("--tune is for manifests of exports for ESPHome")
    detector = esphome(manifests) if manifests else listening(open_model(arguments.model[0]))
    results, hours = listen_to(detector, arguments.words, arguments.other, arguments.hours)
    report, rows = {"hours": round(hours, 2), "words": {}}, []
    for word, heard in results.items():
        if arguments.tune:
            # Hundredths, of which no sum of 8 bits reaches the last.
            curves = [curve(*heard, window, np.arange(2, 100) / 100, detector.hop_seconds, hours) for window in SLIDING_WINDOWS]
            best = min(curves, key=lambda each: each.misses[each.quiet])
            detector.thresholds[word], detector.windows[word] = best.thresholds[best.quiet], best.window
            write_choice(word, manifests, detector.thresholds[word], detector.windows[word])
        own = detector.thresholds[word]
        found = curve(*heard, detector.windows[word], np.unique([*THRESHOLDS, own]), detector.hop_seconds, hours)
        report["words"][word] = {"n": len(heard[0]), **asdict(found), "thresholds": found.thresholds.tolist()}
        usual, quiet = int(np.searchsorted(found.thresholds, own)), found.quiet
        print(f"{word:10s} {len(heard[0]):4d} recordings, mean of {found.window}; " + "; ".join(
            f"threshold {found.thresholds[at]:.4f}: {found.misses[at]:6.1%} missed, {found.false_alarms_per_hour[at]:6.2f} false alarms "
            "an hour" for at in (usual, quiet)))
        rows.append({"word": word, "clips": len(heard[0]), "window": found.window, "threshold": own,
                     "missed": found.misses[usual], "false_alarms_per_hour": found.false_alarms_per_hour[usual],
                     "hours": hours})
    print(f"{hours:.2f} hours of other audio")
    figures = arguments.figures or manifests and FOLDER / f"wake_word{'_tuning' if arguments.tune else ''}.csv"
    if figures:
        write_figures(figures, rows)
    if arguments.json:
        write_atomically(arguments.json, (json.dumps(report) + "\n").encode())
    if arguments.out:
        plot(arguments.out, report["words"])


def write_choice(word: str, manifests: list[Path], threshold: float, window: int):
    """Writes the cutoff and the window of a word into the manifest of its export."""
    for path in manifests:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["wake_word"] == word:
            manifest["micro"].update(probability_cutoff=float(threshold), sliding_window_size=window)
            write_atomically(path, (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode())


def plot(path: Path, words: dict):
    """Misses over false alarms of every word, as PNG."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2))
    for number, (word, figures) in enumerate(words.items()):
        axes.plot(figures["false_alarms_per_hour"], figures["misses"], ("-", "--")[number // 10 % 2], label=word)
    axes.set(xlabel="false alarms an hour", ylabel="missed", ylim=(0, 1))
    axes.set_xscale("symlog", linthresh=0.5)
    axes.legend(ncols=2, fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
