"""Reads the warm-up requests of a SavedModel, as TensorFlow Serving does."""

from pathlib import Path

import tensorflow as tf

from speechzoo.exporters.served.warmup import WARMUP_FILE


def read_warmup(folder: str | Path) -> list:
    """The PredictRequest messages; none when there is no such file."""
    from tensorflow_serving.apis import prediction_log_pb2

    path = Path(folder) / WARMUP_FILE
    if not path.exists():
        return []
    return [prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
            for record in tf.data.TFRecordDataset(str(path))]
