"""`/v1/recognize`: the answers of every head; and what there is to ask: models and grammars."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import JSONResponse

from speechzoo.decoding.recognition import select_heads
from speechzoo.server.errors import RequestError
from speechzoo.server.phrases import phrases_of
from speechzoo.server.transcriptions import REFUSALS, Prompt, Upload

router = APIRouter()


@router.post("/v1/recognize", responses={200: {"description": "The answers", "content": {
    "application/json": {"schema": {"type": "object"}}}}, **REFUSALS}, summary="What every head says")
async def recognize(
        request: Request, file: Upload, prompt: Prompt = None,
        model: Annotated[str | None, Form(description="Name of a model; the first if absent")] = None,
        heads: Annotated[list[str], Form(description="Heads to answer, one each; all if absent")] = [],
        grammar: Annotated[str | None, Form(description="Name of a grammar, which answers intent and slots")] = None,
        language: Annotated[str | None, Form(description="ISO 639 code of what is spoken")] = None):
    """Transcript, phones, keyword, speaker, gender, event, intent, slots, ...: what the model has heads for."""
    service = request.app.state.service
    served = service.find(model)
    phrases, hearing = phrases_of(prompt), served.hearing(service.limits.seconds)
    if phrases and served.transcript is None:
        raise RequestError(400, f"the model '{served.name}' has no transcript, so a prompt favours nothing", "prompt")
    try:
        select_heads(served.spec, heads or None)
    except ValueError as error:
        raise RequestError(400, str(error), "heads") from None

    def work():
        options = {"heads": heads or None, "grammar": served.commands(grammar),
                   "decoder": served.transcripts(phrases, language)}
        return service.recognize(hearing, file.file, options)

    recognition = await service.desk.ask(work, hearing=hearing, request=request)
    service.metrics.audio.labels(served.name).inc(hearing.seconds)
    return JSONResponse({"model": served.name, "duration": round(hearing.seconds, 3), **recognition.to_dict()})


@router.get("/v1/models", responses={401: REFUSALS[401]}, summary="The models")
async def models(request: Request) -> dict:
    """What can be asked, as OpenAI lists models, and what each one answers."""
    service = request.app.state.service
    return {"object": "list", "data": [_model(served, service) for served in service.models.values()]}


@router.get("/v1/models/{model}", responses={401: REFUSALS[401], 404: REFUSALS[404]}, summary="A model")
async def one_model(request: Request, model: str) -> dict:
    """One of the models."""
    service = request.app.state.service
    return _model(service.find(model), service)


@router.get("/v1/grammars", responses={401: REFUSALS[401]}, summary="The grammars")
async def grammars(request: Request) -> dict:
    """Names of the grammars that /v1/recognize and streams may ask for."""
    names = request.app.state.service.grammars
    return {"object": "list", "data": [{"id": name, "object": "grammar"} for name in sorted(names)]}


def _model(served, service):
    heads = {name: head["label"] for name, head in served.spec["heads"].items()}
    return {"id": served.name, "object": "model", "created": service.created, "owned_by": "speechzoo", "heads": heads,
            "languages": served.languages, "translates": served.can_translate, "streams": served.can_stream}
