"""A model for a microcontroller: an int8 network for TensorFlow Lite Micro, and its front end in C, in integers."""

from speechzoo.exporters.micro.micro_export import MicroExport, export_micro

__all__ = ["MicroExport", "export_micro"]
