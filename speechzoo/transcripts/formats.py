"""A Recognition as text in the formats of other programs."""

import csv
import io
import json
from collections.abc import Iterator

from speechzoo.decoding.ctc.word import Word
from speechzoo.decoding.recognition import Recognition
from speechzoo.decoding.speakers.turn import words_of_turns
from speechzoo.transcripts.cues import Cue, is_break, make_cues


def to_text(name: str, recognition: Recognition) -> str:
    """One line per answer, below the recording's name, and an empty line."""
    return f"{name}\n" + "".join(f"  {line}\n" for line in str(recognition).splitlines()) + "\n"


def to_json(name: str, recognition: Recognition) -> str:
    """One line of JSON."""
    return json.dumps({"audio": name, **recognition.to_dict()}, ensure_ascii=False) + "\n"


def to_srt(name: str, recognition: Recognition) -> str:
    """SubRip subtitles; where turns are known, who speaks stands before the first words of each."""
    return "\n".join(f"{number}\n{_times(cue, ',')}\n" + "".join(f"{line}\n" for line in cue.lines)
                     for number, cue in enumerate(_cues(recognition, named=True), 1))


def to_vtt(name: str, recognition: Recognition) -> str:
    """WebVTT subtitles (https://www.w3.org/TR/webvtt1/), with a voice span for whoever speaks where turns are known."""
    def escaped(line):
        return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    cues = (f"\n{_times(cue, '.')}\n" + (f"<v {escaped(cue.speaker)}>" if cue.speaker else "")
            + "".join(f"{escaped(line)}\n" for line in cue.lines) for cue in _cues(recognition))
    return "WEBVTT\n" + "".join(cues)


def to_csv(name: str, recognition: Recognition) -> str:
    """Rows `audio,start,end,confidence,text` (RFC 4180), one per sentence or stretch between two pauses; no header.

    Where turns are known, `speaker` is the last column.
    """
    file = io.StringIO()
    rows = csv.writer(file)
    for turn, said in words_of_turns(_words(recognition), recognition.turns or []):
        for words in stretches(said):
            confidence = sum(word.confidence for word in words) / len(words)
            rows.writerow([name, f"{words[0].start:.2f}", f"{words[-1].end:.2f}", f"{confidence:.4f}",
                           " ".join(word.text for word in words),
                           *([] if recognition.turns is None else [turn.speaker if turn else ""])])
    return file.getvalue()


def csv_header(speakers: bool = False) -> str:
    """What stands above the rows of all recordings, with or without a column for whoever speaks."""
    return f"audio,start,end,confidence,text{',speaker' if speakers else ''}\r\n"

FORMATS = {"text": to_text, "json": to_json, "srt": to_srt, "vtt": to_vtt, "csv": to_csv}
"""Format -> what writes a recording's name and Recognition in it.

Those that need a transcript with times (`srt`, `vtt`, `csv`) raise ValueError for a Recognition without one.
"""
ENDINGS = {"text": ".txt", "json": ".json", "srt": ".srt", "vtt": ".vtt", "csv": ".csv"}


def _words(recognition) -> list[Word]:
    if recognition.transcript is None:
        raise ValueError("there is no transcript with times of words; the model needs a head that writes one, and "
                         "--heads has to name it")
    return recognition.words


def _cues(recognition, named=False):
    return make_cues(_words(recognition), recognition.turns or [], named)


def stretches(words: list[Word]) -> Iterator[list[Word]]:
    """The words of each sentence, or between two pauses."""
    stretch = []
    for word in words:
        if stretch and is_break(stretch[-1], word):
            yield stretch
            stretch = []
        stretch.append(word)
    if stretch:
        yield stretch


def _times(cue: Cue, point: str) -> str:
    return f"{_clock(cue.start, point)} --> {_clock(cue.end, point)}"


def _clock(seconds: float, point: str) -> str:
    """Hours, minutes, seconds and milliseconds: 01:02:03,004."""
    milliseconds = round(1000 * seconds)
    minutes, milliseconds = divmod(milliseconds, 60000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{milliseconds // 1000:02d}{point}{milliseconds % 1000:03d}"
