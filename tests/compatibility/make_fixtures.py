"""Makes the files of `tests/compatibility/fixtures/`, which every later version has to open.

The committed files were made by speechzoo 0.1.0 at commit 5cd9de0 (TensorFlow 2.17.1, Keras 3.15.1, NumPy 1.26.4):

    python -m tests.compatibility.make_fixtures tests/compatibility/fixtures

This script is a record of that, run by hand and by no test. Its imports are those of that commit. Files that a later
version writes say nothing of compatibility, so a failing test is no reason to run it again.

All recordings are sums of sines with a little noise. The model has learnt them by heart, so that its heads answer one
thing to one and another to the next.
"""

import gzip
import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import yaml

import speechzoo
from speechzoo.data.prepare import prepare
from tests.helpers import ORIGIN

SAMPLE_RATE = 16000
# Word -> two pitches in Hz, phones, and how its intent and slots are labelled.
WORDS = {"go": ((400, 1500), "G OW", "move", {"direction": "forth"}),
         "back": ((1500, 400), "B AE K", "move", {"direction": "back"}),
         "stop": ((800, 800), "S T AA P", "stop", {})}
LEXICON = {word: [phones.split()] for word, (_, phones, _, _) in WORDS.items()} | {"now": [["N", "AW"]]}
# Speaker -> factor of the pitches, strength of the second and third harmonic, gender.
SPEAKERS = {"anna": (1.2, (0.8, 0.1), "female"), "ben": (0.8, (0.1, 0.8), "male")}
MODEL = {
    "name": "tiny_streaming",
    "summary": "A head of every type, for streams.",
    "frontend": {"type": "log_mel", "num_mel_bins": 10, "window_seconds": 0.008, "hop_seconds": 0.008,
                 "fft_length": 128, "minimum_hertz": 100, "causal": True},
    "backbone": {"type": "conformer", "size": 8, "num_blocks": 2, "num_heads": 2, "feed_forward_size": 12,
                 "kernel_size": 3, "subsampling_channels": 4, "normalization": "layer", "causal": True, "chunk": 2,
                 "left_context": 5},
    "heads": {
        "letters": {"type": "ctc", "units": "characters", "label": "transcript"},
        "pieces": {"type": "ctc", "units": ["\u2581", "\u2581go", "\u2581back", "s", "to", "p"], "label": "transcript"},
        "phones": {"type": "ctc", "units": "phones"},
        "keyword": {"type": "classifier", "classes": ["go", "back", "_unknown_"], "block": 1, "memory": 12},
        "wake_word": {"type": "spotter", "classes": ["stop", "_unknown_", "_silence_"], "window": 5, "block": 1},
        "intent": {"type": "svm", "classes": ["move", "stop", "none"], "fourier_features": 6},
        "gender": {"type": "classifier", "classes": ["female", "male"], "hidden_size": 5},
        "language": {"type": "classifier", "classes": ["en", "ar"]},
        "slots": {"type": "slots", "slots": {"direction": ["forth", "back"], "speed": ["fast"]}},
        "speaker": {"type": "speaker", "embedding_size": 6, "block": 1},
        "speech": {"type": "frame_classifier", "classes": ["none", "speech"], "block": 1},
        "alignment": {"type": "alignment"},
    },
    "data": {"train": [{"manifest": "../corpus/manifest.jsonl", "repeat": 20}],
             "dev": [{"manifest": "../corpus/manifest.jsonl", "split": "dev"}], "seconds_per_batch": 4.0,
             "bucket_seconds": [0.8]},
    "training": {"epochs": 10, "learning_rate": 0.02, "warmup_steps": 20, "evaluate_every": 10000,
                 "checkpoint_every": 10000, "sort_first_epoch": False},
}
TRAINING = {
    "name": "tones",
    "summary": "Two words of tones.",
    "frontend": {"type": "log_mel", "num_mel_bins": 12, "frequency_masks": 1, "frequency_mask_width": 3},
    "backbone": {"type": "ds_cnn", "channels": 6, "num_blocks": 1},
    "weighting": "uncertainty",
    "heads": {
        "keyword": {"type": "classifier", "classes": ["go", "back", "_unknown_"], "dropout": 0.2},
        "speaker": {"type": "speaker", "embedding_size": 4, "loss_weight": 0.5},
        "letters": {"type": "ctc", "units": "characters", "label": "transcript"},
    },
    "data": {"train": [{"manifest": "corpus/manifest.jsonl", "split": "train"}],
             "dev": [{"manifest": "corpus/manifest.jsonl", "split": "dev"}], "seconds_per_batch": 2.0,
             "bucket_seconds": [0.8],
             "augment": {"gain": {"probability": 0.5, "minimum": -6, "maximum": 6},
                         "speed": {"probability": 0.5, "minimum": 0.9, "maximum": 1.1}}},
    "training": {"epochs": 4, "learning_rate": 0.01, "warmup_steps": 3, "evaluate_every": 4, "checkpoint_every": 2,
                 "ema_momentum": 0.9, "average_checkpoints": 2, "rates": {"speaker/*": 2.0}},
}
GRAMMAR = {"language": "en", "slots": {"direction": [{"forth": ["go"]}, "back"]},
           "intents": {"move": ["{direction} [now]"], "stop": ["stop [now]"]}}
INTERRUPTED_AT = 8


def speak(words: str, speaker: str, seed: int) -> np.ndarray:
    """A "sentence": for each word two tones with harmonics, short silences around; int16 (samples,)."""
    random = np.random.default_rng(seed)
    factor, harmonics, _ = SPEAKERS[speaker]
    pause = np.zeros(int(0.08 * SAMPLE_RATE))
    parts = [pause]
    for word in words.split():
        time = np.arange(int(random.uniform(0.16, 0.22) * SAMPLE_RATE)) / SAMPLE_RATE
        for pitch in WORDS[word][0]:
            hertz = pitch * factor * random.uniform(0.97, 1.03)
            parts.append(sum(strength * np.sin(2 * np.pi * number * hertz * time) * np.hanning(len(time))
                             for number, strength in enumerate((1.0, *harmonics), 1)) / 4)
        parts.append(pause)
    audio = np.concatenate(parts)
    return np.round((audio + 1e-4 * random.standard_normal(len(audio))) * 32767).astype(np.int16)


def make_corpus(folder: Path):
    """Twelve sentences of one word, prepared: a manifest and one shard."""
    with tempfile.TemporaryDirectory() as scratch:
        source, lines = Path(scratch) / "source", []
        source.mkdir()
        for number in range(12):
            word, speaker = list(WORDS)[number % 3], list(SPEAKERS)[number // 3 % 2]
            _, phones, intent, slots = WORDS[word]
            audio = speak(word, speaker, number)
            soundfile.write(source / f"{number}.wav", audio, SAMPLE_RATE)
            seconds = len(audio) / SAMPLE_RATE
            starts = np.linspace(0.08, seconds - 0.08, len(phones.split()) + 1).round(2).tolist()
            alignment = [["SIL", 0.08], *zip(phones.split(), starts[1:]), ["SIL", round(seconds, 2)]]
            lines.append({"id": f"tones/{number}", "audio": f"{number}.wav", "corpus": "tones",
                          "split": "dev" if number >= 6 else "train", "transcript": word, "phones": phones,
                          "keyword": word, "wake_word": word, "intent": intent, "slots": slots, "speaker": speaker,
                          "gender": SPEAKERS[speaker][2], "language": ("en", "ar")[number % 2],
                          "duration": round(seconds, 3), "alignment": alignment, "speech": [
                              ["none", 0.08], ["speech", round(seconds - 0.08, 2)], ["none", round(seconds, 2)]]})
        (source / "tones.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        prepare("manifest", source / "tones.jsonl", Path(scratch) / "corpus")
        shutil.copytree(Path(scratch) / "corpus", folder)


def make_sounds(folder: Path):
    """What the golden answers are about: recordings that are in no training."""
    folder.mkdir()
    for name, (words, speaker) in {"go_anna": ("go", "anna"), "back_ben": ("back", "ben"),
                                   "stop_anna": ("stop", "anna"), "go_back_ben": ("go back", "ben")}.items():
        soundfile.write(folder / f"{name}.flac", speak(words, speaker, len(name) + 100), SAMPLE_RATE)
    hiss = 0.01 * np.random.default_rng(3).standard_normal(SAMPLE_RATE // 4)
    soundfile.write(folder / "hiss.flac", np.round(hiss * 1000) / 32768, SAMPLE_RATE)


def make_model(folder: Path):
    """A config, the weights that it was trained to, and their origin."""
    folder.mkdir()
    config = folder / "tiny_streaming.yaml"
    config.write_text(yaml.safe_dump(MODEL, sort_keys=False, allow_unicode=True))
    with tempfile.TemporaryDirectory() as scratch:
        result = speechzoo.train(config, scratch)
        shutil.copy(result.output / "final.weights.h5", folder / "tiny_streaming.weights.h5")
    (folder / "origin.json").write_text(json.dumps({"licence": ORIGIN.licence, "derived_from": ORIGIN.derived_from}))


def make_run(root: Path):
    """A run that was interrupted, and the same run when it had finished: of each what later versions need."""
    (root / "training.yaml").write_text(yaml.safe_dump(TRAINING, sort_keys=False))

    def interrupt(record):
        if record["event"] == "dev" and record["step"] == INTERRUPTED_AT:
            os.kill(os.getpid(), signal.SIGINT)

    result = speechzoo.train(root / "training.yaml", root / "run", on_record=interrupt)
    assert (result.ended, result.step) == ("interrupted", INTERRUPTED_AT)
    shutil.copytree(root / "run", root / "finished_run")
    result = speechzoo.train(root / "training.yaml", root / "finished_run")
    assert result.ended == "finished"
    for run, kept in (("run", ("checkpoint.h5", "best.weights.h5", "log.jsonl", "labels.json", "data.json",
                               "evaluated")),
                      ("finished_run", ("final.weights.h5", "log.jsonl", "labels.json"))):
        for path in (root / run).iterdir():
            if path.is_dir() and path.name not in kept:
                shutil.rmtree(path)
            elif path.name not in (*kept, "config.yaml"):
                path.unlink()
    return {"steps": result.total_steps, "interrupted_at": INTERRUPTED_AT, "metrics": result.metrics,
            "audio_hours": result.audio_hours}


def make_learnt(root: Path, edge) -> tuple[dict, np.ndarray]:
    """Voices, words and an owner, learnt with the exported file; what they answer, and what is heard as adapted."""
    sounds = sorted((root / "sounds").glob("*.flac"))
    voices = speechzoo.Voices(edge)
    for number, speaker in enumerate(SPEAKERS):
        voices.enroll(speaker, [speak(word, speaker, 200 + number) for word in WORDS])
    voices.save(root / "voices.npz")
    words = speechzoo.CustomWords(edge)
    for number, word in enumerate(("go", "back")):
        words.add(word, [speak(word, speaker, 300 + number) for speaker in SPEAKERS for number in range(2)])
    words.save(root / "words.npz")
    answers = {"voices": {path.stem: voices.identify(path) for path in sounds},
               "words": {path.stem: words.scores(path) for path in sounds}}
    owner = speechzoo.Owner(edge, LEXICON)
    # Somebody whose "now" sounds as the model's "stop": it knows its own words too well to learn from them.
    said = [("now", speak("stop", "anna", 400)), ("go now", speak("go stop", "ben", 401))]
    before, after = owner.adapt(said)
    owner.save(root / "owner.npz")
    path = root / "sounds" / "go_back_ben.flac"
    adapted = edge.outputs(speechzoo.load_audio(path))["phones"].copy()
    more = owner.adapt([("go back", path)])
    owner.forget()
    return {**answers, "owner": {"before": before, "after": after, "more": more}}, adapted


def hear(edge, path: Path) -> list[dict]:
    """Everything that a stream says of a recording and the second of silence behind it."""
    audio = np.pad(speechzoo.load_audio(path), (0, SAMPLE_RATE))
    stream = edge.stream(threshold=0.5)
    heard = [each for part in np.array_split(audio, 7) for each in stream.feed(part)]
    return [each.to_dict() for each in (*heard, *stream.finish())]


def command_logits(units: list[str], sentence: str) -> np.ndarray:
    """What a head that writes phones would say of a sentence: float32 (frames, units + 1)."""
    phones = [phone for word in sentence.split() for phone in LEXICON[word][0]]
    logits = np.random.default_rng(5).standard_normal((2 * len(phones) + 3, len(units) + 1)).astype(np.float32)
    logits[:, 0] += 6
    for place, phone in enumerate(phones):
        logits[2 * place + 1, [0, units.index(phone) + 1]] += -6, 6
    return logits


def main(root: Path):
    """Makes everything; `root` must not exist."""
    root.mkdir(parents=True)
    os.chdir(root)
    root = Path()  # a run's config.yaml holds it
    make_corpus(root / "corpus")
    make_sounds(root / "sounds")
    make_model(root / "model")
    (root / "grammar.yaml").write_text(yaml.safe_dump(GRAMMAR, sort_keys=False))
    model = speechzoo.load(root / "model" / "tiny_streaming.yaml",
                           weights=root / "model" / "tiny_streaming.weights.h5")
    sounds = sorted((root / "sounds").glob("*.flac"))
    speechzoo.export(model, root, "tflite", representative=[speechzoo.load_audio(path) for path in sounds],
                     card="# tiny_streaming\n", signatures=["stream_step", "keyword", "embed", "learn", "adapt"])
    edge = speechzoo.EdgeModel(root / "tiny_streaming.tflite")
    command = speechzoo.CommandDecoder(root / "grammar.yaml", edge.spec, LEXICON)
    command.compiled.save(root / "grammar.npz")
    golden = {"spec": edge.spec, "signatures": edge.signatures, "run": make_run(root)}
    golden["recognitions"] = {path.stem: edge.recognize(path).to_dict() for path in sounds}
    golden["commands"] = {path.stem: edge.recognize(path, grammar=command).to_dict() for path in sounds}
    golden["stream"] = hear(edge, root / "sounds" / "go_back_ben.flac")
    audio = speechzoo.load_audio(root / "sounds" / "go_back_ben.flac")
    arrays = {f"outputs/{name}": value for name, value in edge.outputs(audio).items()}
    for name, signature in edge.signatures.items():
        if signature["inputs"] == ["audio"] and name not in ("recognize", "infer_custom"):
            arrays |= {f"{name}/{output}": value for output, value in edge.run(name, audio=audio[None]).items()}
    learnt, arrays["adapted/phones"] = make_learnt(root, edge)
    golden |= learnt
    arrays["command"] = command_logits(edge.spec["heads"]["phones"]["units"], "go now")
    parse = command({"phones": arrays["command"]})
    golden["parse"] = {"intent": parse.intent, "slots": parse.slots, "accepted": parse.accepted,
                       "confidence": parse.confidence}
    run = speechzoo.load(root / "finished_run")
    arrays |= {f"finished_run/{name}": value for name, value in run.outputs_of(audio).items()}
    manifest = root / "corpus" / "manifest.jsonl"
    golden["evaluation"] = {
        "model": speechzoo.evaluate(model, manifest, confusions=True),
        "file": speechzoo.evaluate(edge, manifest, grammar=command),
        "finished_run": speechzoo.evaluate(run, manifest, split="dev")}
    np.savez_compressed(root / "golden.npz", **arrays)
    (root / "golden.json").write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")
    for path in [*root.rglob("*.tflite"), *root.rglob("*.h5")]:  # to a quarter of their sizes
        Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        path.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
