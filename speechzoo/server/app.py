"""The application: routes, refusals and the page that describes them."""

import contextlib

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.utils import get_openapi
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from speechzoo import __version__
from speechzoo.server import recognitions, streams, transcriptions
from speechzoo.server.admission import Admission
from speechzoo.server.errors import RequestError, error_body
from speechzoo.server.metrics import CONTENT_TYPE
from speechzoo.server.service import Service
from speechzoo.server.work import ClientLeft


def make_app(service: Service, keys: list[str] = (), origins: list[str] = (), hosts: tuple[str, ...] | None = None):
    """The ASGI application of a service.

    Args:
        service: What requests ask. Its threads end with the application.
        keys: Who may ask (`Authorization: Bearer KEY`); everybody when empty.
        origins: Web pages whose scripts may ask; none when empty, and then there are no CORS headers.
        hosts: Names that the server goes by, as `Admission` takes them.
    """
    @contextlib.asynccontextmanager
    async def lifespan(app):
        yield
        service.close()

    # The page /docs works without a way to the internet: its scripts come with the package.
    app = FastAPIOffline(title="speechzoo", version=__version__, redoc_url=None, static_url="/docs/static",
                         swagger_ui_oauth2_redirect_url="/docs/oauth2-redirect", lifespan=lifespan)
    app.state.service = service
    for router in (transcriptions.router, recognitions.router, streams.router):
        app.include_router(router)
    _add_pages(app, service)
    _add_refusals(app)
    app.openapi = lambda: _schema(app, bool(keys))
    app.add_middleware(Admission, limits=service.limits, metrics=service.metrics, keys=keys, origins=origins,
                       hosts=hosts)
    if origins:  # outermost: a browser asks without a key whether it may ask with one
        app.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST"],
                           allow_headers=["authorization", "content-type"])
    return app


def _add_pages(app, service):
    @app.get("/health", summary="Whether requests are answered")
    async def health() -> dict:
        return {"status": "ok", "models": list(service.models)}

    @app.get("/metrics", summary="Counters, for Prometheus", response_class=Response,
             responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
                        401: transcriptions.REFUSALS[401]})
    async def metrics():
        for served in service.models.values():
            service.metrics.waiting.labels(served.name).set(served.batcher.waiting)
        return Response(service.metrics.page(), headers={"content-type": CONTENT_TYPE})


def _add_refusals(app: FastAPI):
    @app.exception_handler(RequestError)
    async def refused(request: Request, error: RequestError):
        return JSONResponse(error.body, error.status)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError):
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
        return JSONResponse(error_body(400, f"{field or 'the request'}: {first['msg']}", field or None), 400)

    @app.exception_handler(HTTPException)
    async def missing(request: Request, error: HTTPException):
        return JSONResponse(error_body(error.status_code, str(error.detail)), error.status_code, error.headers)

    @app.exception_handler(ClientLeft)
    async def left(request: Request, error: ClientLeft):
        return Response(status_code=499)  # nobody reads it; it is for the counters

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception):
        return JSONResponse(error_body(500, "a fault of the server, which its log describes"), 500)


def _schema(app, with_keys):
    """FastAPI's description of the routes, whose refusals of what can't be read have status 400."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, routes=app.routes,
                             description="OpenAI's API for transcripts, and speechzoo's own for every head. Streams "
                                         "are heard over the WebSocket /v1/stream.")
        for methods in schema["paths"].values():
            for operation in methods.values():
                operation["responses"].pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            schema["components"]["schemas"].pop(name, None)
        if with_keys:
            schema["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            schema["security"] = [{"key": []}]
        app.openapi_schema = schema
    return app.openapi_schema
