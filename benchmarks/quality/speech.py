"""Who hears best where somebody speaks: heads of type `frame_classifier`, the rule of the listener, silero-vad.

    python -m benchmarks.quality.speech mtl_whisper_tiny --speech prepared/{librispeech,speechocean762}/manifest.jsonl:dev \\
        --sounds prepared/{kitchen20/manifest.jsonl:dev,esc10/manifest.jsonl:fold4} \\
        --noises prepared/kitchen20/manifest.jsonl:dev --silero silero_vad.onnx --out speech.png

`--speech` holds sentences whose label `speech` or `alignment` says when they are spoken (`speechzoo align`), `--sounds` recordings in
which nobody speaks. A second of silence is put before and behind each sentence, and then what the condition adds to all of it: a noise of
`--noises`, or babble, which is five other sentences at once and counts as silence. Printed are the area under the receiver's curve over
hundredths of a second, and how much speech is missed by the threshold that takes 5 % of the rest for speech. The curves are plotted to
`--out`.

silero-vad (MIT) is a peer: `pip install onnxruntime`, and the file is `silero_vad/data/silero_vad.onnx` in its wheel.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.quality.parts import Part, evenly, read_part
from speechzoo.data.mixing import mix_at_snr, mix_somewhere
from speechzoo.data.speech_labels import NONE, SPEECH, speech_of_alignment
from speechzoo.listening.voice_activity import FRAME_SECONDS, VoiceActivity
from speechzoo.metrics.frames import area_under_roc, frame_references
from speechzoo.opening import open_model
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import plain

RATE = 16000
STEP_SECONDS = 0.01
EDGE_SECONDS = 1.0  # of silence on both sides of a sentence
SNRS = (10.0, 0.0)  # dB
BABBLE = 5  # sentences
FALSE_ALARMS = 0.05
CLASSES = [NONE, SPEECH]
# A detector: recording, float32 (samples,) at 16 kHz -> (score of each frame, larger where speech is likelier, seconds of a frame).
Detector = Callable[[np.ndarray], tuple[np.ndarray, float]]


def energy(audio: np.ndarray) -> tuple[np.ndarray, float]:
    """The listener's rule: loudness over the noise floor, dB."""
    activity, scores = VoiceActivity(RATE), []
    for start in range(0, len(audio) - activity.frame + 1, activity.frame):
        activity.feed(audio[start:start + activity.frame])
        scores.append(activity.above_floor)
    return np.array(scores), FRAME_SECONDS


def head_of(model) -> Detector:
    """The detector that a model's head for the label `speech` is.

    Raises:
        ValueError: It has none.
    """
    spec = model.spec["heads"]
    names = [name for name, head in spec.items() if head["label"] == "speech"]
    if not names:
        raise ValueError(f"model '{model.spec['name']}' has no head for speech; it has: {', '.join(spec)}")

    def detect(audio):
        logits = model.batch_outputs([audio], names[:1])[0][names[0]].astype(np.float64)
        return logits[:, 1] - logits[:, 0], spec[names[0]]["frame_seconds"]

    return detect


def silero(path: Path) -> Detector:
    """silero-vad 5 and 6: 512 samples at a time, behind the last 64 of those before, and a state."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def detect(audio):
        state, before, scores = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32), []
        for start in range(0, len(audio) - 511, 512):
            chunk = audio[start:start + 512]
            inputs = {"input": np.concatenate([before, chunk])[None], "state": state, "sr": np.array(RATE, np.int64)}
            score, state = session.run(None, inputs)
            scores.append(float(score[0, 0]))
            before = chunk[-64:]
        return np.array(scores), 512 / RATE

    return detect


def sentence(audio: np.ndarray, label: list) -> tuple[np.ndarray, np.ndarray]:
    """A sentence between silences, and whether somebody speaks at each hundredth of a second of it."""
    edge = np.zeros(round(EDGE_SECONDS * RATE), np.float32)
    spoken = frame_references(label, CLASSES, round(len(audio) / RATE / STEP_SECONDS)) > 0
    quiet = np.zeros(round(EDGE_SECONDS / STEP_SECONDS), bool)
    return np.concatenate([edge, audio, edge]), np.concatenate([quiet, spoken, quiet])


def at_steps(scores: np.ndarray, frame_seconds: float, steps: int) -> np.ndarray:
    """The scores of frames, at the middle of each hundredth of a second."""
    frame = ((np.arange(steps) + 0.5) * STEP_SECONDS / frame_seconds).astype(int)
    return scores[np.minimum(frame, len(scores) - 1)]


def babble(sentences: list[np.ndarray], number: int) -> np.ndarray:
    """Sentences other than that of a number at once, each as loud as the others."""
    others = [sentences[(number + step) % len(sentences)] for step in range(1, BABBLE + 1)]
    length = max(map(len, others))
    return sum(np.resize(other / max(np.sqrt(np.mean(np.square(other))), 1e-6), length) for other in others)


def conditions_of(sentences: list[tuple[str, np.ndarray, np.ndarray]],
                  noises: list[np.ndarray]) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Condition -> (recording, whether somebody speaks at each step) of every sentence."""
    spoken = [audio[round(EDGE_SECONDS * RATE):-round(EDGE_SECONDS * RATE)] for _, audio, _ in sentences]
    heard = {"quiet": [(audio, truth) for _, audio, truth in sentences]}
    for snr in SNRS:
        heard[f"noise, {snr:g} dB"] = [(mix_somewhere(audio, noises, snr, name), truth)
                                       for name, audio, truth in sentences]
        heard[f"babble, {snr:g} dB"] = [(mix_at_snr(audio, babble(spoken, number), snr), truth)
                                        for number, (_, audio, truth) in enumerate(sentences)]
    return heard


def measure(detector: Detector, recordings: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the steps where somebody speaks, and of the others."""
    found = [(at_steps(*detector(audio), len(truth)), truth) for audio, truth in recordings]
    scores, truth = (np.concatenate(parts) for parts in zip(*found))
    return scores[truth], scores[~truth]


def labelled(part: Part, maximum: int) -> list[tuple[dict, list]]:
    """At most so many utterances that say when somebody speaks, and what they say."""
    found = []
    for utterance in part.utterances:
        label = utterance.get("speech")
        if label is None and "alignment" in utterance:
            label = speech_of_alignment(utterance["alignment"])
        if isinstance(label, list):
            found.append((utterance, label))
    return evenly(found, maximum)


def plot(path: Path, curves: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]):
    """Receiver's curves, a panel per condition, as PNG."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(curves), figsize=(3.4 * len(curves), 3.6), sharey=True, squeeze=False)
    for axes, (condition, detectors) in zip(panels[0], curves.items()):
        for name, (speech, rest) in detectors.items():
            lines = np.quantile(rest, np.linspace(0, 1, 201))
            axes.plot([np.mean(rest > line) for line in lines], [np.mean(speech > line) for line in lines], label=name)
        axes.set(title=condition, xlabel="rest taken for speech", xlim=(0, 0.5), ylim=(0.5, 1))
    panels[0][0].set_ylabel("speech found")
    panels[0][0].legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--speech", required=True, nargs="+", metavar="MANIFEST[:SPLIT]")
    parser.add_argument("--sounds", nargs="*", default=[], metavar="MANIFEST[:SPLIT]")
    parser.add_argument("--noises", required=True, metavar="MANIFEST[:SPLIT]")
    parser.add_argument("--silero", type=Path, metavar="FILE")
    parser.add_argument("--maximum", type=int, default=60, help="recordings of each manifest, 60")
    parser.add_argument("--out", type=Path, help="PNG file to plot to")
    add_figures_option(parser, "speech")
    arguments = parser.parse_args()
    detectors = {name: head_of(open_model(name)) for name in arguments.models} | {"energy over the floor": energy}
    if arguments.silero:
        detectors["silero-vad"] = silero(arguments.silero)
    noise_part = read_part(arguments.noises)
    noises = [noise_part.audio(utterance, RATE) for utterance in noise_part.utterances]
    sentences = [(utterance["id"], *sentence(part.audio(utterance, RATE), label))
                 for part in map(read_part, arguments.speech) for utterance, label in labelled(part, arguments.maximum)]
    heard = conditions_of(sentences, [noise for noise in noises if np.any(noise)])
    for part in map(read_part, arguments.sounds):
        audios = [part.audio(utterance, RATE) for utterance in evenly(part.utterances, arguments.maximum)]
        nobody = [(audio, np.zeros(int(len(audio) / RATE / STEP_SECONDS), bool)) for audio in audios]
        heard[f"quiet, beside {part.name}"] = heard["quiet"] + nobody
    rows, curves = [], {}
    for condition, recordings in heard.items():
        for name, detector in detectors.items():
            speech, rest = measure(detector, recordings)
            curves.setdefault(condition, {})[name] = speech, rest
            missed = np.mean(speech <= np.quantile(rest, 1 - FALSE_ALARMS))
            rows.append({"condition": condition, "detector": name, "hours": sum(len(audio) for audio, _ in recordings)
                         / RATE / 3600, "auc": area_under_roc(speech, rest), "missed": missed})
    print("\n".join(plain("speech", rows)))
    write_figures(arguments.figures, rows)
    if arguments.out:
        plot(arguments.out, curves)


if __name__ == "__main__":
    main()
