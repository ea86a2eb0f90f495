"""The Wyoming server."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from wyoming.server import AsyncServer

from speechzoo.wyoming.connection import Connection
from speechzoo.wyoming.voice import Voice


async def serve(voice: Voice, uri: str):
    """Answers clients of the Wyoming protocol (https://github.com/OHF-Voice/wyoming) until SIGTERM.

    Any number of clients may be connected; the model hears them in turn, chunk by chunk.

    Args:
        voice: Who listens.
        uri: `tcp://HOST:PORT` or `unix:///PATH`.

    Raises:
        ValueError: Another kind of URI.
        OSError: The address can't be used.
    """
    server = AsyncServer.from_uri(uri)
    with ThreadPoolExecutor(1, thread_name_prefix="model") as worker:
        await server.run(partial(Connection, voice, worker))
