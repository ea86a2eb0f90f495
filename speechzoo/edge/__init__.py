"""Exported models on the device: NumPy, soundfile, soxr and LiteRT; no TensorFlow."""
