"""A model for a microcontroller: an int8 network for TensorFlow Lite Micro, and its front end in C, in integers."""

from speechzoo.exporters.micro.micro_export import MicroExport, export_micro
from speechzoo.exporters.micro.micro_model import MicroModel

__all__ = ["MicroExport", "MicroModel", "export_micro"]
