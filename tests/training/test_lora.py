"""Low-rank updates (docs/transfer.md): on every backbone, in runs, merged where weights leave one, and as adapters."""

import os
import signal

import keras
import numpy as np
import pytest

from speechzoo import load
from speechzoo.adapters import load_adapted, save_adapter
from speechzoo.config import ConfigError, ZooConfig, from_dict
from speechzoo.layers.lora import is_update, kernel_path, low_rank
from speechzoo.multitask.build import build_model
from speechzoo.training import trainer
from speechzoo.training.freezing import freeze, frozen_patterns
from speechzoo.weights import assign_values, model_values, read_arrays
from tests.helpers import tone
from tests.tiny_models import tiny
from tests.tiny_parts import BACKBONES
from tests.training.tiny_corpus import make_corpus

pytestmark = pytest.mark.usefixtures("without_graphs")

LORA = {"training": {"lora": {"rank": 2}}}
# Its weights are those of recurrent layers, which have no updates.
WITHOUT = {"ge2e_lstm"}


@pytest.mark.parametrize("backbone", sorted(BACKBONES.keys() - WITHOUT))
def test_merged_is_unmerged_and_the_base_stays(backbone):
    frontend = {"waveform": {"type": "waveform"}}.get({"wav2vec2": "waveform", "moonshine": "waveform"}.get(backbone),
                                                      {"type": "log_mel", "hop_seconds": 0.02})
    config = from_dict(ZooConfig, tiny(frontend=frontend, backbone=backbone, **LORA))
    keras.utils.set_random_seed(1)
    with low_rank(2, config.training.lora.layers):
        model = build_model(config)
    plain = build_model(config)
    updates = {weight.path: weight for weight in model.weights if is_update(weight.path)}
    assert updates and {kernel_path(path) for path in updates} <= model_values(plain).keys()
    assert model_values(model).keys() == model_values(plain).keys()
    inputs = {"audio": np.stack([tone(0.6, 300.0 * row, seed=row) for row in (1, 2)]),
              "audio_length": np.int32([9600, 8000])}
    freeze(model, frozen_patterns(model, config))
    trained = {weight.path for weight in model.trainable_weights}
    assert updates.keys() <= trained and all(path.startswith("keyword/") for path in trained - updates.keys())
    before = model_values(model, merged=False)
    for path, weight in updates.items():  # a step moves them a little; this is enough to tell
        weight.assign(0.3 * np.random.default_rng(len(path)).standard_normal(weight.shape))
    model.compile(keras.optimizers.SGD(0.01), run_eagerly=True)
    model.train_on_batch(inputs, {"keyword": np.int32([0, 1])})
    after = model_values(model, merged=False)
    assert all((after[path] != before[path]).any() for path in updates)
    for path in before.keys() - trained:
        np.testing.assert_array_equal(after[path], before[path], err_msg=path)
    merged = model_values(model)
    assign_values(plain, merged, "merged")
    expected = model(inputs, training=False)["keyword"]
    np.testing.assert_allclose(plain(inputs, training=False)["keyword"], expected, atol=2e-5, rtol=1e-4)
    # Merged weights in a model with updates: these are zero beside them.
    assign_values(model, merged, "merged")
    np.testing.assert_allclose(model(inputs, training=False)["keyword"], expected, atol=2e-5, rtol=1e-4)


def test_what_has_no_kernels_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"training.lora: no kernel matches backbone/blok_1/\*"):
        trainer.train(make_corpus(tmp_path), tmp_path / "run",
                      overrides=["training.lora={layers: [backbone/blok_1/*]}"])


def test_a_run_resumes_and_its_adapter_is_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "plot_curves", lambda *_: None)
    monkeypatch.setattr(trainer, "LOG_EVERY", 1)
    config = make_corpus(tmp_path)
    short = ["training.epochs=1", "training.evaluate_every=100"]
    trainer.train(config, tmp_path / "base", overrides=short)
    lora = [*short, "training.lora={rank: 2}", "heads.mood={type: classifier, label: keyword, classes: [low, high]}"]

    def stop(record):
        if record["step"] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    assert trainer.train(config, tmp_path / "cut", overrides=lora, weights=tmp_path / "base",
                         on_record=stop).ended == "interrupted"
    assert any(is_update(path) for path in read_arrays(tmp_path / "cut" / "checkpoint.h5"))
    for name in ("cut", "whole"):
        trainer.train(config, tmp_path / name, overrides=lora, weights=None if name == "cut" else tmp_path / "base")
    base, one, other = (read_arrays(tmp_path / name / "final.weights.h5") for name in ("base", "cut", "whole"))
    assert not any(is_update(path) for path in other)
    for path, value in other.items():
        np.testing.assert_array_equal(one[path], value, err_msg=path)
    changed = {path for path in base if (base[path] != other[path]).any() and not path.startswith(("keyword", "speaker"))}
    assert changed and all(path.startswith("backbone/") and path.endswith("/kernel") for path in changed)
    report = save_adapter(tmp_path / "whole", tmp_path / "base", tmp_path / "adapter.h5")
    assert set(report.ranks.values()) <= {1, 2} and changed <= {*report.ranks, *report.whole}
    assert all(path.split("/")[0] in ("keyword", "speaker", "mood") for path in set(report.whole) - changed)
    audio = [tone(0.5, 500.0, seed=1)]
    found, expected = (model.batch_outputs(audio)[0] for model in (
        load_adapted(tmp_path / "base", tmp_path / "adapter.h5"), load(tmp_path / "whole")))
    assert found.keys() == {"keyword", "speaker", "mood"}
    for head, value in expected.items():
        np.testing.assert_allclose(found[head], value, atol=1e-4, err_msg=head)
    with pytest.raises(ValueError, match="adapter.h5: is for another model than .*cut: .* differs"):
        load_adapted(tmp_path / "cut", tmp_path / "adapter.h5")
    with pytest.raises(ValueError, match="no adapter; give a file that save_adapter wrote"):
        load_adapted(tmp_path / "base", tmp_path / "base" / "final.weights.h5")
