"""What `/v1/audio/...` answers: OpenAI's JSON, text and subtitles of a Recognition."""

import math

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, PlainTextResponse, Response

from speechzoo.decoding.attention.search import compression_ratio
from speechzoo.decoding.recognition import Recognition
from speechzoo.transcripts.formats import FORMATS, stretches

_LEAST_PROBABILITY = 1e-10


class ErrorDetail(BaseModel):
    """What is wrong."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorAnswer(BaseModel):
    """A refusal."""

    error: ErrorDetail


class Usage(BaseModel):
    """What was heard."""

    type: str = "duration"
    seconds: float


class Transcript(BaseModel):
    """The answer in the format `json`."""

    text: str
    usage: Usage


class SpokenWord(BaseModel):
    """A word with its times, seconds."""

    word: str
    start: float
    end: float


class SpokenSegment(BaseModel):
    """A sentence, or what is said between two pauses.

    `seek`, `tokens`, `temperature` and `no_speech_prob` are there for clients that want them: this server has no
    windows and shows no tokens, doesn't draw at random, and writes nothing where nobody speaks.
    """

    id: int
    seek: int = 0
    start: float
    end: float
    text: str
    tokens: list[int] = Field(default_factory=list)
    temperature: float = 0.0
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float = 0.0


class VerboseTranscript(BaseModel):
    """The answer in the format `verbose_json`."""

    task: str
    language: str
    duration: float
    text: str
    segments: list[SpokenSegment] | None = None
    words: list[SpokenWord] | None = None
    usage: Usage


def usage(seconds: float) -> Usage:
    """What was heard, in seconds, of which a begun hundredth counts."""
    return Usage(seconds=math.ceil(100 * seconds - 1e-6) / 100)


def answer(recognition: Recognition, seconds: float, response_format: str, granularities: list[str], language: str,
           task: str) -> Response:
    """A transcript as a response.

    Args:
        recognition: With a transcript.
        seconds: Length of the recording.
        response_format: `json`, `text`, `srt`, `vtt` or `verbose_json`.
        granularities: `word`, `segment`, or both, for `verbose_json`.
        language: ISO 639 code of what was spoken, where the recognition doesn't say.
        task: `transcribe` or `translate`.
    """
    text = recognition.transcript or ""
    if response_format == "text":
        return PlainTextResponse(text + "\n")
    if response_format in ("srt", "vtt"):
        kind = {"srt": "application/x-subrip", "vtt": "text/vtt"}[response_format]
        return Response(FORMATS[response_format]("", recognition), media_type=f"{kind}; charset=utf-8")
    if response_format == "json":
        return JSONResponse(Transcript(text=text, usage=usage(seconds)).model_dump())
    words = [SpokenWord(word=word.text, start=round(word.start, 3), end=round(word.end, 3))
             for word in recognition.words]
    return JSONResponse(VerboseTranscript(
        task=task, language=recognition.labels.get("language") or language, duration=round(seconds, 3), text=text,
        segments=_segments(recognition) if "segment" in granularities else None,
        words=words if "word" in granularities else None, usage=usage(seconds)).model_dump(exclude_none=True))


def _segments(recognition):
    segments = []
    for words in stretches(recognition.words):
        text = " ".join(word.text for word in words)
        mean = sum(math.log(max(word.confidence, _LEAST_PROBABILITY)) for word in words) / len(words)
        segments.append(SpokenSegment(id=len(segments), start=round(words[0].start, 3), end=round(words[-1].end, 3),
                                      text=text, avg_logprob=round(mean, 4),
                                      compression_ratio=round(compression_ratio(text), 3)))
    return segments
