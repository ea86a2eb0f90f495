"""`speechzoo serve` under load: requests per second, how long each waits, memory over time, and requests that are bad.

    python -m benchmarks.speed.server mtl_conformer_small exported/mtl_conformer_small_dynamic.tflite
    python -m benchmarks.speed.server exported/mtl_conformer_small_dynamic.tflite --minutes 30

Every client sends one recording after the other over one connection to `/v1/audio/transcriptions` and waits for each
answer, which has to be the transcript that the recording has alone. Server and clients share the machine: the
processor's time per request, which the server counts itself, doesn't depend on what else runs there, and `core_share`
says how much of a core the server had; the other figures depend on both.

With `--minutes`, 8 clients go on for so long while `--bad` requests come in between that can't be answered: noise for
audio, broken forms, uploads that break off, half of HTTP. `lost` counts good ones without their transcript, and bad
ones that got anything but a refusal.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import math
import random
import re
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from tools.figures import add_figures_option, write_figures

RECORDING = Path(__file__).parents[2] / "examples" / "sentence.flac"
PATH = "/v1/audio/transcriptions"
SOAKING_CLIENTS = 8
ANSWER_SECONDS = 300.0
"""No answer within `ANSWER_SECONDS` is none."""
SAMPLES = 10
"""`SAMPLES` rows of memory are written, however long it takes."""


# -- requests ----------------------------------------------------------------------------------------------------------


def request(fields: dict[str, str], audio: bytes | None, path: str = PATH, method: str = "POST") -> bytes:
    """A form as HTTP/1.1 sends it; `audio` is its file."""
    parts = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
             for name, value in fields.items()]
    if audio is not None:
        parts.append(b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + audio + b"\r\n")
    return raw_request(b"".join(parts) + b"--b--\r\n", path, method)


def raw_request(body: bytes, path: str = PATH, method: str = "POST", length: int | None = None) -> bytes:
    """A request with whatever body."""
    head = (f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            f"Content-Length: {len(body) if length is None else length}\r\n\r\n")
    return head.encode() + body


def bad_requests(model: str, audio: bytes, draw: random.Random) -> list[tuple[str, bytes]]:
    """One of each kind: what is wrong, and the bytes."""
    good, noise = {"model": model}, draw.randbytes(draw.randrange(1, 20000))
    nothing_finite = b"RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0\3\0\1\0\x80\x3e\0\0\0\xfa\0\0\4\0 \0data\x08\0\0\0" + b"\xff" * 8
    return [
        ("noise", request(good, noise)), ("no bytes", request(good, b"")), ("text", request(good, b"what?\n" * 50)),
        ("a broken header", request(good, audio[:draw.randrange(1, 60)])),
        ("not finite", request(good, nothing_finite)), ("no file", request(good, None)),
        ("no model", request({}, audio)), ("another model", request({"model": "x" * draw.randrange(1, 2000)}, audio)),
        ("another format", request({**good, "response_format": "docx"}, audio)),
        ("a long prompt", request({**good, "prompt": "word " * 5000}, audio)),
        ("no form", raw_request(noise)), ("a form cut short", raw_request(request(good, audio).split(b"\r\n\r\n", 1)[1][:-40])),
        ("another path", request(good, audio, "/v1/audio/" + "x" * draw.randrange(1, 500))),
        ("another method", request(good, audio, method="PUT")), ("too large", raw_request(b"", length=10 ** 12)),
        ("half of HTTP", noise + b"\r\n\r\n"),
        ("an upload that breaks off", raw_request(b"--b\r\n", length=100000)),
    ]


# -- clients -----------------------------------------------------------------------------------------------------------


@dataclass
class Client:
    """One connection at a time, which is opened again when the server has closed it."""

    port: int
    reader: asyncio.StreamReader | None = field(default=None, init=False)
    writer: asyncio.StreamWriter | None = field(default=None, init=False)

    async def ask(self, data: bytes, whole: bool = True) -> tuple[int, bytes]:
        """(status, body) of the answer; status 0 where there is none within `ANSWER_SECONDS`.

        Args:
            data: The request.
            whole: Otherwise the connection is closed instead of waiting for an answer.
        """
        for _ in range(2):  # a server closes a connection that has been idle; then it is opened again
            reused = self.writer is not None
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await self._ask(data, whole)
            except (OSError, asyncio.IncompleteReadError) as error:
                await self.close()
                if not (reused and whole and not getattr(error, "partial", b"")) or isinstance(error, TimeoutError):
                    break
        return 0, b""

    async def _ask(self, data, whole):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(data)
        await self.writer.drain()
        if not whole:
            raise ConnectionError("left")
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = re.search(r"content-length: (\d+)", head)
        body = await (self.reader.readexactly(int(length[1])) if length else self.reader.read())
        if "connection: close" in head or not length:
            await self.close()
        return int(head.split()[1]), body

    async def close(self):
        """Closes the connection, if there is one."""
        if self.writer is not None:
            self.writer.close()
            with contextlib.suppress(OSError):
                await self.writer.wait_closed()
            self.writer = None


@dataclass
class Tally:
    """What clients have seen: seconds of the good answers, bad requests that were refused, and what was lost."""

    seconds: list[float] = field(default_factory=list)
    refused: int = 0
    lost: list[str] = field(default_factory=list)


async def ask_on(port: int, good: bytes, expected: bytes, until: float, tally: Tally, bad=iter(())):
    """One client: good requests until the time has come, a bad one before each as long as there are some."""
    client, stranger = Client(port), Client(port)
    while True:
        what, data = next(bad, (None, b""))
        if what is None and time.monotonic() >= until:
            break
        if what is not None:
            status, _ = await stranger.ask(data, whole=what != "an upload that breaks off")
            if 400 <= status < 500 or what == "an upload that breaks off":
                tally.refused += 1
            else:
                tally.lost.append(f"{what}: status {status}")
        began = time.monotonic()
        status, body = await client.ask(good)
        if status == 200 and body == expected:
            tally.seconds.append(time.monotonic() - began)
        else:
            tally.lost.append(f"a good one: status {status}, {body[:200]!r}")
    await client.close()
    await stranger.close()


def percentile(values: list[float], share: float) -> float:
    """The smallest value that so many of all are not above (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share - 1e-9) - 1)]


# -- a server ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def serving(name: str, source: str):
    """The port of a server of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "speechzoo", "serve", f"{name}={source}", "--port", str(port)])
    try:
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10).close()
                break
            if process.poll() is not None:
                sys.exit(f"the server of {source} ended with {process.returncode}")
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def counters(port: int) -> dict[str, float]:
    """What the server has counted."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as page:
        lines = page.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def transcript_of(port: int, good: bytes) -> bytes:
    """The answer to the recording alone; the first of a server is slower, and isn't measured."""
    async def once():
        client = Client(port)
        answer = await client.ask(good)
        await client.close()
        return answer

    for _ in range(3):
        status, body = asyncio.run(once())
        if status != 200:
            sys.exit(f"status {status}: {body!r}")
    return body


def measure(port: int, name: str, good: bytes, expected: bytes, clients: int, seconds: float) -> dict:
    """Figures of so many clients."""
    tally, before, began = Tally(), counters(port), time.monotonic()

    async def all_of_them():
        await asyncio.gather(*(ask_on(port, good, expected, began + seconds, tally) for _ in range(clients)))

    asyncio.run(all_of_them())
    wall, after = time.monotonic() - began, counters(port)
    more = {key: value - before.get(key, 0) for key, value in after.items()}
    processor = more["process_cpu_seconds_total"]
    batches = more[f'speechzoo_batch_size_count{{model="{name}"}}']
    return {"clients": clients, "requests": len(tally.seconds), "lost": len(tally.lost),
            "requests_per_second": len(tally.seconds) / wall,
            **{f"p{share}_ms": 1000 * percentile(tally.seconds or [math.nan], share / 100) for share in (50, 95, 99)},
            "processor_ms": 1000 * processor / max(len(tally.seconds), 1), "core_share": processor / wall,
            "batch": more[f'speechzoo_batch_size_sum{{model="{name}"}}'] / max(batches, 1)}


def soak(port: int, name: str, good: bytes, expected: bytes, audio: bytes, minutes: float, count: int) -> list[dict]:
    """Rows of memory over time, with the good, the bad and the lost so far."""
    draw, tally = random.Random(1), Tally()
    kinds = itertools.chain.from_iterable(bad_requests(name, audio, draw) for _ in itertools.count())
    bad = itertools.islice(kinds, count)
    began, rows = time.monotonic(), []
    end = began + 60 * minutes

    async def look():
        found = await asyncio.to_thread(counters, port)
        rows.append({"minutes": (time.monotonic() - began) / 60, "answered": len(tally.seconds),
                     "refused": tally.refused, "lost": len(tally.lost),
                     "memory_mb": found["process_resident_memory_bytes"] / 1e6,
                     "open_files": int(found["process_open_fds"])})

    async def watch():
        for number in range(1, SAMPLES):
            await asyncio.sleep(max(0.0, began + 60 * minutes * number / SAMPLES - time.monotonic()))
            await look()

    async def all_of_them():
        await asyncio.gather(watch(), *(ask_on(port, good, expected, end, tally, bad) for _ in range(SOAKING_CLIENTS)))
        await look()

    asyncio.run(all_of_them())
    for what in tally.lost[:10]:
        print(f"lost: {what}", file=sys.stderr)
    return rows


def main():
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="+", help="what `speechzoo serve` opens")
    parser.add_argument("--audio", type=Path, default=RECORDING, help="the recording (examples/sentence.flac, 2.8 s)")
    parser.add_argument("--clients", default="1,8,32", help="how many at the same time (%(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each number of clients (%(default)g)")
    parser.add_argument("--minutes", type=float, default=0.0, help="measure memory for so long instead")
    parser.add_argument("--bad", type=int, default=1000, help="bad requests in that time (%(default)d)")
    add_figures_option(parser, "server")
    arguments = parser.parse_args()
    audio, rows = arguments.audio.read_bytes(), []
    for source in arguments.model:
        name = Path(source).name.removesuffix(".tflite")
        with serving(name, source) as port:
            good = request({"model": name}, audio)
            expected = transcript_of(port, good)
            if arguments.minutes:
                found = iter(soak(port, name, good, expected, audio, arguments.minutes, arguments.bad))
            else:
                found = (measure(port, name, good, expected, int(clients), arguments.seconds)
                         for clients in arguments.clients.split(","))
            for row in found:
                rows.append({"model": Path(source).name, **row})
                print(json.dumps(rows[-1]), flush=True)
    figures = arguments.figures
    write_figures(figures.with_stem(f"{figures.stem}_memory") if arguments.minutes else figures, rows)


if __name__ == "__main__":
    main()
