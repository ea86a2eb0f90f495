"""Whisper in our files beside faster-whisper (CTranslate2 in int8), on one core: errors, time, memory, start.

    python -m venv .venv-fw && .venv-fw/bin/pip install faster-whisper soundfile
    python -m benchmarks.speed.decoders --faster-whisper-python .venv-fw/bin/python \\
        --librispeech LibriSpeech/dev-clean \\
        --checkpoint tiny.en ct2/tiny.en whisper_tiny_en.tflite whisper_tiny_en_dynamic.tflite

`--checkpoint` is a name, the folder that faster-whisper opens, and files that `speechzoo export` made of the same
weights.
All of them decode greedily, without timestamps, in the language that is spoken, in processes of their own. Words are
compared as both sides' `normalize_transcript`. The recordings are drawn with a fixed seed, evenly over the readers;
`--all` takes every one. Intervals resample readers. Rows of checkpoints that aren't named stay as they are.

Times are those of the processor, not of the clock, the best of all answers: other work on the machine makes them longer
by little. Clips of 2, 5, 10 and 30 s are cut from chapters that are read on. Memory is the greatest of a process that
answers clips of one length alone; its parts, in `docs/figures/decoders_memory.csv`, are what it has after Python and
the libraries, after the file was opened, after the encoder and after the text.
"""

import argparse
import json
import re
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.speed.children import run_child
from tools.figures import FOLDER, add_figures_option, kept_rows, read_origin, this_run, write_figures

RATE = 16000
LENGTHS = (2, 5, 10, 30)  # seconds
THEIRS = "faster-whisper, int8"


# -- one system in a process of its own --------------------------------------------------------------------------------


def memory_mb(key: str = "VmRSS") -> float:
    """Resident memory of this process, MB of 1e6 bytes; its greatest so far for `VmHWM`."""
    found = re.search(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    return int(found[1]) * 1024 / 1e6


def open_ours(path: Path, language: str | None):
    """What answers float32 (samples,): (the text, memory behind the encoder)."""
    from speechzoo.decoding.attention.search import AttentionSearch
    from speechzoo.decoding.recognition import make_decoders
    from speechzoo.edge.edge_model import EdgeModel

    stages = {"libraries": memory_mb()}
    model = EdgeModel(path)
    decoder, = make_decoders(model.spec, ["transcript"], AttentionSearch(language=language), steps=model.decode_steps)
    stages["opened"] = memory_mb()

    def answer(audio):
        outputs, = model.batch_outputs([audio], ["transcript"])
        stages.setdefault("encoded", memory_mb())
        return decoder(outputs).text
    return answer, stages


def open_theirs(folder: Path, language: str | None):
    """As `open_ours`; what is behind the encoder can't be seen."""
    from faster_whisper import WhisperModel

    stages = {"libraries": memory_mb()}
    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1, num_workers=1)
    stages["opened"] = memory_mb()

    def answer(audio):
        segments, _ = model.transcribe(audio, language=language or "en", beam_size=1, best_of=1, temperature=0.0,
                                       condition_on_previous_text=False, without_timestamps=True)
        return " ".join(segment.text.strip() for segment in segments)
    return answer, stages


def answer_all(model: Path, audios: Path, language: str | None, repeats: int) -> dict:
    """What one system writes of recordings, the processor's seconds for each, and its memory, MB."""
    import numpy as np

    answer, stages = (open_theirs if model.is_dir() else open_ours)(model, language)
    texts, seconds, start = [], [], None
    with np.load(audios) as recordings:
        for name in recordings.files:
            audio, times = recordings[name], []
            for _ in range(repeats):
                begin = time.process_time()
                text = answer(audio)
                times.append(time.process_time() - begin)
                start = time.process_time() if start is None else start
            texts.append(text)
            seconds.append(min(times))
    return {"texts": texts, "seconds": seconds, "start": start,
            "memory": {**stages, "peak": memory_mb("VmHWM")}}


# -- recordings --------------------------------------------------------------------------------------------------------


def read_librispeech(folder: Path) -> list[dict]:
    """`id`, `speaker`, `transcript` and `path` of every recording of a subset."""
    from speechzoo.corpora.librispeech import LibriSpeech

    return [{**{key: row[key] for key in ("speaker", "transcript")}, "path": folder / row["audio"]}
            for row in LibriSpeech().read(folder)]


def drawn(recordings: list[dict], count: int) -> list[dict]:
    """So many recordings, the readers in turn, each reader's at random, with a fixed seed."""
    import numpy as np

    random, of_readers = np.random.default_rng(1), {}
    for row in recordings:
        of_readers.setdefault(row["speaker"], []).append(row)
    shuffled = [[rows[index] for index in random.permutation(len(rows))] for rows in of_readers.values()]
    turns = [row for turn in range(max(map(len, shuffled))) for rows in shuffled for row in rows[turn:turn + 1]]
    return turns[:count]


def clips(recordings: list[dict], seconds: int, count: int) -> list:
    """float32 (samples,) each: the beginnings of chapters, which are read on, at so many seconds."""
    import numpy as np

    chapters = {}
    for row in recordings:
        chapters.setdefault(row["path"].parent, []).append(row["path"])
    found = []
    for chapter in list(chapters.values())[::max(1, len(chapters) // count)][:count]:
        parts, length = [], 0
        for path in chapter:
            if length < seconds * RATE:
                parts.append(read(path))
                length += len(parts[-1])
        found.append(np.concatenate(parts)[:seconds * RATE])
    return found


def read(path: Path):
    """float32 (samples,) at 16 kHz."""
    from speechzoo.audio import load_audio

    return load_audio(path, RATE)


# -- the command -------------------------------------------------------------------------------------------------------


def figures_of(checkpoint: str, found: dict[str, dict], recordings: list[dict], seconds: float) -> list[dict]:
    """A row per system of a checkpoint; speeds are faster-whisper's time over its own.

    Args:
        checkpoint: The weights.
        found: System -> `megabytes`, `words` (what `answer_all` gives for the recordings), and length -> `clips` (the
            same for clips).
        recordings: What was read.
        seconds: Of all recordings.
    """
    from speechzoo.metrics.bootstrap import bootstrap_interval
    from speechzoo.metrics.error_rate import edit_counts, error_rate
    from speechzoo.text.normalize import normalize_transcript

    rows = []
    for system, figures in found.items():
        texts = [normalize_transcript(text) for text in figures["words"]["texts"]]
        counts = edit_counts([row["transcript"] for row in recordings], texts)
        low, high = bootstrap_interval(error_rate, counts, [row["speaker"] for row in recordings]) or (None, None)
        row = {"checkpoint": checkpoint, "system": system, "megabytes": figures["megabytes"],
               "recordings": len(recordings), "hours": seconds / 3600, "wer": float(error_rate(counts.sum(0))),
               "wer_low": low, "wer_high": high, "real_time_factor": sum(figures["words"]["seconds"]) / seconds,
               "start_seconds": figures["clips"][LENGTHS[0]]["start"]}
        for length in LENGTHS:
            own, theirs = (sum(each["clips"][length]["seconds"]) for each in (figures, found[THEIRS]))
            row[f"rtf_{length}s"] = own / len(figures["clips"][length]["seconds"]) / length
            row[f"speed_{length}s"] = theirs / own
            row[f"memory_{length}s"] = figures["clips"][length]["memory"]["peak"]
        rows.append(row)
    return rows


def memory_rows(checkpoint: str, found: dict[str, dict]) -> list[dict]:
    """A row per system and length: what a process holds at each stage, MB."""
    return [{"checkpoint": checkpoint, "system": system, "seconds": length,
             **{stage: figures["clips"][length]["memory"].get(stage)
                for stage in ("libraries", "opened", "encoded", "peak")}}
            for system, figures in found.items() for length in LENGTHS]


def origin_with(path: Path) -> dict[str, str]:
    """The origin of a file that keeps rows of earlier commands, which stand before this one."""
    run, before = this_run(), read_origin(path)["command"]
    return {**run, "command": before if before.endswith(run["command"]) else f"{before}; {run['command']}"}


def systems_of(folder: Path, files: list[Path]) -> dict[str, Path]:
    """Name of a system -> what it opens, faster-whisper first."""
    from speechzoo.edge.artifact import read_artifact

    names = {"none": "float32"}
    quantizations = {path: read_artifact(path).quantize for path in files}
    return {THEIRS: folder, **{f"speechzoo, {names.get(name, name)}": path for path, name in quantizations.items()}}


def main(arguments):
    """Answers with every system in turn, prints the tables and writes the figures."""
    import numpy as np

    from tools.tables.plain import plain

    everything = read_librispeech(arguments.librispeech)
    recordings = everything if arguments.all else drawn(everything, arguments.recordings)
    rows, stages = [], []
    with tempfile.TemporaryDirectory() as scratch:
        audios = [read(row["path"]) for row in recordings]
        words, of_length = Path(scratch, "words.npz"), {}
        np.savez(words, *audios)
        for length in LENGTHS:
            of_length[length] = Path(scratch, f"{length}.npz")
            np.savez(of_length[length], *clips(everything, length, arguments.clips))
        for name, folder, *files in arguments.checkpoint:
            language = None if name.endswith(".en") else "en"

            def work(model, recordings, repeats, language=language):
                python = arguments.faster_whisper_python if model.is_dir() else sys.executable
                command = ["-m", "benchmarks.speed.decoders", "--work", model, "--audios", recordings, "--repeats",
                           repeats, *(["--language", language] if language else [])]
                return run_child(python, command, 1)

            systems = systems_of(Path(folder), [Path(file) for file in files])
            stored = {system: path / "model.bin" if path.is_dir() else path for system, path in systems.items()}
            found = {system: {"clips": {}, "megabytes": file.stat().st_size / 1e6} for system, file in stored.items()}
            for length in LENGTHS:
                for system, path in systems.items():
                    found[system]["clips"][length] = work(path, of_length[length], arguments.repeats)
            for system, path in systems.items():
                found[system]["words"] = work(path, words, 1)
            rows += figures_of(name, found, recordings, sum(map(len, audios)) / RATE)
            stages += memory_rows(name, found)
            for path, measured in ((arguments.figures, rows), (arguments.memory_figures, stages)):
                kept = kept_rows(path, measured, "checkpoint")  # checkpoints may be measured one after the other
                write_figures(path, kept + measured, origin_with(path) if kept else None)
    print("\n".join([*plain("decoders", rows), "", *plain("decoders_memory", stages)]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--librispeech", type=Path, metavar="DIR", help="folder of a subset: .../LibriSpeech/dev-clean")
    parser.add_argument("--checkpoint", nargs="+", action="append", metavar="NAME", default=[],
                        help="its name, the folder for faster-whisper, and .tflite files; may be given several times")
    parser.add_argument("--faster-whisper-python", default=sys.executable, metavar="PATH",
                        help="Python that has faster-whisper")
    parser.add_argument("--recordings", type=int, default=200,
                        help="recordings of which words are counted (%(default)s)")
    parser.add_argument("--all", action="store_true", help="count the words of every recording")
    parser.add_argument("--clips", type=int, default=3, help="clips of each length (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="answers to each clip (%(default)s)")
    add_figures_option(parser, "decoders")
    parser.add_argument("--memory-figures", type=Path, default=FOLDER / "decoders_memory.csv", metavar="CSV",
                        help="file for the parts of the memory (docs/figures/decoders_memory.csv)")
    for option in ("--work", "--audios"):
        parser.add_argument(option, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--language", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        print(json.dumps(answer_all(given.work, given.audios, given.language, given.repeats)))
    else:
        main(given)
