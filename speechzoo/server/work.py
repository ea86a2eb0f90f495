"""Requests at work: threads in which models are asked, and clients that leave."""

import asyncio
import concurrent.futures
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from starlette.requests import Request

from speechzoo.audio import AudioError
from speechzoo.server.errors import RequestError
from speechzoo.server.served_model import Hearing

_LOOK_SECONDS = 0.5  # between two looks at whether the client is still there


class ClientLeft(Exception):
    """Nobody waits for the answer any more."""


class Desk:
    """Where requests wait for their turn.

    Args:
        threads: Requests at work at the same time.
    """

    def __init__(self, threads: int):
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="request")

    async def ask(self, function: Callable, *arguments, hearing: Hearing | None = None, request: Request | None = None):
        """A call in one of the threads; given up when the client leaves or the request's time is over.

        Args:
            function: What to call with the arguments.
            hearing: What the call asks, which is stopped then.
            request: The client's.

        Raises:
            RequestError: A recording that can't be used.
            ClientLeft: The client left.
        """
        future = asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
        try:
            while not future.done():
                await asyncio.wait([future], timeout=_LOOK_SECONDS)
                if request is not None and not future.done() and await request.is_disconnected():
                    raise ClientLeft
            return future.result()
        except AudioError as error:
            raise RequestError(400, str(error), "file", "unusable_audio") from None
        except concurrent.futures.CancelledError:
            raise ClientLeft from None
        finally:
            if hearing is not None and not future.done():
                hearing.stop()
            future.cancel()

    async def each(self, items: Iterator, hearing: Hearing):
        """The items of an iterator, each of which is made in a turn of its own."""
        while (item := await self.ask(next, items, None, hearing=hearing)) is not None:
            yield item

    def close(self):
        """Ends the threads; nobody is at work any more."""
        self._pool.shutdown()
