"""A stand-in for TensorFlow Serving on loopback: the same wire formats, in front of the same graph.

It loads the newest version of each model through the TensorFlow 1 loader, replays the warm-up requests, and speaks
PredictionService (Predict, GetModelMetadata) and ModelService (GetModelStatus) over gRPC and predict, metadata and
status over REST. What JSON it takes and gives follows TensorFlow Serving's `json_tensor.cc`; merging of requests follows its
batching with `pad_variable_length_inputs`.
"""

import base64
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from speechzoo.exporters.served.served_model import ServedModel
from tests.serving.warmup_requests import read_warmup

AVAILABLE = get_model_status_pb2.ModelVersionStatus.AVAILABLE


class Refusal(Exception):
    """An answer that is an error: (gRPC code, HTTP status, message)."""

    def __init__(self, code, status, message):
        super().__init__(message)
        self.code, self.status, self.message = code, status, message


def invalid(message):
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, 400, message)


class StandIn:
    """Serves `{name: folder of versions}`.

    Args:
        models: Name -> folder with one sub-folder a version; the newest is served.
        merge: Requests of one signature that are gathered and run as one batch, as TensorFlow Serving's batching does.
        warm_up: Replay the warm-up requests; tests that aren't about them save their time.
    """

    def __init__(self, models: dict[str, Path], merge: int = 1, warm_up: bool = True):
        self.folders, self.merge, self.warm_up = models, merge, warm_up
        self.warmed = {}  # model -> warm-up requests that were replayed
        self.requests = []  # (protocol, signature) of each Predict, in order
        self._served, self._waiting, self._lock = {}, [], threading.Condition()
        self.reload()

    def reload(self):
        """Serves the newest version of every model and forgets the others."""
        loaded = {}  # two names of one folder share its graph
        for name, folder in self.folders.items():
            version = max(int(path.name) for path in Path(folder).iterdir() if path.name.isdigit())
            if folder not in loaded:
                loaded[folder] = self._load(Path(folder) / str(version))
            served, self.warmed[name] = loaded[folder]
            self._served[name] = version, served

    def _load(self, path):
        served = ServedModel(path)
        requests = read_warmup(path) if self.warm_up else []
        for request in requests:
            served.run(request.model_spec.signature_name,
                       {key: tf.make_ndarray(value) for key, value in request.inputs.items()},
                       list(request.output_filter))
        return served, len(requests)

    def __enter__(self):
        handler = type("Handler", (_RestHandler,), {"stand_in": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self.rest_url = f"http://127.0.0.1:{self._http.server_port}"
        self._grpc = grpc.server(ThreadPoolExecutor(4))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Predictions(self), self._grpc)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Models(self), self._grpc)
        self.grpc_url = f"127.0.0.1:{self._grpc.add_insecure_port('127.0.0.1:0')}"
        self._grpc.start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()
        self._grpc.stop(None)
        for _, served in self._served.values():
            served.close()

    def find(self, name: str, version: int | None) -> tuple[int, ServedModel]:
        """The served version of a model."""
        wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        if name not in self._served or version not in (None, self._served[name][0]):
            raise Refusal(grpc.StatusCode.NOT_FOUND, 404, f"Servable not found for request: {wanted}")
        return self._served[name]

    def predict(self, served: ServedModel, signature: str, inputs: dict, outputs: list[str]) -> dict[str, np.ndarray]:
        """Runs one request, or gathers it into a batch with others."""
        signature = signature or "serving_default"
        if signature not in served.signatures:
            raise invalid(f'Serving signature key "{signature}" not found.')
        if self.merge == 1 or signature == "spec":
            return self._run(served, signature, inputs, outputs)
        task = {"inputs": inputs}
        with self._lock:
            self._waiting.append(task)
            if len(self._waiting) == self.merge:
                batch, self._waiting = self._waiting, []
                self._run_batch(served, signature, batch, outputs)
                self._lock.notify_all()
            assert self._lock.wait_for(lambda: "outputs" in task, timeout=60), "no other request came to merge with"
        return task["outputs"]

    def _run_batch(self, served, signature, batch, outputs):
        sizes = [len(next(iter(task["inputs"].values()))) for task in batch]
        merged = self._run(served, signature, {name: _merge([task["inputs"][name] for task in batch])
                                               for name in batch[0]["inputs"]}, outputs)
        for task, last in zip(batch, np.cumsum(sizes)):
            size = len(next(iter(task["inputs"].values())))
            task["outputs"] = {name: value[last - size:last] for name, value in merged.items()}

    def _run(self, served, signature, inputs, outputs):
        try:
            return served.run(signature, inputs, outputs)
        except (ValueError, tf.errors.InvalidArgumentError) as error:
            raise invalid(str(error).removeprefix("Graph execution error:\n\n")) from None


def _merge(arrays):
    """One batch; as in TensorFlow Serving, each is padded with its own first element, not with zeros."""
    longest = np.max([array.shape[1:] for array in arrays], axis=0)
    padded = [np.pad(array, [(0, 0), *((0, most - own) for most, own in zip(longest, array.shape[1:]))],
                     constant_values=array.flat[0]) if array.ndim > 1 else array for array in arrays]
    return np.concatenate(padded)


class _Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, stand_in):
        self.stand_in = stand_in

    def Predict(self, request, context):
        spec = request.model_spec
        self.stand_in.requests.append(("grpc", spec.signature_name))
        version = spec.version.value if spec.HasField("version") else None
        try:
            version, served = self.stand_in.find(spec.name, version)
            outputs = self.stand_in.predict(served, spec.signature_name,
                                            {name: tf.make_ndarray(value) for name, value in request.inputs.items()},
                                            list(request.output_filter))
        except Refusal as refusal:
            context.abort(refusal.code, refusal.message)
        response = predict_pb2.PredictResponse()
        response.model_spec.name = spec.name
        response.model_spec.version.value = version
        response.model_spec.signature_name = spec.signature_name or "serving_default"
        for name, value in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return response

    def GetModelMetadata(self, request, context):
        spec = request.model_spec
        try:
            version, served = self.stand_in.find(spec.name, spec.version.value if spec.HasField("version") else None)
        except Refusal as refusal:
            context.abort(refusal.code, refusal.message)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = spec.name
        response.model_spec.version.value = version
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in served.signatures.items():
            signatures.signature_def[name].CopyFrom(signature)
        response.metadata["signature_def"].Pack(signatures)
        return response


class _Models(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, stand_in):
        self.stand_in = stand_in

    def GetModelStatus(self, request, context):
        try:
            version, _ = self.stand_in.find(request.model_spec.name, None)
        except Refusal as refusal:
            context.abort(refusal.code, f"Could not find any versions of model {request.model_spec.name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        response.model_version_status.add(version=version, state=AVAILABLE)
        return response


class _RestHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stand_in: StandIn

    def do_GET(self):
        match = re.fullmatch(r"/v1/models/([^/:]+)(?:/versions/(\d+))?(/metadata)?", self.path)
        self._answer(lambda: self._get(*match.groups()) if match else self._malformed())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        match = re.fullmatch(r"/v1/models/([^/:]+)(?:/versions/(\d+))?:predict", self.path)
        self._answer(lambda: self._predict(*match.groups(), body) if match else self._malformed())

    def log_message(self, *_):
        pass

    def _malformed(self):
        raise invalid(f"Malformed request: {self.command} {self.path}")

    def _answer(self, work):
        try:
            status, answer = 200, work()
        except Refusal as refusal:
            status, answer = refusal.status, {"error": refusal.message}
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _get(self, name, version, metadata):
        version, served = self.stand_in.find(name, int(version) if version else None)
        if not metadata:
            return {"model_version_status": [{"version": str(version), "state": "AVAILABLE",
                                              "status": {"error_code": "OK", "error_message": ""}}]}
        signatures = {key: json_format.MessageToDict(value, preserving_proto_field_name=True)
                      for key, value in served.signatures.items()}
        return {"model_spec": {"name": name, "signature_name": "", "version": str(version)},
                "metadata": {"signature_def": {"signature_def": signatures}}}

    def _predict(self, name, version, body):
        version, served = self.stand_in.find(name, int(version) if version else None)
        try:
            document = json.loads(body)
        except ValueError as error:
            raise invalid(f"JSON Parse error: {error}") from None
        if not isinstance(document, dict):
            raise invalid("JSON Value: Is not object")
        signature = document.get("signature_name", "")
        self.stand_in.requests.append(("rest", signature))
        definition = served.signatures.get(signature or "serving_default")
        if definition is None:
            raise invalid(f'Serving signature name: "{signature}" not found in signature def')
        dtypes = {key: tf.dtypes.as_dtype(info.dtype) for key, info in definition.inputs.items()}
        if "instances" in document:
            inputs = _from_rows(document["instances"], dtypes)
        elif "inputs" in document:
            inputs = _from_columns(document["inputs"], dtypes)
        else:
            raise invalid("Missing 'inputs' or 'instances' key")
        outputs = self.stand_in.predict(served, signature, inputs, [])
        columns = {key: _to_json(key, value) for key, value in outputs.items()}
        only = next(iter(columns)) if len(columns) == 1 else None
        if "inputs" in document:
            return {"outputs": columns[only] if only else columns}
        rows = len(next(iter(columns.values())))
        return {"predictions": [columns[only][row] if only else {key: value[row] for key, value in columns.items()}
                                for row in range(rows)]}


def _is_base64(value):
    return isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str)


def _from_rows(instances, dtypes):
    """Row format: a list of objects with one key an input, or of plain values where there is one input."""
    if not isinstance(instances, list) or not instances:
        raise invalid("No values in 'instances' array")
    if not isinstance(instances[0], dict) or _is_base64(instances[0]):
        if len(dtypes) > 1:
            raise invalid("instances is a plain list, but expecting list of objects as multiple input tensors required "
                          "as per tensorinfo_map")
        instances = [{next(iter(dtypes)): item} for item in instances]
    for number, item in enumerate(instances):
        if set(item) != set(dtypes):
            raise invalid(f"Failed to process element: {number} of 'instances' list. JSON object keys must be equal "
                          f"to: {','.join(sorted(dtypes))}")
    return {name: _to_array([item[name] for item in instances], dtype) for name, dtype in dtypes.items()}


def _from_columns(inputs, dtypes):
    """Column format: an object of name -> tensor, or the tensor where there is one input."""
    if not isinstance(inputs, dict) or _is_base64(inputs):
        if len(dtypes) > 1:
            raise invalid("inputs is a plain value/list, but expecting an object as multiple input tensors required as "
                          "per tensorinfo_map")
        inputs = {next(iter(dtypes)): inputs}
    for name in dtypes:
        if name not in inputs:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
    return {name: _to_array(inputs[name], dtype) for name, dtype in dtypes.items()}


def _to_array(value, dtype):
    def convert(item):
        if isinstance(item, list):
            return [convert(part) for part in item]
        if dtype == tf.string:
            if _is_base64(item):
                return base64.b64decode(item["b64"], validate=True)
            if isinstance(item, str):
                return item.encode()
        elif isinstance(item, int) and not isinstance(item, bool) or dtype == tf.float32 and isinstance(item, float):
            if abs(item) != np.inf and abs(item) > np.finfo(np.float32).max:
                raise invalid(f"Cannot convert JSON value: {item} to float without loss of precision.")
            return item
        raise invalid(f"JSON Value: {json.dumps(item)} is not of expected type: {dtype.name}")

    try:
        return np.array(convert(value), object if dtype == tf.string else dtype.as_numpy_dtype)
    except ValueError:
        raise invalid("Encountered list at unexpected size: rows of a tensor must have equal lengths") from None


def _to_json(name, array):
    """Nested lists; a text output whose name ends with `_bytes` becomes base64, any other must be UTF-8."""
    if array.dtype != object:
        return array.tolist()
    if name.endswith("_bytes"):
        return [{"b64": base64.b64encode(item).decode()} for item in array.tolist()]
    return [item.decode() for item in array.tolist()]
