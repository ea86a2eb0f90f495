"""Recognition by a model behind TensorFlow Serving."""

import io
import json

import numpy as np
import soundfile

from speechzoo.audio import pad_batch
from speechzoo.decoding.recognition import Recognition, select_heads
from speechzoo.decoding.recognizer import Recognizer
from speechzoo.serving import signatures
from speechzoo.serving.errors import ModelNotFoundError, ServingError
from speechzoo.serving.grpc import GrpcTransport
from speechzoo.serving.rest import RestTransport

TRANSPORTS = {"rest": RestTransport, "grpc": GrpcTransport}


class Client(Recognizer):
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

    def recognize_batch(self, audios: list, *arguments, **options) -> list[Recognition]:
        """As `Recognizer.recognize_batch`, in one request. `recognize` is a batch of one.

        Raises:
            ConnectionError: No server there.
            TimeoutError: No answer in time.
            ModelNotFoundError: The server doesn't serve this model.
            ServingError: The server refused the request.
        """
        try:
            return super().recognize_batch(audios, *arguments, **options)
        except ModelNotFoundError:
            if self._fixed_version is not None or self._version is None:
                raise
        self._version = self._spec = None  # the server moved on to another version
        return super().recognize_batch(audios, *arguments, **options)

    def batch_outputs(self, audios: list[np.ndarray], heads: list[str] | None = None) -> list[dict[str, np.ndarray]]:
        """The heads' outputs for several recordings, in one request; see `Recognizer.batch_outputs`. Raises as
        `recognize_batch` does."""
        if not audios:
            return []
        names = signatures.raw_output_names(select_heads(self.spec, heads))
        outputs = self._transport.predict(self.version, *self._inputs(audios), list(names.values()))
        return [{head: outputs[name][row] for head, name in names.items()} for row in range(len(audios))]

    @property
    def spec(self) -> dict:
        """The served model's `Recognizer.spec`, which it gives itself."""
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

    def _inputs(self, samples):
        """Signature and inputs that carry the samples exactly."""
        if isinstance(self._transport, RestTransport) and all(map(_fits_16_bits, samples)):
            # Recordings mostly are 16-bit: base64 is then a sixth of the size of JSON numbers, and as exact.
            files = np.empty(len(samples), object)
            files[:] = [_wav(item, self.spec["sample_rate"]) for item in samples]
            return signatures.BYTES, {"audio_bytes": files}
        audio, lengths = pad_batch(samples)
        return signatures.DEFAULT, {"audio": audio, "audio_length": lengths}


def _fits_16_bits(samples: np.ndarray) -> bool:
    steps = samples * 32768.0
    return bool(np.all((steps == np.rint(steps)) & (steps >= -32768) & (steps <= 32767)))


def _wav(samples: np.ndarray, sample_rate: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, (samples * 32768.0).astype(np.int16), sample_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
