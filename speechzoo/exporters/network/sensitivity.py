"""Which layers lose answers when they become int8, and which of them have to stay in float32."""

import re
from collections.abc import Callable

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from speechzoo.edge.signatures import RECOGNIZE
from speechzoo.exporters.errors import ExportError
from speechzoo.exporters.network.flatbuffer import parse, signature_graphs
from speechzoo.exporters.parity import measure_parity

# What a head may lose, in the measure of `measure_parity`: half a point.
LIMIT = 0.005


def layers_of(network: bytes, kept_float: list[str]) -> dict[str, list[str]]:
    """Layers that int8 changes -> names of their operators: `backbone/block_3` and the like, and the heads.

    Args:
        network: The float32 network.
        kept_float: Operators that stay in float32 anyway (`float_operators`).
    """
    model, kept_float, layers = parse(network), set(kept_float), {}
    for number in signature_graphs(model).values():
        graph = model.subgraphs[number]
        layer_of = {}
        for operator in graph.operators:
            name = graph.tensors[operator.outputs[0]].name.decode()
            # What gives an output has the output's name: it belongs to the layer that it reads.
            layer = _layer(name) or next((layer_of[tensor] for tensor in operator.inputs if tensor in layer_of), "")
            layer_of.update(dict.fromkeys(operator.outputs, layer))
            if name not in kept_float:
                layers.setdefault(layer, []).append(name)
    return layers


def choose_float(quantize: Callable[[list[str]], bytes], network: bytes, kept_float: list[str],
                 recordings: list[np.ndarray], spec: dict) -> tuple[bytes, list[dict]]:
    """Keeps as many layers in float32 as it takes for no head to lose more than `LIMIT`.

    Each layer is measured as the only one in int8. The layer that costs most stays first.

    Args:
        quantize: Names of operators that stay in float32 -> int8 network.
        network: The float32 network.
        kept_float: Operators that stay in float32 anyway.
        recordings: float32 (1, samples) each.
        spec: The model's spec.

    Returns:
        The network, and one row per layer, the most sensitive first: `layer`, `head` that loses most by it, `value` in
        the measure of that head, `float`: whether it stays. No rows when everything can be int8.

    Raises:
        ExportError: Some head loses more however much stays in float32.
    """
    expected = _outputs(network, recordings)

    def loss(candidate):
        rows = measure_parity(expected, _outputs(candidate, recordings), spec, "int8")
        worst = max(rows, key=lambda row: row.value)
        return worst.value, worst.head

    result = quantize(kept_float)
    if loss(result)[0] <= LIMIT:
        return result, []
    layers = layers_of(network, kept_float)
    everything = [name for names in layers.values() for name in names]
    rows = []
    for layer, names in layers.items():
        value, head = loss(quantize(kept_float + [name for name in everything if name not in names]))
        rows.append({"layer": layer, "head": head, "value": value, "float": False})
    rows.sort(key=lambda row: row["value"], reverse=True)
    for row in rows[:-1]:
        row["float"], kept_float = True, kept_float + layers[row["layer"]]
        result = quantize(kept_float)
        if loss(result)[0] <= LIMIT:
            return result, rows
    raise ExportError(f"a head loses more than {LIMIT:g} with any layer in int8; use quantize='int16x8' or 'dynamic'")


def sensitivity_table(rows: list[dict]) -> str:
    """The rows of `choose_float` as aligned text, a header first."""
    width = max(len(row["layer"]) for row in rows)
    return "\n".join([f"{'layer':<{width}}  {'alone in int8':>13}  head"]
                     + [f"{row['layer']:<{width}}  {row['value']:13.2g}  {row['head']}"
                        + ("  stays in float32" if row["float"] else "") for row in rows])


def _layer(name: str) -> str:
    """`backbone_1/block_3_1/attention_1/...` -> `backbone/block_3`, `keyword_1/pooling_1/...` -> `keyword`."""
    # Keras numbers the second call of a layer; a fused operator joins the names of its parts with semicolons.
    *parts, last = name.split(";")[0].split("/")
    parts = [re.sub(r"_\d+$", "", part) for part in parts]
    if not parts:
        return ""
    return "/".join([*parts, last][:2]) if parts[0].startswith("backbone") else parts[0]


def _outputs(network, recordings):
    run = Interpreter(model_content=network).get_signature_runner(RECOGNIZE)
    return [{name: output[0] for name, output in run(audio=audio).items()} for audio in recordings]
