"""The network of a `.tflite` file: converted, quantised, looked into."""
