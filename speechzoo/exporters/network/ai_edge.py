"""Google's ai-edge-quantizer as a second way to integers; the same layers stay in float32."""

import re
from collections.abc import Iterable

from speechzoo.exporters.errors import ExportError
from speechzoo.exporters.network.flatbuffer import parse, serialize
from speechzoo.exporters.network.quantization import float_operators, frontend_operators


def quantize_ai_edge(network: bytes, mode: str, calls: Iterable[tuple[str, dict]] = (),
                     kept_float: list[str] | None = None) -> bytes:
    """Makes a float32 network's weights, or weights and activations, integers.

    Args:
        network: TFLite flatbuffer.
        mode: `dynamic`, `int8` or `int16x8`.
        calls: (signature, its inputs by name) to calibrate `int8` and `int16x8` with.
        kept_float: Names of the operators' outputs that stay in float32. Default: those of `float_operators`, and with
            `dynamic` those of the front end.

    Raises:
        ExportError: The package isn't installed, or the network has loops over time, which can't be calibrated.
    """
    try:
        from ai_edge_quantizer.algorithm_manager import AlgorithmName
        from ai_edge_quantizer.calibrator import Calibrator
        from ai_edge_quantizer.qtyping import TFLOperationName as Operation
        from ai_edge_quantizer.quantizer import Quantizer
        from ai_edge_quantizer.recipe_manager import RecipeManager
        from ai_edge_quantizer.utils.qsv_utils import min_max_update
    except ImportError:
        raise ExportError("quantizer='ai-edge' needs the package ai-edge-quantizer; "
                          "pip install 'speechzoo[quantization]'") from None
    rules = RecipeManager()
    if mode == "dynamic":
        kept_float = _frontend_names(network) if kept_float is None else kept_float
        for operation in (Operation.CONV_2D, Operation.DEPTHWISE_CONV_2D, Operation.FULLY_CONNECTED):
            rules.add_dynamic_config(".*", operation, num_bits=8)
    else:
        kept_float = float_operators(network) if kept_float is None else kept_float
        rules.add_static_config(".*", Operation.ALL_SUPPORTED, activation_num_bits=16 if mode == "int16x8" else 8,
                                weight_num_bits=8)
    # Files take and give floats. A later rule goes before an earlier one.
    names = "|".join(re.escape(name) for name in kept_float)
    for pattern, operation in ((".*", Operation.INPUT), (".*", Operation.OUTPUT),
                               (rf"^(?:{names});?$", Operation.ALL_SUPPORTED)):
        rules.add_quantization_config(pattern, operation, algorithm_key=AlgorithmName.NO_QUANTIZE)
    ranges = None
    if mode != "dynamic":
        examples = {}
        for signature, inputs in calls:
            examples.setdefault(signature, []).append(inputs)
        # The package's usual moving average of ranges cuts the loudest recordings off.
        calibrator = Calibrator(bytearray(network), qsv_update_func=min_max_update)
        calibrator.calibrate(examples, rules)
        ranges = calibrator.get_model_qsvs()
    quantizer = Quantizer(bytearray(network))
    quantizer.load_quantization_recipe(rules.get_quantization_recipe())
    # Written anew: large weights come back behind the flatbuffer, where labels and settings are to stand.
    return serialize(parse(bytes(quantizer.quantize(ranges).quantized_model)))


def _frontend_names(network):
    model = parse(network)
    return [graph.tensors[output].name.decode() for graph, operators in zip(model.subgraphs, frontend_operators(model))
            for index in operators for output in graph.operators[index].outputs]
