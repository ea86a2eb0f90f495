import keras
import numpy as np
import pytest

from speechzoo.dense import FrameDense


@pytest.mark.parametrize("batch", [None, 1, 2])
def test_equals_the_product_written_out(batch):
    layer = FrameDense(5, activation="tanh", name="layer")
    inputs = keras.Input((None, 3), batch_size=batch)
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (batch, None, 5)
    layer.bias.assign(np.arange(5) / 5)
    audio = np.random.default_rng(0).standard_normal((batch or 4, 7, 3)).astype(np.float32)
    expected = np.tanh(np.einsum("btc,cu->btu", audio, np.asarray(layer.kernel)) + np.arange(5) / 5)
    np.testing.assert_allclose(np.asarray(model(audio)), expected, atol=1e-6)


def test_loads_from_its_config():
    layer = FrameDense(4, use_bias=False)
    layer.build((None, None, 3))
    copy = FrameDense.from_config(layer.get_config())
    copy.build((None, None, 3))
    assert [weight.shape for weight in copy.weights] == [weight.shape for weight in layer.weights] == [(3, 4)]
