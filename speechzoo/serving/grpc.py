"""TensorFlow Serving's gRPC API: PredictionService and ModelService."""

import numpy as np

from speechzoo.serving.errors import ModelNotFoundError, ServingError
from speechzoo.serving.rest import first_line


class GrpcTransport:
    """Requests to one model over gRPC.

    Args:
        url: Host and port of the gRPC server, such as `localhost:8500`. The connection isn't encrypted.
        model: Name the model is served under.
        timeout: Seconds to wait for each answer.

    Raises:
        ImportError: tensorflow-serving-api isn't installed.
        ValueError: An http address.
    """

    def __init__(self, url: str, model: str, timeout: float):
        try:
            import grpc
            from tensorflow_serving.apis import (
                get_model_status_pb2,
                model_service_pb2_grpc,
                predict_pb2,
                prediction_service_pb2_grpc,
            )
        except ImportError:
            raise ImportError("the gRPC client needs tensorflow-serving-api: "
                              "pip install 'speechzoo[serving]'") from None
        if "://" in url:
            raise ValueError(f"'{url}' is not a gRPC address; give host:port, such as localhost:8500")
        self._grpc, self._predict, self._status = grpc, predict_pb2, get_model_status_pb2
        self.url = url
        self.model = model
        self._timeout = timeout
        # Logits of a long recording pass gRPC's 4 MB default.
        self._channel = grpc.insecure_channel(url, options=[("grpc.max_receive_message_length", -1)])
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def predict(self, version: int, signature: str, inputs: dict[str, np.ndarray],
                outputs: list[str]) -> dict[str, np.ndarray]:
        """Runs one signature; arguments and errors as in `RestTransport.predict`, but only `outputs` are sent back."""
        import tensorflow as tf

        request = self._predict.PredictRequest(output_filter=outputs)
        request.model_spec.name = self.model
        request.model_spec.signature_name = signature
        request.model_spec.version.value = version
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        answer = self._send(self._predictions.Predict, request).outputs
        return {name: tf.make_ndarray(answer[name]) for name in outputs}

    def versions(self) -> dict[int, str]:
        """Version -> state (`AVAILABLE`, `LOADING`, ...) of the model. Raises as `predict` does."""
        request = self._status.GetModelStatusRequest()
        request.model_spec.name = self.model
        answer = self._send(self._models.GetModelStatus, request)
        states = self._status.ModelVersionStatus.State
        return {item.version: states.Name(item.state) for item in answer.model_version_status}

    def close(self):
        """Closes the channel."""
        self._channel.close()

    def _send(self, method, request):
        try:
            return method(request, timeout=self._timeout)
        except self._grpc.RpcError as error:
            code, reason = error.code(), first_line(error.details() or "")
        codes = self._grpc.StatusCode
        if code == codes.DEADLINE_EXCEEDED:
            raise TimeoutError(f"no answer from {self.url} within {self._timeout:g} s")
        if code == codes.UNAVAILABLE:
            raise ConnectionError(f"no model server at {self.url} ({reason}); is it running, and is this its gRPC port "
                                  "(8500 by default)?")
        if code == codes.NOT_FOUND:
            raise ModelNotFoundError(f"{self.url} doesn't serve model '{self.model}': {reason}")
        raise ServingError(f"model '{self.model}' at {self.url} refused the request: {reason or code.name}")
