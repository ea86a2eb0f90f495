"""Recognition by a model behind TensorFlow Serving."""

import io
import json

import numpy as np
import soundfile

from speechzoo.audio import load_audio
from speechzoo.decoding.recognition import Recognition, recognize_outputs, select_heads
from speechzoo.serving import signatures
from speechzoo.serving.errors import ModelNotFoundError, ServingError
from speechzoo.serving.grpc import GrpcTransport
from speechzoo.serving.rest import RestTransport

TRANSPORTS = {"rest": RestTransport, "grpc": GrpcTransport}


class Client:
    """Sends audio to a served model and reads its logits into the same Recognition that the model gives locally.

    Everything it needs to know (sample rate, heads, labels) comes from the model itself, by its signature `spec`.
    It keeps to the version that the spec is of; when the server retires that version, it moves to the newest and reads
    the spec again, so labels and logits never come from different versions.

    Args:
        url: REST: `http://host:8501`; gRPC: `host:8500`.
        model: Name the model is served under.
        protocol: "rest" or "grpc".
        version: Version to use, always; the newest that is available when absent.
        timeout: Seconds to wait for each answer.

    Raises:
        ValueError: Another protocol, or an address that doesn't fit it.
        ImportError: The protocol's package isn't installed (extra `[serving]`).

    Example:
        >>> client = Client("http://localhost:8501", "mtl_conformer_small")
        >>> client.recognize("order.wav").transcript  # doctest: +SKIP
        'a large coffee please'
    """

    def __init__(self, url: str, model: str, protocol: str = "rest", version: int | None = None, timeout: float = 30.0):
        if protocol not in TRANSPORTS:
            raise ValueError(f"unknown protocol '{protocol}'; use one of: {', '.join(TRANSPORTS)}")
        self._transport = TRANSPORTS[protocol](url, model, timeout)
        self._fixed_version = version
        self._version = None
        self._spec = None

    def recognize(self, audio, sample_rate: int | None = None, heads: list[str] | None = None,
                  **decoding) -> Recognition:
        """The answers of all heads, or of those named: `MultiTaskModel.recognize`, but elsewhere.

        Args:
            audio: Path, bytes of an audio file, or float array (samples,) or (samples, channels).
            sample_rate: Hz of an array; the model's own when None.
            heads: Heads to answer; all when None.
            **decoding: As `speechzoo.decoding.recognition.recognize_outputs`.

        Raises:
            AudioError: The audio can't be read.
            ValueError: A head that the model doesn't have.
            ConnectionError: No server there.
            TimeoutError: No answer in time.
            ModelNotFoundError: The server doesn't serve this model.
            ServingError: The server refused the request.
        """
        return self.recognize_batch([audio], sample_rate, heads, **decoding)[0]

    def recognize_batch(self, audios: list, sample_rate: int | None = None, heads: list[str] | None = None,
                        **decoding) -> list[Recognition]:
        """Several recordings in one request, padded to the longest; arguments and errors as in `recognize`."""
        if not audios:
            return []
        try:
            return self._recognize(audios, sample_rate, heads, decoding)
        except ModelNotFoundError:
            if self._fixed_version is not None or self._version is None:
                raise
        self._version = self._spec = None  # the server moved on to another version
        return self._recognize(audios, sample_rate, heads, decoding)

    @property
    def spec(self) -> dict:
        """What `MultiTaskModel.spec()` gives for the served model: name, sample rate and heads."""
        if self._spec is None:
            version = self._newest_version() if self._fixed_version is None else self._fixed_version
            request = {"request": np.array([b""], object)}
            try:
                answer = self._transport.predict(version, signatures.SPEC, request, ["spec"])["spec"][0]
            except ModelNotFoundError:
                raise
            except ServingError as error:
                raise ServingError(f"the served model has no usable signature 'spec': was it exported by speechzoo? "
                                   f"({error})") from None
            self._spec, self._version = json.loads(answer), version
        return self._spec

    @property
    def version(self) -> int:
        """Version of the model that answers."""
        self.spec
        return self._version

    def status(self) -> dict[int, str]:
        """Version -> state (`AVAILABLE`, `LOADING`, ...) of the model on the server."""
        return self._transport.versions()

    def close(self):
        """Closes the connection."""
        self._transport.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _newest_version(self):
        versions = self.status()
        available = [version for version, state in versions.items() if state == "AVAILABLE"]
        if not available:
            states = ", ".join(f"{version}: {state}" for version, state in sorted(versions.items()))
            raise ServingError(f"no version of model '{self._transport.model}' at {self._transport.url} is available "
                               f"({states or 'it has none'})")
        return max(available)

    def _recognize(self, audios, sample_rate, heads, decoding):
        spec = select_heads(self.spec, heads)
        names = signatures.raw_output_names(spec)
        samples = [self._load(audio, sample_rate) for audio in audios]
        outputs = self._transport.predict(self._version, *self._inputs(samples), list(names.values()))
        return [recognize_outputs({head: outputs[name][row] for head, name in names.items()}, spec, **decoding)
                for row in range(len(samples))]

    def _load(self, audio, sample_rate):
        rate = self.spec["sample_rate"]
        return load_audio((audio, sample_rate or rate) if isinstance(audio, np.ndarray) else audio, rate)

    def _inputs(self, samples):
        """Signature and inputs that carry the samples exactly."""
        if isinstance(self._transport, RestTransport) and all(map(_fits_16_bits, samples)):
            # Recordings mostly are 16-bit: base64 is then a sixth of the size of JSON numbers, and as exact.
            files = np.empty(len(samples), object)
            files[:] = [_wav(item, self.spec["sample_rate"]) for item in samples]
            return signatures.BYTES, {"audio_bytes": files}
        lengths = np.array([len(item) for item in samples], np.int32)
        audio = np.zeros((len(samples), lengths.max()), np.float32)
        for row, item in zip(audio, samples):
            row[:len(item)] = item
        return signatures.DEFAULT, {"audio": audio, "audio_length": lengths}


def _fits_16_bits(samples: np.ndarray) -> bool:
    steps = samples * 32768.0
    return bool(np.all((steps == np.rint(steps)) & (steps >= -32768) & (steps <= 32767)))


def _wav(samples: np.ndarray, sample_rate: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, (samples * 32768.0).astype(np.int16), sample_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
