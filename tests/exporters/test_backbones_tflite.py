"""Every backbone exports: all of them in one network, because a conversion costs many seconds."""

import functools

import keras
import numpy as np
import pytest

from speechzoo.backbones import BACKBONES
from speechzoo.edge.artifact import read_artifact, write_artifact
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.exporters.errors import ExportError
from speechzoo.exporters.network.int16 import quantize_int16
from speechzoo.exporters.network.macs import count_tflite_macs
from speechzoo.exporters.network.quantization import float_operators, quantize_weights
from speechzoo.exporters.parity import check_parity, measure_parity
from speechzoo.exporters.tflite import export_tflite
from speechzoo.frontends import FRONTENDS
from speechzoo.heads import ClassifierHead, SVMHead
from speechzoo.multitask.macs import count_macs
from speechzoo.multitask.model import MultiTaskModel
from tests.exporters.side_by_side import SideBySide
from tests.helpers import tone
from tests.model_checks import check_export

SOUNDS = [tone(0.7, 300, seed=1), tone(1.1, 900, seed=2)]
# Not the tiniest: int8 keeps the answers of a few channels more, and the weights of loops are quantized from 20 units.
OPTIONS = {
    "bc_resnet": {"width": 4, "stage_blocks": [1, 1, 1, 1], "bands": 2},
    "tc_resnet": {"channels": [8, 12]},
    "cnn": {"channels": 4, "num_blocks": 2, "subsampling": 2},
    "ecapa_tdnn": {"size": 8, "num_blocks": 1, "scale": 2, "squeeze_size": 4, "aggregation_size": 12,
                   "stride_frames": 2},
    "ge2e_lstm": {"size": 20, "num_blocks": 2, "window_frames": 20, "step_frames": 10, "minimum_frames": 1},
    "grouped_gru": {"size": 40, "num_blocks": 1, "groups": 2, "channels": 4},
    "lstm": {"size": 20},
    "crdnn": {"channels": [4], "lstm_size": 20, "num_blocks": 1, "dense_size": 8, "dense_layers": 1, "subsampling": 2},
    "moonshine": {"size": 16, "num_blocks": 1, "num_heads": 2, "rotary_size": 6},
    "wav2vec2": {"size": 16, "num_blocks": 1, "num_heads": 2, "normalization": "layer", "norm_first": True,
                 "convolution_size": 20, "kernel_sizes": [3, 2], "strides": [2, 2], "position_kernel_size": 8,
                 "position_groups": 2},
    "whisper": {"size": 16, "num_blocks": 1, "num_heads": 2},
}
RECURRENT = ("ge2e_lstm", "grouped_gru", "lstm", "crdnn")  # whose loop over time the converter can't calibrate
ELSEWHERE = ("conformer", "ds_cnn", "espnet_conformer")  # test_tflite.py, the models of the zoo, tests/published


@functools.cache
def several(names):
    """A model with a head for each backbone, which has something to say; one of them is a support vector machine."""
    keras.utils.set_random_seed(1)
    heads = {name: (SVMHead(["a", "b"], fourier_features=8, name=name) if name == "cnn"
                    else ClassifierHead(["a", "b", "c"], name=name)) for name in names}
    frontend = FRONTENDS["log_mel"](num_mel_bins=16, name="frontend")
    backbones = SideBySide({name: OPTIONS[name] for name in names}, name="backbone")
    blocks = {name: number for number, name in enumerate(names, 1)}
    model = MultiTaskModel(frontend, backbones, heads, blocks, name="several")
    random = np.random.default_rng(1)
    for head in heads.values():
        for variable in head.trainable_variables:
            variable.assign(variable + 0.5 * random.standard_normal(variable.shape))
    return model


@pytest.fixture(scope="module")
def float32(tmp_path_factory):
    return export_tflite(several(tuple(OPTIONS)), tmp_path_factory.mktemp("several"), "none", SOUNDS).path


def test_every_backbone_is_here():
    assert {*OPTIONS, *ELSEWHERE} == set(BACKBONES)


def test_float32_gives_what_keras_gives_in_builtin_operators(float32):
    check_export(float32, several(tuple(OPTIONS)), (0.06, 0.53))


def test_int8_weights_keep_the_answers_of_all(float32, tmp_path):
    write_artifact(tmp_path / "m.tflite", quantize_weights(float32.read_bytes(), "dynamic"), read_artifact(float32))
    model, device = several(tuple(OPTIONS)), EdgeModel(tmp_path / "m.tflite")
    expected, got = ([each.batch_outputs([audio])[0] for audio in SOUNDS] for each in (model, device))
    rows = measure_parity(expected, got, model.spec, "dynamic")
    check_parity(rows, "dynamic")
    exact = [expected[0][name] - got[0][name] for name in RECURRENT]
    assert min(np.abs(difference).max() for difference in exact) > 1e-6  # the loops' weights are quantized too


def test_int16_activations_keep_the_answers_of_all(float32, tmp_path):
    network = quantize_int16(float32.read_bytes(), [("recognize", {"audio": audio[None]}) for audio in SOUNDS])
    write_artifact(tmp_path / "m.tflite", quantize_weights(network, "dynamic"), read_artifact(float32))
    model, device = several(tuple(OPTIONS)), EdgeModel(tmp_path / "m.tflite")
    expected, got = ([each.batch_outputs([audio])[0] for audio in SOUNDS] for each in (model, device))
    check_parity(measure_parity(expected, got, model.spec, "int16x8"), "int16x8")
    assert min(np.abs(expected[0][name] - got[0][name]).max() for name in OPTIONS) > 1e-6  # loops are quantized too


def test_int8_activations_are_refused_where_there_is_a_loop_over_time(float32):
    with pytest.raises(ExportError, match="recurrent layers can't become int8.*use quantize='dynamic'"):
        float_operators(float32.read_bytes())


def test_int8_of_the_others(tmp_path):
    names = tuple(name for name in OPTIONS if name not in RECURRENT)
    written = export_tflite(several(names), tmp_path, "int8", SOUNDS)
    assert [row.head for row in written.parity] == list(names) and all(row.passed for row in written.parity)


def test_the_products_inside_loops_are_counted(float32):
    total = count_macs(several(tuple(OPTIONS)), 1.0)
    without = tuple(name for name in OPTIONS if name not in RECURRENT)
    assert count_tflite_macs(float32, 1.0) == pytest.approx(total, rel=0.02)
    # 50 frames of the LSTM, three directions of 20 units in all: 20 x 80 products a frame each, beside the layers'.
    assert total - count_macs(several(without), 1.0) > 50 * 3 * 20 * 80
