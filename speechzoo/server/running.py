"""Opening what is to be served, and serving it."""

import logging
from pathlib import Path

import uvicorn

from speechzoo.decoding.heads import find_head
from speechzoo.decoding.settings import DecoderSettings
from speechzoo.grammar.reading import list_grammars
from speechzoo.opening import open_model
from speechzoo.server.admission import LOCAL_HOSTS
from speechzoo.server.app import make_app
from speechzoo.server.batcher import Batcher
from speechzoo.server.limits import STREAM_MESSAGE_BYTES, Limits
from speechzoo.server.metrics import Metrics
from speechzoo.server.served_model import ServedModel
from speechzoo.server.service import Service


def open_service(sources: dict, settings: DecoderSettings = DecoderSettings(),
                 grammars: dict[str, str | Path] | None = None, limits: Limits = Limits(), language: str = "en",
                 threads: int = 1) -> Service:
    """Opens models, and the threads in which they are asked.

    Args:
        sources: Name -> what `open_model` opens: a zoo model, a run, a `.tflite` file, or a model.
        settings: How transcripts are decoded.
        grammars: Name -> path of grammars beside those of the zoo; they are compiled at once.
        limits: What a request may take.
        language: ISO 639 code of what is spoken, of models that know one language.
        threads: Of each `.tflite` file.

    Raises:
        ValueError, OSError: A model or a grammar can't be used, or doesn't fit the settings.
    """
    metrics, models = Metrics(), []
    all_grammars = {**{name: name for name in list_grammars()}, **(grammars or {})}
    for name, source in sources.items():
        model = open_model(source, threads)
        batcher = Batcher(model, limits.batch, metrics.batches.labels(name).observe)
        models.append(ServedModel(name, model, batcher, settings, all_grammars, language))
        for grammar in (grammars or {}) if find_head(model.spec, type="ctc") else ():
            models[-1].compile(grammar)
    return Service(models, list(all_grammars), limits, metrics)


def server_config(service: Service, host: str = "127.0.0.1", port: int = 8000, keys: list[str] = (),
                  origins: list[str] = ()) -> uvicorn.Config:
    """How uvicorn serves a service; arguments as of `serve`."""
    # What strangers send isn't worth a line each: they could fill a disk with them.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    # Without keys, what reaches this machine alone is kept from pages that have a name of their own for it.
    hosts = LOCAL_HOSTS if host in LOCAL_HOSTS and not keys else None
    return uvicorn.Config(make_app(service, keys, origins, hosts), host=host, port=port, log_level="error",
                          access_log=False, ws="websockets-sansio", ws_max_size=STREAM_MESSAGE_BYTES,
                          server_header=False)


def serve(service: Service, host: str = "127.0.0.1", port: int = 8000, keys: list[str] = (),
          origins: list[str] = ()):
    """Answers until SIGTERM or Ctrl-C; requests that are at work or wait by then are answered, streams are closed.

    Args:
        service: What requests ask.
        host: Address to listen at; by default this machine alone.
        port: Port.
        keys: Who may ask; everybody when empty.
        origins: Web pages whose scripts may ask.

    Raises:
        SystemExit: The address can't be used; uvicorn has said why.
    """
    uvicorn.Server(server_config(service, host, port, keys, origins)).run()
