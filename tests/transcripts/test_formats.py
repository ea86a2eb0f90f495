"""Files for other programs, read back as these programs read them."""

import csv
import io
import json
import re

import pytest

from speechzoo.decoding.ctc.word import Word
from speechzoo.decoding.recognition import Recognition
from speechzoo.decoding.speakers.turn import Turn
from speechzoo.transcripts.formats import ENDINGS, FORMATS, csv_header

WORDS = [Word("Stay", 0.5, 0.9, 0.9), Word("here.", 1.0, 1.5, 0.7), Word("a<b", 3661.5, 3662.0, 0.6), Word("&", 3662.0, 3662.4, 0.8)]
HEARD = Recognition(transcript="Stay here. a<b &", words=WORDS, gender="female", confidence={"gender": 0.8})


def test_srt():
    assert FORMATS["srt"]("film.wav", HEARD) == (
        "1\n00:00:00,500 --> 00:00:01,500\nStay here.\n"
        "\n2\n01:01:01,500 --> 01:01:02,400\na<b &\n")


def test_vtt():
    assert FORMATS["vtt"]("film.wav", HEARD) == (
        "WEBVTT\n"
        "\n00:00:00.500 --> 00:00:01.500\nStay here.\n"
        "\n01:01:01.500 --> 01:01:02.400\na&lt;b &amp;\n")


def test_csv_has_a_row_per_sentence():
    rows = list(csv.DictReader(io.StringIO(csv_header() + FORMATS["csv"]('a "b", c.wav', HEARD), newline="")))
    assert rows == [{"audio": 'a "b", c.wav', "start": "0.50", "end": "1.50", "confidence": "0.8000", "text": "Stay here."},
                    {"audio": 'a "b", c.wav', "start": "3661.50", "end": "3662.40", "confidence": "0.7000", "text": "a<b &"}]


TALK = Recognition(transcript="Stay here. a<b &", words=WORDS,
                   turns=[Turn(0.0, 2.0, "speaker 1"), Turn(3661.0, 3663.0, "a & b")])


def test_who_speaks_in_every_format():
    assert FORMATS["srt"]("film.wav", TALK) == (
        "1\n00:00:00,500 --> 00:00:01,735\nspeaker 1: Stay here.\n"
        "\n2\n01:01:01,500 --> 01:01:02,400\na & b: a<b &\n")
    assert FORMATS["vtt"]("film.wav", TALK).split("\n\n")[1:] == [
        "00:00:00.500 --> 00:00:01.500\n<v speaker 1>Stay here.", "01:01:01.500 --> 01:01:02.400\n<v a &amp; b>a&lt;b &amp;\n"]
    rows = list(csv.DictReader(io.StringIO(csv_header(speakers=True) + FORMATS["csv"]("c.wav", TALK), newline="")))
    assert [(row["speaker"], row["text"]) for row in rows] == [("speaker 1", "Stay here."), ("a & b", "a<b &")]
    values = json.loads(FORMATS["json"]("film.wav", TALK))
    assert values.pop("audio") and values["turns"][0] == {"start": 0.0, "end": 2.0, "speaker": "speaker 1"}
    assert Recognition.from_dict(values).turns == TALK.turns
    assert "  speaker 1         0.0-2.0 s  Stay here.\n" in FORMATS["text"]("film.wav", TALK)


def test_json_and_text_have_every_answer():
    values = json.loads(FORMATS["json"]("film.wav", HEARD))
    assert values.pop("audio") == "film.wav" and Recognition.from_dict(values).gender == "female"
    text = FORMATS["text"]("film.wav", HEARD)
    assert text.startswith("film.wav\n  transcript") and re.search(r"gender\s+80%\s+female\n\n$", text)


@pytest.mark.parametrize("format", ["srt", "vtt", "csv"])
def test_silence_is_an_empty_file_and_no_transcript_an_error(format):
    empty = FORMATS[format]("film.wav", Recognition(transcript=""))
    assert empty == ("WEBVTT\n" if format == "vtt" else "")
    with pytest.raises(ValueError, match="no transcript with times of words"):
        FORMATS[format]("film.wav", Recognition(gender="male"))


def test_every_format_has_an_ending():
    assert FORMATS.keys() == ENDINGS.keys()
