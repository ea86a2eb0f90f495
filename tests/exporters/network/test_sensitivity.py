"""The layers that int8 costs most stay in float32, and no others."""

import numpy as np
import pytest

from speechzoo.exporters.errors import ExportError
from speechzoo.exporters.network import sensitivity
from speechzoo.exporters.network.quantization import float_operators
from speechzoo.exporters.network.sensitivity import LIMIT, choose_float, layers_of, sensitivity_table
from speechzoo.exporters.tflite import export_tflite
from tests.exporters.tiny_tflite import tiny_tflite
from tests.tiny_models import tiny_model

SPEC = {"heads": {"keyword": {"type": "classifier", "classes": ["yes", "no"]}}}
LAYERS = {"backbone/block_1": ["a", "b"], "backbone/block_2": ["c"], "keyword": ["d", "e"]}
COSTS = {"a": 0.1, "c": 1.0, "d": 3.0}  # what an operator in int8 takes from the logit of "yes"


@pytest.fixture
def fake(monkeypatch):
    """Networks that are the operators kept in float32."""
    def outputs(network, recordings):
        lost = sum(cost for name, cost in COSTS.items() if name.encode() not in network.split())
        return [{"keyword": np.array([logit - lost, 0.0])} for logit in (0.5, 2.0, 3.5)]

    monkeypatch.setattr(sensitivity, "_outputs", outputs)
    monkeypatch.setattr(sensitivity, "layers_of", lambda network, kept_float: LAYERS)
    return lambda names: " ".join(names).encode()


def test_the_worst_layers_stay_in_float32(fake):
    network, rows = choose_float(fake, b"a c d", ["frontend"], [], SPEC)
    assert network == b"frontend d e c"
    assert [row["layer"] for row in rows] == ["keyword", "backbone/block_2", "backbone/block_1"]
    assert [row["float"] for row in rows] == [True, True, False]
    probability = [1 / (1 + np.exp(-logit)) for logit in (0.5, 2.0, 3.5)]
    assert rows[0]["value"] == pytest.approx(sum(2 * p - 1 for p in probability[:2]) / 3)  # 3.5 is still "yes"
    assert rows[1]["value"] == pytest.approx((2 * probability[0] - 1) / 3) and rows[2]["value"] == 0
    lines = sensitivity_table(rows).splitlines()
    assert len(lines) == 4 and lines[1].endswith("stays in float32") and not lines[3].endswith("stays in float32")


def test_nothing_stays_where_nothing_is_lost(fake, monkeypatch):
    monkeypatch.setattr(sensitivity, "LIMIT", 1.0)
    assert choose_float(fake, b"a c d", ["frontend"], [], SPEC) == (b"frontend", [])


def test_a_head_that_loses_by_every_layer_is_refused(fake, monkeypatch):
    monkeypatch.setitem(COSTS, "a", 1.0)
    with pytest.raises(ExportError, match=f"more than {LIMIT:g} with any layer in int8"):
        choose_float(fake, b"a c d", [], [], SPEC)


def test_every_operator_has_its_layer(tmp_path_factory):
    network = tiny_tflite(tmp_path_factory).path.read_bytes()
    kept_float = float_operators(network)
    layers = layers_of(network, kept_float)
    assert set(layers) == {"backbone/subsampling", "backbone/block_1", *tiny_model().heads}
    names = [name for names in layers.values() for name in names]
    assert len(names) == len(set(names)) and not set(names) & set(kept_float)


def test_float_layers_are_for_int8(tmp_path):
    with pytest.raises(ValueError, match="only 'auto' with 'int8'"):
        export_tflite(tiny_model(), tmp_path, "dynamic", keep_float="auto")
