"""Text-to-speech of a Wyoming service, as a voice of the assistant."""

import asyncio

import numpy as np
from wyoming.audio import AudioChunk, AudioStop
from wyoming.client import AsyncClient
from wyoming.error import Error
from wyoming.tts import Synthesize, SynthesizeVoice

from speechzoo.audio.pcm import PcmStream

SAMPLE_RATE = 22050
TIMEOUT_SECONDS = 30.0


class WyomingSpeech:
    """Asks a service to speak.

    Args:
        uri: `tcp://HOST:PORT` or `unix:///PATH`.
        language: Language tag of what is said.
    """

    def __init__(self, uri: str, language: str = "en"):
        self.uri, self.language = uri, language

    def __call__(self, text: str) -> tuple[np.ndarray, int]:
        """A text, spoken: float32 (samples,) and the sample rate, Hz.

        Raises:
            OSError: Nobody answers there.
            ValueError: The service doesn't speak, or says that it can't.
        """
        return asyncio.run(self._speak(text))

    async def _speak(self, text):
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS), AsyncClient.from_uri(self.uri) as client:
                await client.write_event(Synthesize(text, SynthesizeVoice(language=self.language)).event())
                return await self._sound(client)
        except TimeoutError:
            raise OSError(f"{self.uri}: no speech within {TIMEOUT_SECONDS:g} s; is it a text-to-speech service?"
                          ) from None
        except OSError as error:
            raise OSError(f"{self.uri}: {error.strerror or error}; is the service running?") from None

    async def _sound(self, client):
        pcm, parts = None, []
        while (event := await client.read_event()) is not None:
            if Error.is_type(event.type):
                raise ValueError(f"{self.uri}: {Error.from_event(event).text}")
            if AudioChunk.is_type(event.type):
                chunk = AudioChunk.from_event(event)
                pcm = pcm or PcmStream(chunk.rate, chunk.width, chunk.channels, SAMPLE_RATE)
                parts.append(pcm.feed(chunk.audio))
            elif AudioStop.is_type(event.type):
                break
        if pcm is None:
            raise ValueError(f"{self.uri}: the service said nothing; is it a text-to-speech service?")
        return np.concatenate([*parts, pcm.feed(b"", last=True)]), SAMPLE_RATE
