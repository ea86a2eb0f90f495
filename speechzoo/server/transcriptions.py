"""`/v1/audio/transcriptions` and `/v1/audio/translations`, as OpenAI's API has them."""

import json
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Request, UploadFile
from starlette.responses import Response, StreamingResponse

from speechzoo.server.answers import ErrorAnswer, Transcript, VerboseTranscript, answer, usage
from speechzoo.server.errors import RequestError
from speechzoo.server.phrases import phrases_of
from speechzoo.server.work import ClientLeft

router = APIRouter()

Format = Literal["json", "text", "srt", "verbose_json", "vtt"]
REFUSALS = {status: {"model": ErrorAnswer, "description": text} for status, text in {
    400: "Something in the request can't be used", 401: "No key, or a wrong one", 404: "No such model",
    408: "The upload took too long", 413: "Too large, or too long", 421: "Not a name of this server",
    429: "Too many requests wait already", 500: "A fault of the server", 504: "No answer in time"}.items()}
_TEXTS = {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "application/x-subrip", "text/vtt")}


def _answers(*kinds, streams=False):
    """What OpenAPI says of the answers."""
    schemas = {"anyOf": [{"$ref": f"#/components/schemas/{kind.__name__}"} for kind in kinds]}
    # As FastAPI describes its own events; what is in `data` is JSON.
    event = {"type": "object", "required": ["data"],
             "properties": {"data": {"type": "string", "contentMediaType": "application/json"}}}
    events = {"text/event-stream": {"schema": event}} if streams else {}
    return {200: {"description": "The transcript", "content": {"application/json": {"schema": schemas}, **_TEXTS,
                                                               **events}}, **REFUSALS}


Upload = Annotated[UploadFile, File(description="The recording: WAV, FLAC, OGG (Vorbis, Opus), MP3, AIFF, ...; its "
                                                "name is not looked at")]
Model = Annotated[str, Form(min_length=1, description="Name of a model, as /v1/models lists them")]
Prompt = Annotated[str | None, Form(description="Names and phrases to favour, separated by commas or lines")]
Temperature = Annotated[float, Form(ge=0, le=1, description="Without effect: nothing is drawn at random")]


@router.post("/v1/audio/transcriptions", responses=_answers(Transcript, VerboseTranscript, streams=True),
             response_class=Response, summary="What is said")
async def transcriptions(
        request: Request, file: Upload, model: Model, prompt: Prompt = None, temperature: Temperature = 0.0,
        language: Annotated[str | None, Form(description="ISO 639 code of what is spoken; detected if absent")] = None,
        response_format: Format = Form("json"),
        stream: Annotated[bool, Form(description="Server-sent events, for the formats json and text")] = False,
        granularities: Annotated[list[Literal["word", "segment"]], Form(
            alias="timestamp_granularities[]", description="For verbose_json: segment if absent")] = ["segment"],
        keywords: Annotated[list[str], Form(alias="keywords[]", description="Phrases to favour, one each")] = [],
        include: Annotated[list[str], Form(alias="include[]", description="Not supported")] = []):
    """The words of a recording of any language that the model knows."""
    if include:
        raise RequestError(400, "there are no logprobs; verbose_json has a mean per segment", "include")
    return await _write(request, file, model, phrases_of(prompt, keywords), language, response_format, granularities,
                        None, stream)


@router.post("/v1/audio/translations", responses=_answers(Transcript, VerboseTranscript), response_class=Response,
             summary="What is said, in English")
async def translations(request: Request, file: Upload, model: Model, prompt: Prompt = None,
                       temperature: Temperature = 0.0, response_format: Format = Form("json")):
    """English of a recording in another language, by models that can translate."""
    return await _write(request, file, model, phrases_of(prompt), None, response_format, ["segment"], "translate",
                        False)


async def _write(request, file, model, phrases, language, response_format, granularities, task, stream):
    service = request.app.state.service
    served = service.find(model)
    if served.transcript is None:
        raise RequestError(400, f"the model '{model}' writes no transcript; it answers "
                                f"{', '.join(served.spec['heads'])}; ask /v1/recognize", "model")
    if stream and response_format not in ("json", "text"):
        raise RequestError(400, f"there are no events of {response_format}; stream json or text", "stream")
    if granularities != ["segment"] and response_format != "verbose_json":
        raise RequestError(400, "times are in verbose_json only", "timestamp_granularities")
    options = {"heads": [served.transcript], "decoder": served.transcripts(phrases, language, task)}
    hearing = served.hearing(service.limits.seconds)
    if stream:
        return await _events(request, service, served, hearing, file, options)
    recognition = await service.desk.ask(service.recognize, hearing, file.file, options, hearing=hearing,
                                         request=request)
    service.metrics.audio.labels(served.name).inc(hearing.seconds)
    return answer(recognition, hearing.seconds, response_format, granularities, language or served.languages[0],
                  task or "transcribe")


async def _events(request, service, served, hearing, file, options):
    """A `transcript.text.delta` per piece that holds text, and `transcript.text.done`."""
    pieces = service.desk.each(service.pieces(hearing, file.file, options), hearing)
    first = await anext(pieces)  # a recording that can't be used is refused before anything is sent

    async def events():
        text, piece = "", first
        try:
            while piece is not None:
                if piece.recognition.transcript:
                    delta = " " * bool(text) + piece.recognition.transcript
                    text += delta
                    yield _event({"type": "transcript.text.delta", "delta": delta})
                piece = await anext(pieces, None)
            service.metrics.audio.labels(served.name).inc(hearing.seconds)
            yield _event({"type": "transcript.text.done", "text": text,
                          "usage": usage(hearing.seconds).model_dump()})
        except RequestError as error:
            yield _event(error.body)
        except ClientLeft:
            pass
        finally:
            hearing.stop()

    return StreamingResponse(events(), media_type="text/event-stream", headers={"cache-control": "no-cache"})


def _event(data):
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"
