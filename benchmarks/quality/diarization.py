"""Who speaks when: diarisation error rate on recordings that are joined of several readers' sentences.

    python -m benchmarks.quality.diarization mtl_whisper_tiny --tune prepared/librispeech_more/manifest.jsonl:dev \\
        --speech prepared/librispeech/manifest.jsonl:dev

Each recording has 2, 3 or 4 readers who take turns of one or two sentences, with pauses of 0.3 to 1 s between them; nobody speaks at
once. When somebody speaks, the label `speech` or `alignment` says (`speechzoo align`), with pauses of up to 0.5 s closed, otherwise the
whole sentence. On the readers of `--tune` the least mean cosine of one voice is chosen, from a few; printed is what it costs on the
others, and what the package's own threshold costs there. 0.25 s around each boundary are not scored.
"""

import argparse

import numpy as np

from benchmarks.quality.parts import Part, read_part
from speechzoo.data.speech_labels import SPEECH, speech_of_alignment
from speechzoo.decoding.speakers.find_turns import PAUSE_SECONDS, SAME_VOICE, find_turns
from speechzoo.metrics.diarization import diarization_errors
from speechzoo.opening import open_model
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import plain

RATE = 16000
PEOPLE = (2, 3, 4)
TRIED = (0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6)


def spoken(utterance: dict, seconds: float) -> list[tuple[float, float]]:
    """When somebody speaks in a sentence, seconds."""
    label = utterance.get("speech")
    if label is None and "alignment" in utterance:
        label = speech_of_alignment(utterance["alignment"])
    if not isinstance(label, list):
        return [(0.0, seconds)]
    starts = [0.0, *(end for _, end in label[:-1])]
    joined = []
    for (name, end), start in zip(label, starts):
        if name == SPEECH:
            if joined and start - joined[-1][1] < PAUSE_SECONDS:
                start = joined.pop()[0]
            joined.append((start, min(end, seconds)))
    return joined


def conversation(part: Part, people: int, turns: int, random: np.random.Generator) -> tuple[np.ndarray, list[tuple]]:
    """A recording, float32 (samples,), and its turns (start, end, speaker)."""
    by_speaker = {}
    for utterance in part.utterances:
        by_speaker.setdefault(utterance["speaker"], []).append(utterance)
    chosen = random.choice(sorted(by_speaker), people, replace=False)
    pieces, reference, seconds, before = [], [], 0.0, None
    for number in range(turns):
        # Everybody speaks, and nobody twice in a row.
        speaker = chosen[number] if number < people else random.choice([each for each in chosen if each != before])
        before = speaker
        for _ in range(random.integers(1, 3)):
            utterance = by_speaker[speaker][random.integers(len(by_speaker[speaker]))]
            audio = part.audio(utterance, RATE)
            reference += [(seconds + start, seconds + end, speaker) for start, end in spoken(utterance, len(audio) / RATE)]
            pause = np.zeros(round(random.uniform(0.3, 1.0) * RATE), np.float32)
            pieces += [audio / max(np.sqrt(np.mean(np.square(audio))), 1e-6) * 0.05, pause]
            seconds += (len(audio) + len(pause)) / RATE
    joined = np.concatenate(pieces)
    return joined + random.standard_normal(len(joined)).astype(np.float32) * 1e-4, reference


def conversations(source: str, count: int, turns: int) -> list[tuple[int, np.ndarray, list[tuple]]]:
    """(people, recording, turns) of so many recordings per number of people; the same ones whenever it is called."""
    part, random = read_part(source), np.random.default_rng(1)
    return [(people, *conversation(part, people, turns, random)) for people in PEOPLE for _ in range(count)]


class Remembering:
    """A model whose answers to the same windows are computed once."""

    def __init__(self, model):
        self.model, self.spec, self._known = model, model.spec, {}

    def batch_outputs(self, audios, heads=None):
        """As `Recognizer.batch_outputs`."""
        keys = [(audio.tobytes(), *heads) for audio in audios]
        new = {key: audio for key, audio in zip(keys, audios) if key not in self._known}
        if new:
            for key, outputs in zip(new, self.model.batch_outputs(list(new.values()), heads)):
                self._known[key] = {head: outputs[head] for head in heads}
        return [self._known[key] for key in keys]


def measure(model, recordings, same_voice: float) -> dict[int, dict[str, float]]:
    """Number of people -> seconds of each error, and how often their number was right."""
    sums = {}
    for people, audio, reference in recordings:
        turns = find_turns(model, audio, RATE, same_voice=same_voice)
        errors = diarization_errors(reference, [(turn.start, turn.end, turn.speaker) for turn in turns])
        errors |= {"right_number": len({turn.speaker for turn in turns}) == people, "recordings": 1,
                   "seconds": len(audio) / RATE}
        total = sums.setdefault(people, dict.fromkeys(errors, 0))
        for name, value in errors.items():
            total[name] += value
    return sums


def rate(errors: dict[str, float]) -> float:
    """The diarisation error rate."""
    return (errors["missed"] + errors["false_alarm"] + errors["confused"]) / errors["speech"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--speech", required=True, metavar="MANIFEST[:SPLIT]")
    parser.add_argument("--tune", required=True, metavar="MANIFEST[:SPLIT]", help="sentences of other readers")
    parser.add_argument("--count", type=int, default=4, help="recordings for each number of people, 4")
    parser.add_argument("--turns", type=int, default=8, help="turns in each, 8")
    add_figures_option(parser, "diarization")
    arguments = parser.parse_args()
    model = Remembering(open_model(arguments.model))
    tuning = conversations(arguments.tune, arguments.count, arguments.turns)
    costs = {same: np.mean([rate(errors) for errors in measure(model, tuning, same).values()]) for same in TRIED}
    for same, cost in costs.items():
        print(f"tuned at {same:.2f}: {cost:.1%}")
    recordings = conversations(arguments.speech, arguments.count, arguments.turns)
    rows = []
    for same in dict.fromkeys([SAME_VOICE, min(costs, key=costs.get)]):
        for people, errors in measure(model, recordings, same).items():
            rows.append({"model": model.spec["name"], "same_voice": same, "people": people,
                         "recordings": errors["recordings"], "minutes": errors["seconds"] / 60, "der": rate(errors),
                         **{name: errors[name] / errors["speech"] for name in ("missed", "false_alarm", "confused")},
                         "right_number": errors["right_number"]})
    print("\n".join(plain("diarization", rows)))
    write_figures(arguments.figures, rows)


if __name__ == "__main__":
    main()
