"""TensorFlow Serving's REST API, column format."""

import base64
import urllib.parse

import numpy as np

from speechzoo.serving.errors import ModelNotFoundError, ServingError


class RestTransport:
    """Requests to one model over HTTP.

    Args:
        url: Base address of the REST port, such as `http://localhost:8501`.
        model: Name the model is served under.
        timeout: Seconds to wait for each answer.

    Raises:
        ImportError: requests isn't installed.
        ValueError: An address that isn't http or https.
    """

    def __init__(self, url: str, model: str, timeout: float):
        try:
            import requests
        except ImportError:
            raise ImportError("the REST client needs requests: pip install 'speechzoo[serving]'") from None
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(f"'{url}' is not an http address; give one such as http://localhost:8501")
        self._requests = requests
        self._session = requests.Session()
        self.url = url.rstrip("/")
        self.model = model
        self._base = f"{self.url}/v1/models/{urllib.parse.quote(model, safe='')}"
        self._timeout = timeout

    def predict(self, version: int, signature: str, inputs: dict[str, np.ndarray],
                outputs: list[str]) -> dict[str, np.ndarray]:
        """Runs one signature.

        Args:
            version: Version of the model.
            signature: Name of the signature.
            inputs: Name -> array with a batch axis; bytes travel as base64.
            outputs: Names of the outputs to return. REST sends all of them in any case.

        Raises:
            ConnectionError: No server there.
            TimeoutError: No answer in time.
            ModelNotFoundError: The server lacks this model or version.
            ServingError: The server refused the request.
        """
        body = {"signature_name": signature, "inputs": {name: _to_json(value) for name, value in inputs.items()}}
        answer = self._send("POST", f"{self._base}/versions/{version}:predict", body)["outputs"]
        if not isinstance(answer, dict):  # a signature with one output answers without its name
            answer = {outputs[0]: answer}
        missing = [name for name in outputs if name not in answer]
        if missing:
            raise ServingError(f"model '{self.model}' at {self.url} gives no output '{missing[0]}'; "
                               f"it gives: {', '.join(sorted(answer))}")
        return {name: _from_json(answer[name]) for name in outputs}

    def versions(self) -> dict[int, str]:
        """Version -> state (`AVAILABLE`, `LOADING`, ...) of the model. Raises as `predict` does."""
        answer = self._send("GET", self._base)
        return {int(item["version"]): item["state"] for item in answer["model_version_status"]}

    def close(self):
        """Closes the connections."""
        self._session.close()

    def _send(self, method, url, body=None):
        try:
            response = self._session.request(method, url, json=body, timeout=self._timeout)
        except self._requests.Timeout:
            raise TimeoutError(f"no answer from {self.url} within {self._timeout:g} s") from None
        except self._requests.RequestException as error:
            raise ConnectionError(f"no model server at {self.url} ({type(error).__name__}); is it running, and is "
                                  "this its REST port (8501 by default)?") from None
        try:
            answer = response.json()
        except ValueError:
            raise ServingError(f"{self.url} answered something else than JSON (status {response.status_code}); "
                               "is this the REST port of TensorFlow Serving?") from None
        if response.ok and isinstance(answer, dict):
            return answer
        reason = answer.get("error", "") if isinstance(answer, dict) else ""
        if response.status_code == 404:
            raise ModelNotFoundError(f"{self.url} doesn't serve model '{self.model}': {first_line(reason)}")
        raise ServingError(f"model '{self.model}' at {self.url} refused the request: "
                           f"{first_line(reason) or f'status {response.status_code}'}")


def first_line(message: str) -> str:
    """A server's message without the graph nodes that TensorFlow lists after it."""
    return " ".join(message.partition("[[{{")[0].split()).rstrip("\\t ")


def _to_json(array: np.ndarray):
    if array.dtype == object:  # bytes; NumPy's own bytes type would drop zeros at the end
        return [{"b64": base64.b64encode(item).decode("ascii")} for item in array.tolist()]
    return array.tolist()


def _from_json(value) -> np.ndarray:
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype.kind in "fi" else array
