"""Requests that TensorFlow Serving runs on a model before it serves it, so that the first caller doesn't wait.

TensorFlow Serving reads them from `assets.extra/tf_serving_warmup_requests` next to `saved_model.pb`: a TFRecord of
PredictionLog messages. https://www.tensorflow.org/tfx/serving/saved_model_warmup
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"


def write_warmup(folder: str | Path, model_name: str, requests: list[tuple[str, dict[str, np.ndarray], list[str]]]):
    """Writes the warm-up requests of a SavedModel.

    Args:
        folder: The SavedModel.
        model_name: Name it will be served under.
        requests: (signature, inputs, outputs asked for; all when empty) each. TensorFlow prepares each set of inputs
            and outputs once, so one request for each set that callers use is enough.

    Raises:
        ImportError: tensorflow-serving-api, which has the message types, isn't installed.
    """
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    path = Path(folder) / WARMUP_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs, outputs in requests:
            request = predict_pb2.PredictRequest(output_filter=outputs)
            request.model_spec.name = model_name
            request.model_spec.signature_name = signature
            for name, value in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString())
