"""From the numbers of the heads to answers; NumPy only, so that a device needs no TensorFlow."""
