"""Which way to intents and slots is best: the heads that were trained for them, a grammar on the phones, or both.

    python -m benchmarks.quality.intents mtl_conformer_small --grammar smart_speaker \\
        --commands prepared/smart_speaker/manifest.jsonl:dev --other prepared/fragments_spoken/manifest.jsonl:dev --noise NOISE.wav --snr 10

answers every utterance three ways, clean and in noise, and prints how many intents are right, how many commands entirely
(every labelled slot, too), how many are taken for no command, and how much other speech is taken for one. `fused` is the
grammar's answer, accepted or rejected by the sum of its score and an eighth of the log odds of the `intent` head that this is
a command: the head has heard what commands sound like, the grammar knows what they say.
"""

import argparse
import zlib
from pathlib import Path

import numpy as np

from benchmarks.quality.parts import read_part
from speechzoo.audio import load_audio
from speechzoo.data.mixing import mix_at_snr
from speechzoo.decoding.answers.classifier import class_probabilities
from speechzoo.decoding.commands.decoder import NO_INTENT, CommandDecoder
from speechzoo.decoding.recognition import recognize_outputs
from speechzoo.metrics.understanding import score_commands
from speechzoo.opening import open_model
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import plain

BATCH = 8
SHARE_OF_HEAD = 0.125


def read_all(manifest: str, rate: int, intent: str | None) -> list[tuple[dict, np.ndarray]]:
    """(utterance with its intent and slots, its audio) of a manifest, or of one split of it."""
    part = read_part(manifest)
    changed = {"intent": intent, "slots": {}} if intent else {}
    return [({**utterance, **changed}, part.audio(utterance, rate)) for utterance in part.utterances]


def answers_of(outputs: dict, spec: dict, commands: CommandDecoder) -> dict:
    """Way -> (intent, slots) for one utterance."""
    heads = recognize_outputs(outputs, spec, ["intent", "slots"])
    parse = commands(outputs)
    head = spec["heads"]["intent"]
    none = class_probabilities(outputs["intent"], head)[head["classes"].index(NO_INTENT)]
    odds = np.log(max(1 - none, 1e-4) / max(none, 1e-4))
    # Without confidence there was nothing to hear.
    fused = parse.confidence > 0 and parse.score + SHARE_OF_HEAD * odds >= commands.compiled.threshold
    return {"heads": (heads.intent, heads.slots),
            "grammar": (parse.intent, parse.slots) if parse.accepted else (NO_INTENT, {}),
            "fused": (parse.intent, parse.slots) if fused else (NO_INTENT, {})}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--grammar", required=True)
    parser.add_argument("--commands", required=True, metavar="MANIFEST[:SPLIT]", help="utterances with intent and slots")
    parser.add_argument("--other", required=True, metavar="MANIFEST[:SPLIT]", help="utterances that are no commands")
    parser.add_argument("--noise", type=Path)
    parser.add_argument("--snr", type=float, default=10.0, help="dB, 10")
    add_figures_option(parser, "intents")
    arguments = parser.parse_args()
    model = open_model(arguments.model)
    spec = model.spec
    rate = spec["sample_rate"]
    commands = CommandDecoder(arguments.grammar, spec)
    clips = read_all(arguments.commands, rate, None) + read_all(arguments.other, rate, NO_INTENT)
    references = [(utterance["intent"], {name: str(value) for name, value in (utterance.get("slots") or {}).items()})
                  for utterance, _ in clips]
    speakers = [utterance.get("speaker", utterance["id"]) for utterance, _ in clips]
    conditions = {"clean": None}
    if arguments.noise:
        conditions[f"{arguments.noise.stem}, {arguments.snr:g} dB"] = load_audio(arguments.noise, rate)
    rows = []
    for condition, noise in conditions.items():
        audio = [sound if noise is None else
                 mix_at_snr(sound, noise, arguments.snr, zlib.crc32(utterance["id"].encode()) % len(noise))
                 for utterance, sound in clips]
        heard = [answers_of(outputs, spec, commands) for start in range(0, len(audio), BATCH)
                 for outputs in model.batch_outputs(audio[start:start + BATCH])]
        for way in heard[0]:
            given = [answers[way] for answers in heard]
            whole = score_commands(references, given, speakers)
            intents = score_commands([(intent, {}) for intent, _ in references], given, speakers)
            rows.append({"condition": condition, "way": way, "intent_right": intents["accuracy"],
                         "all_right": whole["accuracy"], "rejected": whole["rejected"],
                         "false_accepts": whole["false_accepts"]})
    print("\n".join(plain("intents", rows)))
    write_figures(arguments.figures, rows)


if __name__ == "__main__":
    main()
