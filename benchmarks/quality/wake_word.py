"""Wake words: how many are missed, against how often other audio wakes the device.

    python -m benchmarks.quality.wake_word mtl_conformer_small --words prepared/wake_words/manifest.jsonl:dev \\
        --other prepared/librispeech/manifest.jsonl:dev prepared/noise/manifest.jsonl --out wake_word.png --json wake_word.json
    python -m benchmarks.quality.wake_word exported/alexa.json exported/jarvis.json --words ... --other ...

Every recording of `--words` (`keyword` labels it) stands alone in a stream of near silence; `--other` is everything that should wake
nobody, of which a word does not hear the sentences that hold it (`transcript`); `:dev` behind a manifest takes one split of it. Audio
goes through the windows, or of a model that streams the steps, and the smoothing of `speechzoo listen`, without its voice activity
detection, which only makes false alarms rarer. Exports for ESPHome hear what the device's own front end (package `pymicro-features`)
makes of it, step by step in int8, each file its word. For each word the plot shows misses over false alarms per hour as the threshold
moves; printed are the misses at the threshold of `listen` or of the file, and at at most one false alarm in two hours.

`--tune` chooses thresholds: measure them on other audio than they were tuned on. Of exports for ESPHome it writes the
`probability_cutoff` of at most one false alarm in two hours, with the `sliding_window_size` that misses least. Of a model of the zoo or
a training run it writes into the weights the highest threshold that misses no more than that; a word that misses more than 5 % there is
not offered for waking. What is held out there costs: half of the recordings and of the readers at a threshold that is chosen on the
other half, and the other way round.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.quality.parts import evenly, read_part
from speechzoo.decoding.answers.classifier import class_probabilities
from speechzoo.decoding.streams.stream import SMOOTHING_SECONDS
from speechzoo.decoding.streams.wake_words import KEYWORD_THRESHOLD, wake_thresholds
from speechzoo.decoding.streams.windows import HOP_SECONDS, WINDOW_SECONDS
from speechzoo.exporters.esphome import EsphomeModel
from speechzoo.files import write_atomically
from speechzoo.frontends.micro_features import HOP_LENGTH, SAMPLE_RATE
from speechzoo.listening.listener import SMOOTHED
from speechzoo.opening import open_model
from speechzoo.registry import load
from tools.figures import FOLDER, kept_rows, write_figures
from tools.publish import write_wake_thresholds

ALLOWED = 0.5  # false alarms per hour
MISSED = 0.05  # at most, of a word that is offered for waking
SIDE_BY_SIDE = 64  # streams that a model hears at once
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
        posteriors: [float32 (samples,), ...] -> of each {word: posteriors (hops,)}.
    """

    thresholds: dict[str, float]
    windows: dict[str, int]
    hop_seconds: float
    sample_rate: int
    posteriors: Callable[[list[np.ndarray]], list[dict[str, np.ndarray]]]


def smoothed(posteriors: np.ndarray, count: int) -> np.ndarray:
    """Means of the last `count` along the first axis; nothing was heard before the first."""
    padded = np.concatenate([np.zeros((count - 1, *posteriors.shape[1:])), posteriors])
    return np.mean([padded[shift:shift + len(posteriors)] for shift in range(count)], axis=0)


def open_keywords(source: str):
    """A model by name or file, without the heads that aren't needed."""
    return open_model(source) if source.endswith(".tflite") else load(source, heads=["keyword"])


def listening(model) -> Detector:
    """The keyword head of a model as `speechzoo listen` uses it."""
    spec = model.spec
    head, rate = spec["heads"]["keyword"], spec["sample_rate"]
    words, offered = list(wake_thresholds(head, KEYWORD_THRESHOLD)), wake_thresholds(head)
    if "stream" in spec:
        hop, smoothed_over, hear = spec["stream"]["step_samples"], SMOOTHING_SECONDS, hear_steps
    else:
        hop, smoothed_over, hear = round(HOP_SECONDS * rate), SMOOTHED * HOP_SECONDS, hear_windows

    def posteriors(audios):
        logits = hear(model, audios)
        found = [np.stack([class_probabilities(row, head) for row in rows]) for rows in logits]
        return [{word: each[:, head["classes"].index(word)] for word in words} for each in found]

    # A word that is not offered is measured at the usual threshold.
    return Detector({word: offered.get(word, KEYWORD_THRESHOLD) for word in words},
                    dict.fromkeys(words, max(1, round(smoothed_over * rate / hop))), hop / rate, rate, posteriors)


def hear_windows(model, audios: list[np.ndarray]) -> list[np.ndarray]:
    """Logits (hops, classes) of the windows of each recording, as a `Listener` cuts them."""
    rate = model.spec["sample_rate"]
    window, hop = round(WINDOW_SECONDS * rate), round(HOP_SECONDS * rate)
    windows = [audio[max(end - window, 0):end] for audio in audios for end in range(hop, len(audio) + 1, hop)]
    logits = np.stack([np.asarray(outputs["keyword"]) for first in range(0, len(windows), 256)
                       for outputs in model.batch_outputs(windows[first:first + 256], ["keyword"])])
    return np.split(logits, np.cumsum([len(audio) // hop for audio in audios])[:-1])


def hear_steps(model, audios: list[np.ndarray]) -> list[np.ndarray]:
    """Logits (steps, classes) of each recording, behind one another in as many streams as are heard side by side."""
    step = model.spec["stream"]["step_samples"]
    at_once = SIDE_BY_SIDE if hasattr(model, "heads") else 1  # an exported file hears one
    lanes = [[] for _ in range(at_once)]
    for number in sorted(range(len(audios)), key=lambda number: -len(audios[number])):
        min(lanes, key=lambda lane: sum(len(audios[other]) for other in lane)).append(number)
    found = [None] * len(audios)
    for group in ([lanes] if at_once > 1 else [[[number]] for number in range(len(audios))]):
        streams = [np.concatenate([audios[number][:len(audios[number]) // step * step] for number in lane] or [np.zeros(0, np.float32)])
                   for lane in group]
        steps = max(map(len, streams)) // step
        audio = np.stack([np.pad(stream, (0, steps * step - len(stream))) for stream in streams]).astype(np.float32)
        state = model.initial_state(len(group)) if at_once > 1 else model.initial_state()
        logits = []
        for at in range(0, steps * step, step):
            outputs, state = model.stream_step(audio[:, at:at + step], state)
            logits.append(np.asarray(outputs["keyword"]))
        logits = np.stack(logits, axis=1)
        for row, lane in zip(logits, group):
            ends = np.cumsum([len(audios[number]) // step for number in lane])
            for number, part in zip(lane, np.split(row[:ends[-1]], ends[:-1]) if lane else ()):
                found[number] = part
    return found


def esphome(manifests: list[Path]) -> Detector:
    """Exports for ESPHome, as its devices run them."""
    from benchmarks.quality.micro_features import device_features

    files = {}
    for path in manifests:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        files[manifest["wake_word"]] = (EsphomeModel((path.parent / manifest["model"]).read_bytes()), manifest["micro"])

    def posteriors(audios):
        return [{word: network.probabilities(features) for word, (network, _) in files.items()}
                for features in map(device_features, audios)]

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


def recordings(sources: list[str], rate: int, words=None, maximum: int | None = None):
    """(utterance, audio) of the utterances of manifests; of these words only, if given, and at most so many of each."""
    for source in sources:
        part = read_part(source)
        chosen = part.utterances
        if words is not None:
            by_word = [[each for each in chosen if each.get("keyword") == word] for word in words]
            chosen = [each for utterances in by_word for each in evenly(utterances, maximum or len(utterances))]
        for utterance in chosen:
            yield utterance, part.audio(utterance, rate)


@dataclass
class Heard:
    """What was heard of one word.

    Attributes:
        words: Posteriors (hops,) of each recording of it.
        streams: Those of each recording of other audio.
        seconds: How long each of the latter is.
        speakers: Who speaks in each.
    """

    words: list[np.ndarray]
    streams: list[np.ndarray]
    seconds: list[float]
    speakers: list[str]

    @property
    def hours(self) -> float:
        """Of other audio."""
        return sum(self.seconds) / 3600

    def half(self, second: bool) -> "Heard":
        """Every other recording of the word, and what every other speaker says."""
        order = {speaker: number for number, speaker in enumerate(sorted(set(self.speakers)))}
        chosen = [number for number, speaker in enumerate(self.speakers) if order[speaker] % 2 == second]
        return Heard(self.words[second::2], *([values[number] for number in chosen]
                                              for values in (self.streams, self.seconds, self.speakers)))


def listen_to(detector: Detector, words: list[str], other: list[str], maximum_hours: float,
              maximum: int | None = None) -> dict[str, Heard]:
    """Word -> what was heard of at most so many recordings of it in each manifest, and of so many hours of other audio."""
    rate = detector.sample_rate
    near_silence = np.random.default_rng(0).standard_normal(round(SILENCE_SECONDS * rate)).astype(np.float32) * 1e-4
    spoken = list(recordings(words, rate, detector.thresholds, maximum))
    posteriors = detector.posteriors([np.concatenate([near_silence, audio, near_silence]) for _, audio in spoken])
    found = {}
    for (utterance, _), each in zip(spoken, posteriors):
        found.setdefault(utterance["keyword"], []).append(each[utterance["keyword"]])
    others, seconds = [], 0.0
    for utterance, audio in recordings(other, rate):
        if seconds > 3600 * maximum_hours:
            break
        if utterance.get("keyword") in found:
            raise SystemExit(f"'{utterance['keyword']}' stands in --other, where nobody should say it")
        said = set((utterance.get("transcript") or "").split())
        others.append((said, audio, utterance.get("speaker") or str(len(others))))
        seconds += len(audio) / rate
    streams = detector.posteriors([audio for _, audio, _ in others])
    heard = {}
    for word, own in sorted(found.items()):
        without = [number for number, (said, *_) in enumerate(others) if word not in said]
        heard[word] = Heard(own, [streams[number][word] for number in without],
                            [len(others[number][1]) / rate for number in without], [others[number][2] for number in without])
    return heard


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


def curve(heard: Heard, window: int, thresholds: np.ndarray, hop_seconds: float) -> Curve:
    """Misses and false alarms of one word."""
    best = np.array([smoothed(posteriors, window).max() for posteriors in heard.words])
    streams = [(each.max(initial=0.0), each) for each in (smoothed(posteriors, window) for posteriors in heard.streams)]
    alarms = [sum(count_alarms(stream, threshold, hop_seconds) for peak, stream in streams if peak >= threshold)
              for threshold in thresholds]
    return Curve(window, thresholds, [float(np.mean(best < threshold)) for threshold in thresholds],
                 [count / heard.hours for count in alarms])


def choose_threshold(found: Curve) -> float | None:
    """The highest threshold that misses no more than the lowest with few false alarms; None where that is too much."""
    quiet = found.quiet
    if found.false_alarms_per_hour[quiet] > ALLOWED or found.misses[quiet] > MISSED:
        return None
    return float(max(threshold for threshold, missed in zip(found.thresholds, found.misses) if missed <= found.misses[quiet]))


def held_out(heard: Heard, window: int, hop_seconds: float) -> tuple[float, float] | None:
    """Misses and false alarms per hour of each half at the threshold of the other; None where one has no threshold."""
    missed = alarms = 0.0
    for second in (False, True):
        threshold = choose_threshold(curve(heard.half(not second), window, THRESHOLDS, hop_seconds))
        if threshold is None:
            return None
        half = heard.half(second)
        found = curve(half, window, np.array([threshold]), hop_seconds)
        missed += found.misses[0] * len(half.words)
        alarms += found.false_alarms_per_hour[0] * half.hours
    return missed / len(heard.words), alarms / heard.hours


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="+", help="a model, or manifests of exports for ESPHome")
    parser.add_argument("--words", nargs="+", required=True, metavar="MANIFEST[:SPLIT]")
    parser.add_argument("--other", nargs="+", required=True, metavar="MANIFEST[:SPLIT]")
    parser.add_argument("--hours", type=float, default=2.0, help="at most so much other audio, 2")
    parser.add_argument("--maximum", type=int, default=200, help="recordings of each word in each manifest, 200")
    parser.add_argument("--out", type=Path, help="PNG file to plot to")
    parser.add_argument("--json", type=Path, help="file for the curves")
    parser.add_argument("--tune", action="store_true", help="choose thresholds, and the window of exports, and keep them")
    parser.add_argument("--figures", type=Path, metavar="CSV", help="file for the figures (docs/figures/wake_word_models.csv, "
                        "where those of other models stay; of exports wake_word.csv, with --tune wake_word_tuning.csv)")
    arguments = parser.parse_args()
    manifests = [Path(path) for path in arguments.model if path.endswith(".json")]
    if len(arguments.model) != max(1, len(manifests)):
        parser.error("name one model, or manifests of exports for ESPHome")
    model = None if manifests else open_keywords(arguments.model[0])
    detector = esphome(manifests) if manifests else listening(model)
    results = listen_to(detector, arguments.words, arguments.other, arguments.hours, arguments.maximum)
    report, rows, chosen = {}, [], {}
    for word, heard in results.items():
        offered = not manifests and word in wake_thresholds(model.spec["heads"]["keyword"])
        if arguments.tune and manifests:
            # Hundredths, of which no sum of 8 bits reaches the last.
            curves = [curve(heard, window, np.arange(2, 100) / 100, detector.hop_seconds) for window in SLIDING_WINDOWS]
            best = min(curves, key=lambda each: each.misses[each.quiet])
            detector.thresholds[word], detector.windows[word] = best.thresholds[best.quiet], best.window
            write_choice(word, manifests, detector.thresholds[word], detector.windows[word])
        elif arguments.tune:
            tried = curve(heard, detector.windows[word], THRESHOLDS, detector.hop_seconds)
            chosen[word] = choose_threshold(tried)
            offered = chosen[word] is not None
            detector.thresholds[word] = chosen[word] if offered else float(tried.thresholds[tried.quiet])
        own = detector.thresholds[word]
        found = curve(heard, detector.windows[word], np.unique([*THRESHOLDS, own]), detector.hop_seconds)
        report[word] = {"n": len(heard.words), "hours": heard.hours, **asdict(found), "thresholds": found.thresholds.tolist()}
        usual, quiet = int(np.searchsorted(found.thresholds, own)), found.quiet
        print(f"{word:10s} {len(heard.words):4d} recordings, mean of {found.window}; " + "; ".join(
            f"threshold {found.thresholds[at]:.4f}: {found.misses[at]:6.1%} missed, {found.false_alarms_per_hour[at]:6.2f} false alarms "
            f"in each of {heard.hours:.2f} hours" for at in (usual, quiet)))
        row = {"word": word, "clips": len(heard.words), "window": found.window, "threshold": own,
               "missed": found.misses[usual], "false_alarms_per_hour": found.false_alarms_per_hour[usual], "hours": heard.hours}
        if not manifests:
            fresh = held_out(heard, detector.windows[word], detector.hop_seconds) if arguments.tune else None
            row = {"model": model.spec["name"], **row, "offered": "yes" if offered else "no",
                   "held_out_missed": fresh and fresh[0], "held_out_false_alarms_per_hour": fresh and fresh[1]}
        rows.append(row)
    if chosen:
        write_wake_thresholds(arguments.model[0], chosen)
    figures = arguments.figures or FOLDER / ("wake_word_models.csv" if not manifests else
                                             f"wake_word{'_tuning' if arguments.tune else ''}.csv")
    write_figures(figures, rows if manifests else kept_rows(figures, rows, "model") + rows)
    if arguments.json:
        write_atomically(arguments.json, (json.dumps(report) + "\n").encode())
    if arguments.out:
        plot(arguments.out, report)


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
