import keras
import numpy as np
import pytest
import tensorflow as tf

from speechzoo.config import ConfigError, load_config
from speechzoo.layers.quantizable import InputRange
from speechzoo.multitask.resting import layers_of
from speechzoo.training.precision import use_precision
from speechzoo.training.prepare import prepare_run
from speechzoo.training.trainer import train
from speechzoo.weights import read_arrays
from tests.training.tiny_corpus import make_corpus

OPTION = "auto_mixed_precision_onednn_bfloat16"


@pytest.fixture(autouse=True)
def float32_afterwards():
    yield
    use_precision("float32")


def test_a_run_says_how_its_process_multiplies(tmp_path):
    config = make_corpus(tmp_path)
    for precision in ("bfloat16", "float32"):
        result = train(config, tmp_path / precision, overrides=["training.epochs=1", f"training.precision={precision}"])
        assert tf.config.optimizer.get_experimental_options()[OPTION] == (precision == "bfloat16")
        assert all(np.isfinite(value) for value in result.metrics.values())
        assert {array.dtype for array in read_arrays(result.output / "final.weights.h5").values()} == {np.dtype("float32")}


@pytest.mark.parametrize("aware", [True, False])
def test_a_run_is_aware_of_its_quantization_where_the_config_says_so(aware, tmp_path):
    run = prepare_run(load_config(make_corpus(tmp_path), [f"training.quantization_aware={str(aware).lower()}"]))
    assert any(isinstance(layer, InputRange) for layer in layers_of(run.model)) == aware


def test_products_are_rounded_no_further_than_bfloat16():
    use_precision("bfloat16")
    random = np.random.default_rng(0)
    one, two = (random.standard_normal((64, 64)).astype(np.float32) for _ in range(2))
    product = tf.function(lambda a, b: tf.exp(-tf.abs(tf.matmul(a, b)) / 8))(one, two)
    # Eight bits of mantissa leave 2 ** -9 of each factor; float32 where the processor can't.
    np.testing.assert_allclose(product, np.exp(-np.abs(one @ two) / 8), atol=0.02)


def test_other_backends_have_float32_only(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    use_precision("float32")
    with pytest.raises(ConfigError, match="bfloat16 needs the TensorFlow backend.*set training.precision=float32"):
        use_precision("bfloat16")
