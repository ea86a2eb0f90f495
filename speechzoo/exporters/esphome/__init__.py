"""A wake word for ESPHome's `micro_wake_word`: one int8 network that remembers by itself, and its manifest."""

from speechzoo.exporters.esphome.esphome_export import EsphomeExport, export_esphome
from speechzoo.exporters.esphome.esphome_model import EsphomeModel

__all__ = ["EsphomeExport", "EsphomeModel", "export_esphome"]
