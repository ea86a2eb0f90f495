"""One client of the Wyoming server."""

import asyncio
import json
import logging
from concurrent.futures import Executor

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe
from wyoming.intent import Entity, Intent, NotRecognized, Recognize
from wyoming.ping import Ping, Pong
from wyoming.server import AsyncEventHandler
from wyoming.wake import Detect

from speechzoo.wyoming.detection import WakeWordDetection
from speechzoo.audio.pcm import PcmStream
from speechzoo.wyoming.transcription import Transcription
from speechzoo.wyoming.voice import Voice

MAXIMUM_PART_BYTES = 4 << 20
"""`MAXIMUM_PART_BYTES` limits an event's data or payload to 2 minutes of 16 kHz. More is refused."""
_EVENTS = (Describe, Ping, Transcribe, Detect, AudioStart, AudioChunk, AudioStop, Recognize, Transcript)
_log = logging.getLogger(__name__)


class Connection(AsyncEventHandler):
    """Answers one client until it leaves, or sends what can't be understood: then one line is logged, the client gets
    an `error` event, and the connection is closed. Other clients notice nothing.

    Args:
        voice: Who listens.
        worker: Runs the model, one request after another.
        reader, writer: The connection.
    """

    def __init__(self, voice: Voice, worker: Executor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        super().__init__(reader, writer)
        self._voice, self._worker = voice, worker
        self._request = self._pcm = None

    async def run(self):
        """Receives and answers events until the client leaves."""
        name = self.writer.get_extra_info("peername") or "a client"
        try:
            try:
                while (event := await self._read_event()) is not None and await self.handle_event(event):
                    pass
            except ValueError as error:
                _log.warning("%s: %s", name, error)
                await self.write_event(Error(str(error)).event())
        except (OSError, EOFError):
            _log.warning("%s: left in the middle", name)
        except Exception:  # a fault of ours costs this client only
            _log.exception("%s: failed", name)
        finally:
            self.writer.close()

    async def _read_event(self) -> Event | None:
        """As `wyoming.event.async_read_event`, which doesn't tell bad events from the end and trusts any length."""
        try:
            line = await self.reader.readline()
            if not line:
                return None
            header = json.loads(line)
            sizes = [header.get(key) or 0 for key in ("data_length", "payload_length")]
            kind, data = header["type"], header.get("data") or {}
            if not all(isinstance(size, int) and 0 <= size <= MAXIMUM_PART_BYTES for size in sizes):
                raise ValueError(f"parts of {sizes} bytes")
            if sizes[0]:
                data = {**data, **json.loads(await self.reader.readexactly(sizes[0]))}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:  # the last: of many brackets
            raise ValueError(f"sent what is no Wyoming event ({error})") from None
        return Event(kind, data, await self.reader.readexactly(sizes[1]) if sizes[1] else None)

    async def handle_event(self, event: Event) -> bool:
        """Answers one event; those that are not for this service are passed over.

        Raises:
            ValueError: An event with fields that can't be used.
        """
        kind = next((kind for kind in _EVENTS if kind.is_type(event.type)), None)
        if kind is None:
            return True
        try:
            asked = kind.from_event(event)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"a '{event.type}' event without what belongs to it ({error})") from None
        if kind is Describe:
            await self.write_event(self._voice.info().event())
        elif kind is Ping:
            await self.write_event(Pong(asked.text).event())
        elif kind is Transcribe:
            self._begin(Transcription)
        elif kind is Detect:
            self._begin(WakeWordDetection, asked.names)
        elif kind in (Recognize, Transcript):  # Home Assistant asks for an intent by sending the transcript
            await self._understand(asked)
        else:
            await self._hear(asked)
        return True

    def _begin(self, request, *arguments):
        if request is Transcription and not self._voice.writes:
            raise ValueError("this model writes nothing; it hears wake words only")
        self._request, self._pcm = request(self._voice, *arguments), None

    async def _hear(self, event):
        if self._request is None:
            if isinstance(event, AudioStop):  # the end of audio whose request has been answered
                return
            self._begin(Transcription)
        if isinstance(event, AudioStart):
            return  # every chunk says its format again
        if isinstance(event, AudioChunk):
            sounds = []
            if self._pcm is None or self._pcm.format != (event.rate, event.width, event.channels):
                sounds += [] if self._pcm is None else [self._pcm.feed(b"", last=True)]
                self._pcm = PcmStream(event.rate, event.width, event.channels, self._voice.spec["sample_rate"])
            sounds.append(self._pcm.feed(event.audio))
            await self._tell(sounds, event.timestamp)
            return
        await self._tell([] if self._pcm is None else [self._pcm.feed(b"", last=True)], event.timestamp)
        for told in await self._ask(self._request.finish):
            await self.write_event(told)
        self._request = self._pcm = None

    async def _tell(self, sounds, timestamp):
        for samples in sounds:
            for told in await self._ask(self._request.feed, samples, timestamp):
                await self.write_event(told)

    async def _understand(self, asked):
        if self._voice.conversing is not None:
            answer = await self._ask(self._voice.conversing.answer, str(asked.text), asked.context)
            await self.write_event(answer)
            return
        parse = await self._ask(self._voice.understand, str(asked.text))
        if parse.accepted:
            entities = [Entity(name, value) for name, value in parse.slots.items()]
            answer = Intent(parse.intent, entities, context=asked.context)
        else:
            answer = NotRecognized(context=asked.context)
        await self.write_event(answer.event())

    async def _ask(self, function, *arguments):
        """Asks the model in its own thread: the server stays awake, and reads no more from this client meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, function, *arguments)
