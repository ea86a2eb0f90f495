"""Streams over a WebSocket: audio in, what is understood out."""

import asyncio
import contextlib
import json

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.websockets import WebSocketState

from speechzoo.audio.pcm import PcmStream
from speechzoo.listening.listener import Listener
from speechzoo.listening.stream_listener import StreamListener
from speechzoo.server.errors import RequestError
from speechzoo.server.limits import STREAM_IDLE_SECONDS, STREAM_MESSAGE_BYTES

router = APIRouter()


@router.websocket("/v1/stream")
async def stream(socket: WebSocket, model: str | None = None, grammar: str | None = None, wake_word: str | None = None,
                 sample_rate: int | None = None, partials: bool = False):
    """Hears a microphone: 16-bit PCM in one channel, little endian, in binary messages of any length.

    What is understood comes as JSON: `{"kind": "utterance" | "partial" | "wake_word", "start", "end", ...}`, as
    `StreamEvent.to_dict` writes it. The text message `{"type": "finish"}` ends the stream: what was under way comes,
    and the socket is closed.
    """
    service = socket.app.state.service
    await socket.accept()
    hearing = None
    try:
        served = service.find(model)
        hearing = served.hearing(service.limits.seconds)
        listener, pcm = await service.desk.ask(_begin, served, hearing, grammar, wake_word, sample_rate, partials)
        await _listen(socket, service, listener, pcm, served)
    except RequestError as error:
        await _tell(socket, error.body)
        await _close(socket, 1008, error.message)
    except TimeoutError:
        await _close(socket, 1000, f"nothing came for {STREAM_IDLE_SECONDS:g} s")
    except WebSocketDisconnect:
        pass
    finally:
        if hearing is not None:
            hearing.stop()


def _begin(served, hearing, grammar, wake_word, sample_rate, partials):
    rate = served.spec["sample_rate"]
    commands = served.commands(grammar)
    kind = StreamListener if served.can_stream else Listener
    try:
        pcm = PcmStream(rate if sample_rate is None else sample_rate, 2, 1, rate)
        return kind(hearing, commands, wake_word, partials=partials, decoder=served.transcripts()), pcm
    except ValueError as error:
        raise RequestError(400, str(error)) from None


async def _listen(socket, service, listener, pcm, served):
    seconds = 0.0
    while True:
        async with asyncio.timeout(STREAM_IDLE_SECONDS):
            message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        data = message.get("bytes")
        if data is None:
            if _is_finish(message.get("text")):
                break
            raise RequestError(400, 'audio comes in binary messages; the only text is {"type": "finish"}')
        if len(data) > STREAM_MESSAGE_BYTES:
            raise RequestError(413, f"a message of {len(data):,} bytes; {STREAM_MESSAGE_BYTES:,} at most")
        samples = pcm.feed(data)
        seconds += len(samples) / served.spec["sample_rate"]
        if seconds > service.limits.seconds:
            raise RequestError(413, f"the stream is longer than {service.limits.seconds:g} s; open another")
        service.metrics.audio.labels(served.name).inc(len(samples) / served.spec["sample_rate"])
        for event in await service.streams.ask(_hear, listener, samples):
            await socket.send_json(event)
    for event in await service.streams.ask(_finish, listener, pcm.feed(b"", last=True)):
        await socket.send_json(event)
    await socket.close()


def _is_finish(text):
    try:
        return json.loads(text or "") == {"type": "finish"}
    except ValueError:
        return False


def _hear(listener, samples):
    return [event.to_dict() for event in listener.feed(samples)]


def _finish(listener, samples):
    return _hear(listener, samples) + [event.to_dict() for event in listener.finish()]


async def _tell(socket, body):
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
        await socket.send_json(body)


async def _close(socket, code, reason):
    if socket.client_state is WebSocketState.CONNECTED:
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            # A reason has 123 bytes at most (RFC 6455, section 5.5).
            await socket.close(code, reason.encode()[:120].decode(errors="ignore"))
