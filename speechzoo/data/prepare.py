"""A corpus as it was published -> a manifest and TFRecord shards that training reads fast.

Every recording is decoded and checked once, here: what is missing, damaged, truncated or too long is skipped and
listed, so that a long training run doesn't meet it.
"""

import hashlib
import itertools
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from speechzoo import __version__
from speechzoo.audio import SAMPLE_RATE, AudioError, encode_flac, load_audio
from speechzoo.corpora import CorpusError, audio_root, make_reader
from speechzoo.data.force_alignment import cut_alignment
from speechzoo.data.hold_out import DEV, TRAIN, hold_out_names, hold_out_of_stream, hold_out_part
from speechzoo.data.manifest import MANIFEST, check_utterance, read_manifest
from speechzoo.data.reasons import count_reasons
from speechzoo.data.shards import ShardFolder
from speechzoo.data.trimming import speech_bounds
from speechzoo.data.workers import Workers
from speechzoo.text.letter_to_sound import guessing_lexicon
from speechzoo.text.normalize import normalize_transcript, unspeakable_part
from speechzoo.text.phones import phones_of

# What is lost at most when a run is killed, and what one shard holds.
_UTTERANCES_PER_SHARD = 512
# Labels of few values, all of which a model should be measured on.
_CLASSES = ("keyword", "intent", "event", "gender", "age_group", "emotion", "language", "speech")
# Fields of an utterance that describe the recording rather than label it.
_NOT_LABELS = ("id", "audio", "start", "duration", "record", "corpus")


@dataclass
class PrepareSummary:
    """What `prepare` found.

    Attributes:
        manifest: Path of the manifest it wrote.
        utterances: Number of utterances in it.
        seconds: Their duration.
        shards: Number of TFRecord shards.
        labels: Field -> value -> number of utterances.
        skipped: Reason -> number of utterances left out; `skipped.jsonl` lists them.
        unspoken: Transcripts without phones, because of words that have no pronunciation.
        guessed: Words that the lexicon doesn't have, pronounced as their letters suggest -> number of times.
        rewritten: Number of transcripts that were written otherwise than they are spoken: capitals, figures, signs.
        mended: What transcripts held that can't be spoken, or why there is none left -> number of transcripts.
        untested: Label -> its values that have recordings in `train` and none in `dev`, after a split by `hold_out`.
    """

    manifest: Path
    utterances: int = 0
    seconds: float = 0.0
    shards: int = 0
    labels: dict[str, Counter] = field(default_factory=dict)
    skipped: Counter = field(default_factory=Counter)
    unspoken: int = 0
    guessed: Counter = field(default_factory=Counter)
    rewritten: int = 0
    mended: Counter = field(default_factory=Counter)
    untested: dict[str, list[str]] = field(default_factory=dict)


def prepare(corpus: str, source: str | Path, out: str | Path, options: dict | None = None, splits: Iterable[str] = (),
            hold_out: float | Sequence[str] = 0.0, lexicon: str | Path | None = None, trim_silence: bool = False,
            maximum_seconds: float = 600.0, workers: int = 1,
            on_progress: Callable[[int, int | None], None] | None = None,
            same_split_as: Iterable[str | Path] = ()) -> PrepareSummary:
    """Checks and resamples a corpus and writes `out/manifest.jsonl` beside its TFRecord shards.

    Each line of the manifest has `record` (where the audio lies in the shards: 16 kHz mono FLAC) and `duration`. Its
    `audio` still names the original recording, relative to the manifest, and `start` and `duration` the piece of it
    that the record holds; nothing but the shards has to stay for training and evaluation to work.

    The work goes on in `out/.partial` and takes its place at the end, the manifest last. A run that was killed goes on
    after its last complete shard. The same corpus and arguments give the same bytes.

    Args:
        corpus: Name of a reader in `speechzoo.corpora.CORPORA`.
        source: The corpus' folder.
        out: Folder to write.
        options: Arguments of the reader, such as `{"label": "speaker"}` for `folder`.
        splits: Keep only the utterances of these splits; all when empty.
        hold_out: Part of the speakers (of the recordings, where no speaker is known) that become the split `dev`, 0 to
            1; all others become `train`, and `subset` keeps the corpus' own split. Kinds of speakers (the reader's
            `strata`) give their shares, each those with the smallest hashes of their names: see
            `speechzoo.data.hold_out`. Where a corpus is read as a stream, a hash below the part is held out. Names of
            speakers or recordings (their `id`) hold out exactly these. 0 keeps the corpus' own splits.
        lexicon: `cmudict` or a path: add `phones` to utterances that have a transcript but no phones. An English word
            that it doesn't have is pronounced as its letters suggest.
        trim_silence: Cut silence off both ends.
        maximum_seconds: Longer recordings are skipped.
        workers: Processes that decode.
        on_progress: Called with the number of utterances done so far and the number of all, None where the reader
            streams.
        same_split_as: Manifests prepared before: whose speakers are in `train` or `dev` there stays there.

    Raises:
        CorpusError: The source isn't that corpus, has no audio, or `out` is not a folder to write prepared data to.
        OSError: `out` can't be written, or the disk is full; shards that are complete stay for the next run.
    """
    source, out = Path(source), Path(out)
    reader = make_reader(corpus, **(options or {}))
    if not reader.has_audio:
        raise CorpusError(f"{corpus} is a corpus of texts; there is no audio to prepare")
    if isinstance(hold_out, (int, float)) and not 0 <= hold_out < 1:
        raise ValueError(f"hold_out must be at least 0 and less than 1, got {hold_out}")
    known = _splits(same_split_as, reader.group) if same_split_as else {}
    if not source.exists():
        raise CorpusError(f"{source}: no such file or folder")
    if out.resolve() == audio_root(source).resolve():
        raise CorpusError(f"{out}: is the source itself; give another folder to write to")
    folder = ShardFolder(out, "prepare")
    settings = {"root": str(audio_root(source).resolve()), "out": str(out.resolve()), "trim_silence": trim_silence,
                "maximum_seconds": maximum_seconds}
    notes = PrepareSummary(out / MANIFEST)
    selected = _select(reader.read(source), set(splits), lexicon, notes)
    first, total = next(selected), None  # a wrong source is noticed here, before anything is written
    selected = itertools.chain([first], selected)
    if "_audio" not in first:  # only names and labels: they can all be kept in memory
        selected = list(selected)
        if isinstance(hold_out, (int, float)) and hold_out:
            hold_out_part(selected, hold_out, reader.group, reader.strata, known)
        elif hold_out:
            hold_out_names(selected, hold_out, reader.group)
        total, selected = len(selected), iter(selected)
    elif not isinstance(hold_out, (int, float)):
        raise ValueError(f"{corpus} is read as a stream: a part of it can be held out, not names")
    elif hold_out:
        selected = hold_out_of_stream(selected, hold_out, reader.group, known)
    done = 0
    with Workers(workers) as workers:
        while chunk := list(itertools.islice(selected, _UTTERANCES_PER_SHARD)):
            progress = on_progress and (lambda written, before=done: on_progress(before + written, total))
            tasks = [(utterance, settings) for utterance in chunk]
            folder.add(_fingerprint(chunk, settings), workers.map(_decode, tasks), progress)
            done += len(chunk)
            if on_progress:
                on_progress(done, total)
    if not any(shard["utterances"] for shard in folder.shards):
        first = "{id}: {reason}".format(**folder.skipped[0])
        raise CorpusError(f"{source}: none of the {done} recordings can be used; the first, {first}")
    return summarize(folder, notes)


def _splits(manifests: list[str | Path], group: str) -> dict[str, str]:
    """The sides that groups are on in manifests."""
    return {utterance[group]: utterance["split"] for manifest in manifests for utterance in read_manifest(manifest)
            if group in utterance and utterance.get("split") in (TRAIN, DEV)}


def _select(utterances: Iterator[dict], splits: set[str], lexicon, notes: PrepareSummary) -> Iterator[dict]:
    """Applies what only needs the labels, to at least one utterance. `_skip` says why one can't be used."""
    words = None if lexicon is None else guessing_lexicon(lexicon)
    ids, known_splits = set(), set()
    for utterance in utterances:
        known_splits.add(utterance.get("split", "none"))
        if splits and utterance.get("split") not in splits:
            continue
        utterance = dict(utterance)
        if isinstance(utterance.get("transcript"), str):
            _normalize(utterance, notes)
        if words is not None and utterance.get("transcript") and "phones" not in utterance:
            language = utterance.get("language", "en")
            # The letters' sounds are those of English.
            phones = phones_of(utterance["transcript"], words if language == "en" else dict(words), language,
                               notes.guessed)
            if phones is not None:
                utterance["phones"] = phones
        problems = check_utterance(_public(utterance)) if "audio" in utterance else []
        if problems:
            utterance["_skip"] = "{}: {}".format(*problems[0])
        elif utterance["id"] in ids:
            utterance["_skip"] = f"id: '{utterance['id']}' occurs twice"
        ids.add(utterance["id"])
        yield utterance
    if not ids:
        if not known_splits:
            raise CorpusError("the corpus has no utterance")
        raise CorpusError(f"the corpus has no utterance of split {', '.join(sorted(splits))}; "
                          f"it has: {', '.join(sorted(known_splits))}")


def _normalize(utterance: dict, notes: PrepareSummary):
    """Writes the transcript as it is spoken, and takes it away where nothing of it is left."""
    language, written = utterance.get("language", "en"), utterance.get("_written", utterance["transcript"])
    if not isinstance(language, str):
        return  # `check_utterance` says so
    spoken = normalize_transcript(written, language)
    notes.rewritten += spoken != " ".join(written.split())
    problem = unspeakable_part(written, language)
    if problem and not spoken:
        notes.mended[f"nothing left: {problem}"] += 1
        del utterance["transcript"]
        return
    if problem:
        notes.mended[problem] += 1
    utterance["transcript"] = spoken


def _public(utterance: dict) -> dict:
    return {key: value for key, value in utterance.items() if not key.startswith("_")}


def _fingerprint(chunk, settings) -> str:
    digest = hashlib.sha256(json.dumps([__version__, settings], sort_keys=True).encode())
    for utterance in chunk:
        digest.update(json.dumps(_public(utterance), sort_keys=True).encode())
        if "_audio" in utterance:
            digest.update(utterance["_audio"].tobytes())
            continue
        try:
            status = os.stat(os.path.join(settings["root"], utterance["audio"]))
            digest.update(f"{status.st_size} {status.st_mtime_ns}".encode())
        except OSError:
            digest.update(b"missing")
    return digest.hexdigest()


def _decode(task: tuple[dict, dict]) -> tuple[dict, bytes | None, str | None]:
    """One utterance -> (its line of the manifest, FLAC bytes, None), or (utterance, None, why it can't be used)."""
    utterance, settings = task
    line = _public(utterance)
    if "_skip" in utterance:
        return line, None, utterance["_skip"]
    path = os.path.join(settings["root"], line["audio"]) if "audio" in line else ""
    in_memory = (utterance["_audio"], utterance["_sample_rate"]) if "_audio" in utterance else None
    start = line.get("start") or 0.0
    try:
        audio = load_audio(in_memory or path, SAMPLE_RATE, start, line.get("duration"), settings["maximum_seconds"],
                           strict=True)
    except AudioError as error:
        return line, None, str(error).removeprefix(f"{path}: ").removeprefix("the array: ")
    except OSError as error:  # the disk fails while reading
        return line, None, f"can't be read ({error.strerror})"
    if settings["trim_silence"]:
        first, last = speech_bounds(audio, SAMPLE_RATE)
        audio = audio[first:last]
        if first:
            line["start"] = round(start + first / SAMPLE_RATE, 6)
        for label in ("alignment", "words"):
            if label in line:
                line[label] = cut_alignment(line[label], first / SAMPLE_RATE, last / SAMPLE_RATE)
    if path and not os.path.isabs(line["audio"]):
        line["audio"] = os.path.relpath(path, settings["out"])
    line["duration"] = len(audio) / SAMPLE_RATE
    return line, encode_flac(audio), None


def summarize(folder: ShardFolder, summary: PrepareSummary | None = None) -> PrepareSummary:
    """Publishes a folder that is complete and counts what it holds, in `summary` if there is one."""
    summary = summary or PrepareSummary(folder.out / MANIFEST)
    summary.shards = sum(bool(shard["utterances"]) for shard in folder.shards)
    sides = {}
    for utterance in folder.publish():
        summary.utterances += 1
        summary.seconds += utterance["duration"]
        summary.unspoken += "transcript" in utterance and "phones" not in utterance
        for name, value in utterance.items():
            if name not in _NOT_LABELS:
                text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
                summary.labels.setdefault(name, Counter())[text] += 1
                sides.setdefault(name, {}).setdefault(text, set()).add(utterance.get("split"))
    summary.untested = {name: untested for name, values in sides.items() if name in _CLASSES
                        and any(DEV in splits for splits in values.values())
                        and (untested := sorted(value for value, splits in values.items() if splits == {TRAIN}))}
    summary.skipped.update(count_reasons(item["reason"] for item in folder.skipped))
    return summary
