"""Quantizers: what makes a network of a SavedModel, in the numbers that it is to compute with.

A quantizer is a function of this module, or another that can be imported: the converter's process finds it by its name.
It takes a `Source` and returns the network and what `choose_float` says of its layers, which is nothing where no layer
was chosen. The functions import what they need: the command line reads the tables whenever it starts.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speechzoo.exporters.network.source import Source

Quantizer = Callable[["Source"], tuple[bytes, list[dict]]]


def float32(source: "Source") -> tuple[bytes, list[dict]]:
    """As the model was trained."""
    return source.network(), []


def float16(source: "Source") -> tuple[bytes, list[dict]]:
    """Weights in float16."""
    from speechzoo.exporters.network.quantization import quantize_weights

    return quantize_weights(source.network(), "float16"), []


def dynamic(source: "Source") -> tuple[bytes, list[dict]]:
    """Weights in int8, activations quantized as they come."""
    from speechzoo.exporters.network.quantization import quantize_weights

    return quantize_weights(source.network(), "dynamic"), []


def int8(source: "Source") -> tuple[bytes, list[dict]]:
    """Weights and activations in int8, by TensorFlow's converter."""
    import tensorflow as tf

    # The plain converter quantizes everything it can; the debugger's options are the public way to leave operators out.
    options = tf.lite.experimental.QuantizationDebugOptions
    network = source.network()
    kept_float = _float_operators(network)
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=source.calibrated_converter(source.calls()),
        debug_dataset=lambda: ([audio] for audio in source.examples),
        debug_options=options(denylisted_nodes=kept_float))

    def quantize(names):
        if names != kept_float:
            debugger.options = options(denylisted_nodes=names)
        return debugger.get_nondebug_quantized_model()

    return _in_int8(source, network, kept_float, quantize)


def int16x8(source: "Source") -> tuple[bytes, list[dict]]:
    """Weights in int8, activations in int16, where products are no part of a loop over time; there, weights alone."""
    from speechzoo.exporters.network.int16 import quantize_int16
    from speechzoo.exporters.network.quantization import quantize_weights

    return quantize_weights(quantize_int16(source.network(), source.calls()), "dynamic"), []


def ai_edge_dynamic(source: "Source") -> tuple[bytes, list[dict]]:
    """`dynamic` by ai-edge-quantizer."""
    return _ai_edge(source, "dynamic")


def ai_edge_int8(source: "Source") -> tuple[bytes, list[dict]]:
    """`int8` by ai-edge-quantizer."""
    from speechzoo.exporters.network.ai_edge import quantize_ai_edge

    network, calls = source.network(), source.calls()
    return _in_int8(source, network, _float_operators(network),
                    lambda kept_float: quantize_ai_edge(network, "int8", calls, kept_float))


def ai_edge_int16x8(source: "Source") -> tuple[bytes, list[dict]]:
    """`int16x8` by ai-edge-quantizer."""
    return _ai_edge(source, "int16x8")


QUANTIZERS: dict[str, dict[str, Quantizer]] = {
    "tensorflow": {"none": float32, "float16": float16, "dynamic": dynamic, "int8": int8, "int16x8": int16x8},
    "ai-edge": {"dynamic": ai_edge_dynamic, "int8": ai_edge_int8, "int16x8": ai_edge_int16x8},
}
"""What makes integers of floats -> quantization -> quantizer."""
QUANTIZATIONS = tuple(QUANTIZERS["tensorflow"])


def find_quantizer(quantize: str, quantizer: str) -> Quantizer:
    """The entry of `QUANTIZERS`.

    Raises:
        ValueError: There is none; the message names the nearest.
    """
    from speechzoo.config import nearest

    if quantize not in QUANTIZATIONS:
        raise ValueError(f"unknown quantization '{quantize}'; {nearest(quantize, QUANTIZATIONS)}")
    if quantizer not in QUANTIZERS:
        raise ValueError(f"unknown quantizer '{quantizer}'; {nearest(quantizer, QUANTIZERS)}")
    if quantize not in QUANTIZERS[quantizer]:
        *others, last = (f"'{name}'" for name in QUANTIZERS[quantizer])
        raise ValueError(f"quantizer '{quantizer}' makes integers, quantize '{quantize}' has none; choose "
                         f"{', '.join(others)} or {last}")
    return QUANTIZERS[quantizer][quantize]


def _float_operators(network):
    from speechzoo.exporters.network.quantization import float_operators

    return float_operators(network)


def _in_int8(source, network, kept_float, quantize) -> tuple[bytes, list[dict]]:
    """The int8 network; with the source's `sensitivity_spec`, layers that would cost answers stay in float32."""
    from speechzoo.exporters.network.quantization import quantize_weights
    from speechzoo.exporters.network.sensitivity import choose_float

    if source.sensitivity_spec is None:
        quantized, sensitivity = quantize(kept_float), []
    else:
        quantized, sensitivity = choose_float(quantize, network, kept_float, source.examples, source.sensitivity_spec)
    return quantize_weights(quantized, "float16"), sensitivity


def _ai_edge(source, mode) -> tuple[bytes, list[dict]]:
    from speechzoo.exporters.network.ai_edge import quantize_ai_edge
    from speechzoo.exporters.network.quantization import quantize_weights

    calls = [] if mode == "dynamic" else source.calls()
    return quantize_weights(quantize_ai_edge(source.network(), mode, calls), "float16"), []
