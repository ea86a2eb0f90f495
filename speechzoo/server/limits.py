"""What one request, and all of them together, may take."""

from dataclasses import dataclass

BATCH_SECONDS = 60.0
"""`BATCH_SECONDS` of audio, padding included, are in one batch: the memory of attention grows with the square of a
recording's length, and a piece has 30 s at most."""
LENGTH_RATIO = 2.0
"""The longest recording of a batch is at most `LENGTH_RATIO` times as long as its first: padding costs time, too."""
PROMPT_CHARACTERS = 2000
"""`PROMPT_CHARACTERS` is the length of the longest prompt: some 400 names."""
STREAM_MESSAGE_BYTES = 1 << 20
"""`STREAM_MESSAGE_BYTES` is the size of a stream's largest message: half a minute of 16 kHz."""
STREAM_IDLE_SECONDS = 60.0
"""A stream that sends nothing for `STREAM_IDLE_SECONDS` is over."""
UPLOAD_IDLE_SECONDS = 20.0
"""An upload of which nothing comes for `UPLOAD_IDLE_SECONDS` has been given up."""
DRAIN_SECONDS = 10.0
"""A refused upload is read on for `DRAIN_SECONDS`: a client that is still sending would not see the answer."""


@dataclass(frozen=True)
class Limits:
    """What one request, and all of them together, may take.

    Attributes:
        upload_bytes: Size of a request; OpenAI's limit is 25 MB, too.
        seconds: Length of a recording, and of a stream.
        request_seconds: Time from a request's first byte to the last of its answer.
        batch: Requests that are heard at the same time, and recordings in a batch.
        waiting: Requests that wait for their turn beside these; more are refused with status 429.
        streams: Streams at the same time.

    Raises:
        ValueError: A limit that lets nothing through.
    """

    upload_bytes: int = 25_000_000
    seconds: float = 3600.0
    request_seconds: float = 600.0
    batch: int = 8
    waiting: int = 64
    streams: int = 16

    def __post_init__(self):
        for name in ("upload_bytes", "seconds", "request_seconds", "batch"):
            if not getattr(self, name) > 0:
                raise ValueError(f"the limit {name} must be above 0, got {getattr(self, name)}")
        for name in ("waiting", "streams"):
            if getattr(self, name) < 0:
                raise ValueError(f"the limit {name} must be 0 or more, got {getattr(self, name)}")
