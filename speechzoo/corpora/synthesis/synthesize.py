"""Sentences -> a manifest and TFRecord shards of synthetic speech, in the form that `speechzoo prepare` writes."""

import dataclasses
import hashlib
import itertools
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from speechzoo import __version__
from speechzoo.audio import SAMPLE_RATE, encode_flac
from speechzoo.corpora.corpus import CorpusError
from speechzoo.corpora.synthesis.engine import EngineError
from speechzoo.corpora.synthesis.engines import find_voices
from speechzoo.corpora.synthesis.sentences import read_sentences
from speechzoo.corpora.synthesis.speaker import SPEAKERS_PER_VOICE, Speaker
from speechzoo.corpora.synthesis.voice import Voice
from speechzoo.data.prepare import PrepareSummary, summarize
from speechzoo.data.shards import ShardFolder
from speechzoo.data.workers import Workers
from speechzoo.text.letter_to_sound import guessing_lexicon
from speechzoo.text.phones import phones_of

# What is lost at most when a run is killed, and what one shard holds.
_UTTERANCES_PER_SHARD = 512
# An engine with fewer talkers gives none of them away to dev.
_TALKERS_TO_HOLD_OUT = 4
# About 25 seconds: longer than what models are trained on.
_MAXIMUM_LETTERS = 400


def synthesize(source: str | Path, out: str | Path, hours: float, seed: int = 1, corpus: str | None = None,
               splits: Iterable[str] = (), name: str | None = None, hold_out: float = 0.05,
               lexicon: str | Path | None = None, voices: Iterable[str] = (), piper: Iterable[str] = (),
               workers: int = 1, on_progress: Callable[[float, float], None] | None = None) -> PrepareSummary:
    """Speaks sentences with every voice found until there are `hours` of speech.

    What comes out has `transcript`, `intent` and `slots` where the source has them, `phones` from the lexicon,
    `speaker`, `voice`, and `gender` where it is known. The work goes on in `out/.partial` and takes its place at the
    end, the manifest last; a run that was killed goes on after its last complete shard. The same arguments and engines
    give the same bytes, however many the workers.

    Args:
        source: A grammar's name or file, a text file, or what the reader `corpus` reads; see `read_sentences`.
        out: Folder to write.
        hours: How much speech; the sentence that reaches it is the last.
        seed: Of sentences, voices and how they speak.
        corpus: Name of a corpus reader that reads `source`.
        splits: Only these splits of that corpus.
        name: `corpus` of the utterances; that of the source with `_synthetic` when None.
        hold_out: Part of the sentences and of each engine's talkers that becomes the split `dev`, 0 to 1; all others
            become `train`. The two share neither a talker nor a sentence, and dev has no intent and no slot value that
            train hasn't. A hash of the sentence decides, so it never changes sides.
        lexicon: `cmudict` or a path: add `phones`; words that it doesn't have are pronounced as their letters suggest.
        voices: Patterns of the voices to speak with, such as `flite:*`; all when empty.
        piper: Voice files of Piper.
        workers: Processes that speak.
        on_progress: Called with the seconds of speech so far and those of all.

    Raises:
        EngineError: No engine is installed.
        CorpusError, GrammarError: The source can't be read, or hardly any sentence can be spoken.
        OSError: `out` can't be written, or the disk is full; shards that are complete stay for the next run.
    """
    if not 0 < hours < math.inf:
        raise ValueError(f"hours must be more than 0, got {hours:g}")
    if not 0 <= hold_out < 1:
        raise ValueError(f"hold_out must be at least 0 and less than 1, got {hold_out}")
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, got {seed}")
    folder = ShardFolder(out, "synthesize")
    source_name, sentences = read_sentences(source, seed, corpus, splits)
    words = None if lexicon is None else guessing_lexicon(lexicon)
    voices_of = split_voices(find_voices(voices, piper), hold_out, seed)
    tasks = _plan(split_sentences(sentences, hold_out if voices_of["dev"] else 0), voices_of, words, seed,
                  name or f"{source_name}_synthetic")
    total, done = hours * 3600, 0.0
    with Workers(workers) as workers:
        while done < total:
            chunk = list(itertools.islice(tasks, _UTTERANCES_PER_SHARD))
            results = _until(total, done, workers.map(_speak, chunk), on_progress)
            shard = folder.add(_fingerprint(chunk, hours), results)
            if len(shard["skipped"]) > len(shard["utterances"]):
                raise CorpusError(f"{source}: most sentences can't be spoken; "
                                  "the first, {id}: {reason}".format(**shard["skipped"][0]))
            done += sum(utterance["duration"] for utterance in shard["utterances"])
            if on_progress:
                on_progress(min(done, total), total)
    summary = summarize(folder)
    for text, count in summary.labels["transcript"].items() if words is not None else ():
        summary.guessed.update({word: count for word in text.split() if word not in words})
    return summary


def split_voices(voices: list[Voice], hold_out: float, seed: int) -> dict[str, list[Voice]]:
    """Splits voices into `train` and `dev` so that nobody is heard in both.

    Of each engine with at least four talkers, the part `hold_out` of them, one at least, goes to dev, with their voices
    of other engines. Which, a hash of seed and talker decides.
    """
    held_out = set()
    for engine in {voice.engine for voice in voices} if hold_out else ():
        talkers = {voice.talker for voice in voices if voice.engine == engine}
        if len(talkers) >= _TALKERS_TO_HOLD_OUT:
            held_out |= set(sorted(talkers, key=lambda talker: _fraction(f"{seed}/{talker}"))
                            [:max(1, round(hold_out * len(talkers)))])
    return {"train": [voice for voice in voices if voice.talker not in held_out],
            "dev": [voice for voice in voices if voice.talker in held_out]}


def split_sentences(sentences: Iterable[dict], hold_out: float) -> Iterator[dict]:
    """Adds `split` to sentences: equal ones get the same, and `dev` asks nothing that `train` wasn't told before."""
    sides, taught = {}, set()
    for sentence in sentences:
        labels = {("intent", sentence.get("intent")), *sentence.get("slots", {}).items()}
        text = sentence["transcript"]
        if text not in sides:
            held_out = _fraction(text) < hold_out and (labels <= taught or labels == {("intent", None)})
            sides[text] = "dev" if held_out else "train"
        if sides[text] == "train":
            taught |= labels
        yield {**sentence, "split": sides[text]}


def _plan(sentences, voices_of, words, seed, name) -> Iterator[tuple[dict, Speaker, list[int]]]:
    """What to speak: (utterance, its speaker, seed of the speaking)."""
    groups_of = {split: _groups(voices) for split, voices in voices_of.items()}
    for number, sentence in enumerate(sentences):
        random = np.random.default_rng([seed, number])
        shares, groups = groups_of[sentence["split"]]
        voices = groups[random.choice(len(groups), p=shares)]
        speaker = Speaker.draw(voices[random.integers(len(voices))], int(random.integers(SPEAKERS_PER_VOICE)), seed)
        phones = words and phones_of(sentence["transcript"], words)
        utterance = {"id": f"{name}/{number:07d}", "corpus": name, "language": "en", **sentence,
                     **({"phones": phones} if phones else {}), **speaker.labels()}
        yield utterance, speaker, [seed, number, 1]


def _groups(voices: list[Voice]) -> tuple[np.ndarray, list[list[Voice]]]:
    """Voices of one engine and gender, and the share of the sentences that each such group speaks.

    An engine's share follows the cube root of its number of talkers: a hundred variants of one synthesiser shouldn't
    drown the few recorded talkers, nor one of these be heard in every third sentence. Its women and its men share it.
    """
    groups = {}
    for voice in voices:
        groups.setdefault(voice.engine, {}).setdefault(voice.gender, []).append(voice)
    shares = [np.cbrt(len({voice.talker for group in engine.values() for voice in group})) / len(engine)
              for engine in groups.values() for _ in engine]
    return np.array(shares) / sum(shares), [group for engine in groups.values() for group in engine.values()]


def _speak(task) -> tuple[dict, bytes | None, str | None]:
    """One task -> (its line of the manifest, FLAC bytes, None), or (utterance, None, why it can't be spoken)."""
    utterance, speaker, seed = task
    text = utterance["transcript"]
    odd = re.search(r"[^a-z' ]", text)
    if odd:
        return utterance, None, f"'{odd[0]}' is no letter that English voices speak"
    if len(text) > _MAXIMUM_LETTERS:
        return utterance, None, f"longer than {_MAXIMUM_LETTERS} letters"
    try:
        audio = speaker.speak(text, np.random.default_rng(seed))
    except EngineError as error:
        return utterance, None, str(error)
    return {**utterance, "duration": len(audio) / SAMPLE_RATE}, encode_flac(audio), None


def _until(total, done, results, on_progress):
    """Results until `total` seconds are reached."""
    for utterance, audio, problem in results:
        yield utterance, audio, problem
        done += 0 if problem else utterance["duration"]
        if on_progress:
            on_progress(min(done, total), total)
        if done >= total:
            return


def _fingerprint(chunk, hours) -> str:
    described = [(utterance, dataclasses.asdict(speaker), seed) for utterance, speaker, seed in chunk]
    return hashlib.sha256(json.dumps([__version__, hours, described], sort_keys=True).encode()).hexdigest()


def _fraction(text: str) -> float:
    """A number from 0 to 1 that only depends on the text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2 ** 64
