"""Who is let in: keys, the queue, sizes and times, before anything of a request is read or kept."""

import asyncio
import contextlib
import hmac
import json
import time
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from speechzoo.server.errors import error_body
from speechzoo.server.limits import DRAIN_SECONDS, UPLOAD_IDLE_SECONDS, Limits
from speechzoo.server.metrics import Metrics

WORK = ("/v1/audio/transcriptions", "/v1/audio/translations", "/v1/recognize")
"""`WORK` are the paths whose requests take a place in the queue."""
OPEN = ("/health", "/openapi.json", "/docs")
"""`OPEN` are the paths that need no key."""
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


class Admission:
    """A layer around an ASGI application.

    Args:
        app: The application.
        limits: Sizes, times and places.
        metrics: Where answers are counted.
        keys: Who may ask; everybody when empty.
        origins: Web pages whose scripts may open streams besides those of the server itself.
        hosts: Names that the server goes by; any when None. A name that somebody else's page has pointed at this
            machine (DNS rebinding) is none of them.
    """

    def __init__(self, app, limits: Limits, metrics: Metrics, keys: list[str] = (), origins: list[str] = (),
                 hosts: tuple[str, ...] | None = None):
        self._app, self._limits, self._metrics = app, limits, metrics
        self._keys, self._origins, self._hosts = [key.encode() for key in keys], origins, hosts
        self._inside = self._streams = 0

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            await self._request(_Exchange(scope, receive, send, self._limits.upload_bytes))
        elif scope["type"] == "websocket":
            await self._stream(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, exchange):
        began = time.monotonic()
        works = exchange.scope["method"] == "POST" and exchange.scope["path"] in WORK
        refusal = self._refusal(exchange.scope)
        if refusal is None and works:
            refusal = self._no_room(exchange)
        if refusal is not None:
            await exchange.refuse(*refusal)
        elif works:
            self._inside += 1
            self._metrics.inside.set(self._inside)
            try:
                await self._answer(exchange)
            finally:
                self._inside -= 1
                self._metrics.inside.set(self._inside)
        else:
            await self._answer(exchange)
        path = _label(exchange.scope["path"])
        self._metrics.requests.labels(path, exchange.status or 499).inc()
        self._metrics.seconds.labels(path).observe(time.monotonic() - began)

    async def _answer(self, exchange):
        try:
            async with asyncio.timeout(self._limits.request_seconds):
                await self._app(exchange.scope, exchange.receive, exchange.send)
        except TimeoutError:
            limit = f"{self._limits.request_seconds:g} s, the time that a request has"
            if exchange.status is not None:
                raise  # the connection is cut, which the client sees
            if exchange.complete:
                await exchange.refuse(504, f"no answer within {limit}; send shorter recordings, or fewer at a time")
            else:
                exchange.given_up = True
                await exchange.refuse(408, f"the request wasn't complete within {limit}")

    def _refusal(self, scope):
        """(status, message) for who may not ask at all."""
        headers = _headers(scope)
        if self._hosts is not None and _host(headers.get("host", "")) not in self._hosts:
            return 421, f"this server answers to {', '.join(self._hosts)} only; others need --keys"
        is_open = scope["path"] in OPEN or scope["path"].startswith("/docs/")
        if not self._keys or is_open:
            return None
        kind, _, key = headers.get("authorization", "").partition(" ")
        given = key.strip().encode()
        # All are compared, so that the time says nothing.
        if not any([hmac.compare_digest(given, known) for known in self._keys]) or kind.lower() != "bearer":
            return 401, "this server wants a key: Authorization: Bearer KEY"
        return None

    def _no_room(self, exchange):
        length = _headers(exchange.scope).get("content-length", "")
        if length.isdecimal() and int(length) > self._limits.upload_bytes:
            return 413, _too_large(self._limits.upload_bytes)
        if self._inside >= self._limits.batch + self._limits.waiting:
            return 429, "too many requests wait already; try again in a second"
        return None

    async def _stream(self, scope, receive, send):
        refusal = self._refusal(scope)
        origin = _headers(scope).get("origin")
        if refusal is None and origin is not None and not self._knows(origin, scope):
            refusal = 403, f"pages of {origin} may not open streams; --allow-origin lets them"
        if refusal is None and self._streams >= self._limits.streams:
            refusal = 429, "too many streams are open already"
        if refusal is not None:
            await receive()  # websocket.connect
            await _respond(send, *refusal, prefix="websocket.http.response")
            return
        self._streams += 1
        self._metrics.streams.set(self._streams)
        try:
            await self._app(scope, receive, send)
        finally:
            self._streams -= 1
            self._metrics.streams.set(self._streams)

    def _knows(self, origin, scope):
        return origin in self._origins or urlsplit(origin).netloc == _headers(scope).get("host")


class _Exchange:
    """A request and its answer: counts what comes in, and remembers what has gone out."""

    def __init__(self, scope, receive, send, largest):
        self.scope, self._receive, self._send, self._largest = scope, receive, send, largest
        self.status, self.complete, self.given_up, self._read = None, False, False, 0

    async def receive(self):
        try:
            async with asyncio.timeout(None if self.complete else UPLOAD_IDLE_SECONDS):
                message = await self._receive()
        except TimeoutError:
            self.given_up = True
            raise HTTPException(408, f"nothing of the request came for {UPLOAD_IDLE_SECONDS:g} s") from None
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            self.complete = not message.get("more_body", False)
            if self._read > self._largest:
                raise HTTPException(413, _too_large(self._largest))
        return message

    async def send(self, message):
        if message["type"] == "http.response.start":
            self.status = message["status"]
            await self._drain()
            if not self.complete:  # what is still to come would be taken for the next request
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        await self._send(message)

    async def refuse(self, status, message):
        """Answers in place of the application."""
        await _respond(self.send, status, message)

    async def _drain(self):
        """Reads and drops what is still being sent: who can't send it to the end doesn't see the answer.

        A decent amount of it: as much as a request may have.
        """
        length = _headers(self.scope).get("content-length", "")
        if self.given_up or length.isdecimal() and int(length) > self._largest:
            return
        self._read = 0
        with contextlib.suppress(TimeoutError, HTTPException):
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self.complete and (await self.receive())["type"] == "http.request":
                    pass


def _too_large(largest):
    return f"the request is larger than {largest / 1e6:g} MB, the most that this server takes"


def _label(path):
    """A path for the counters: there are few, whatever is asked for."""
    return path if path in (*WORK, "/health", "/metrics", "/v1/models", "/v1/grammars") else "other"


def _headers(scope):
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _host(header):
    try:
        return urlsplit(f"//{header}").hostname
    except ValueError:
        return None


async def _respond(send, status, message, prefix="http.response"):
    body = json.dumps(error_body(status, message)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(b"retry-after", b"1")] * (status == 429) + [(b"www-authenticate", b"Bearer")] * (status == 401)
    await send({"type": f"{prefix}.start", "status": status, "headers": headers})
    await send({"type": f"{prefix}.body", "body": body})
