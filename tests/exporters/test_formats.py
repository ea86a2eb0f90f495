"""The table of formats, the options of its exporters and the flags of the command line agree."""

import argparse
import inspect
from dataclasses import fields

import pytest

from speechzoo.cli import export as command
from speechzoo.exporters import FORMATS, export, options_of
from speechzoo.exporters.micro import MicroExport
from speechzoo.exporters.network.quantizers import QUANTIZATIONS, QUANTIZERS, find_quantizer

PYTHON_ONLY = {"card", "name", "version"}  # the first belongs to the model, the others to a server's folder


def flags():
    """Argument of `export` -> its flag."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return {action.dest: action for action in parser._actions if action.dest != "help"}


def test_every_option_of_a_format_has_its_flag():
    options = {name for format in FORMATS for name in options_of(format)}
    assert set(flags()) == {"model", "directory", "format"} | options - PYTHON_ONLY
    assert set(inspect.signature(export).parameters) == set(flags()) | {"card"}
    assert list(flags()["format"].choices) == list(FORMATS) == list(command.SHOW)


def test_what_help_says_of_defaults_is_what_the_exporters_have():
    assert all(flag.default is None for name, flag in flags().items() if name != "format")
    defaults = {"quantize": ("tflite", "none"), "quantizer": ("tflite", "tensorflow"), "window_seconds": ("micro", 1.0)}
    for name, (format, default) in defaults.items():
        assert options_of(format)[name] == default and flags()[name].help.endswith(f"({default})")
    assert inspect.signature(export).parameters["format"].default == flags()["format"].default


def test_an_option_of_another_format_is_refused_unless_it_changes_nothing(tmp_path):
    for options, message in (({"quantize": "int8"}, "option 'quantize' is for format 'tflite', not for 'saved_model'"),
                             ({"window_seconds": 2.0}, "option 'window_seconds' is for format 'micro'"),
                             ({"keep_float": "auto"}, "option 'keep_float' is for format 'tflite'"),
                             ({"signatures": []}, "option 'signatures' is for format 'tflite'"),
                             ({"wake_word": "computer"}, "option 'wake_word' is for format 'esphome'")):
        with pytest.raises(ValueError, match=message):
            export(object(), tmp_path, "saved_model", **options)
    with pytest.raises(ValueError, match="option 'card' is for format 'saved_model' and 'tflite', not for 'micro'"):
        export(object(), tmp_path, "micro", card="# tiny")
    with pytest.raises(ValueError, match="an exported file already"):  # so nothing was wrong with the options
        export(object(), tmp_path, "saved_model", "none", quantizer="tensorflow", window_seconds=1.0, heads=["keyword"])


def test_every_exporter_says_where_its_export_is():
    for format in FORMATS:
        written = inspect.signature(FORMATS[format]()).return_annotation
        assert "path" in [field.name for field in fields(written)], format
    assert [field.name for field in fields(MicroExport)][:2] == ["path", "parity"]


def test_quantizers_are_a_table():
    flag = flags()
    assert list(flag["quantizer"].choices) == list(QUANTIZERS) and tuple(flag["quantize"].choices) == QUANTIZATIONS
    entries = {(quantize, quantizer) for quantizer, table in QUANTIZERS.items() for quantize in table}
    for quantize in QUANTIZATIONS:
        for quantizer in QUANTIZERS:
            if (quantize, quantizer) in entries:
                function = find_quantizer(quantize, quantizer)
                assert getattr(inspect.getmodule(function), function.__name__) is function  # a child process finds it
            else:
                with pytest.raises(ValueError, match=f"'{quantize}' has none; choose 'dynamic', 'int8' or 'int16x8'"):
                    find_quantizer(quantize, quantizer)
    assert len({find_quantizer(*entry) for entry in entries}) == len(entries) == 8
