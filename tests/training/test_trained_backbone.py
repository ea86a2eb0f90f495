"""`backbone: {weights: ...}`: runs and models that begin with the backbone of another one."""

import json
import shutil

import numpy as np
import pytest
import yaml

from speechzoo.config import ConfigError, load_config
from speechzoo.layers.quantizable import quantization_aware
from speechzoo.origin import read_origin
from speechzoo.published.importing import import_published
from speechzoo.registry import find_weights, load, save
from speechzoo.training import trainer
from speechzoo.weights import read_arrays
from tests.helpers import ORIGIN
from tests.published.tiny_whisper import COMMITTED
from tests.tiny_models import build, tiny
from tests.tiny_parts import BACKBONES
from tests.training.tiny_corpus import make_corpus

pytestmark = pytest.mark.usefixtures("without_graphs")

# Backbones whose blocks end in something that all of them make together, and what they say of it.
WHOLE = {"bc_resnet": "its four stages are one network", "ecapa_tdnn": "made of those of all blocks together"}
MOOD = {"mood": {"type": "classifier", "classes": ["calm", "angry"]}}


def write(path, backbone, heads=MOOD, **sections):
    path.write_text(yaml.safe_dump({"summary": "Mine.", "backbone": backbone, "heads": heads, **sections}))
    return path


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """The encoder of a Whisper model with random weights, imported: two blocks."""
    return import_published(COMMITTED, tmp_path_factory.mktemp("imported") / "ears", encoder_only=True).output


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_every_backbone_is_taken_over_whole_and_in_part(name, tmp_path):
    frontend = {"type": "whisper_log_mel" if name == "whisper" else "log_mel"}
    source = build(tiny(frontend=frontend, backbone=name))
    save(source, tmp_path / "source")
    features = np.random.default_rng(1).standard_normal((1, 40, 16)).astype(np.float32)
    blocks, _ = source.backbone(features)

    model = load(write(tmp_path / "mine.yaml", {"weights": str(tmp_path / "source")}))
    assert [weight.path for weight in model.heads["mood"].weights] == model.new_weights
    assert model.zoo_config.backbone.options == source.zoo_config.backbone.options
    for mine, theirs in zip(model.backbone(features)[0], blocks, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)

    write(tmp_path / "mine.yaml", {"weights": str(tmp_path / "source"), "blocks": 1})
    if name in WHOLE:
        with pytest.raises(ConfigError, match=WHOLE[name]):
            load(tmp_path / "mine.yaml")
        return
    part = load(tmp_path / "mine.yaml")
    assert part.backbone.num_blocks == 1 < source.backbone.num_blocks
    values = {weight.path: np.asarray(weight) for weight in source.weights}
    for weight in part.backbone.weights:
        np.testing.assert_array_equal(weight, values[weight.path])


def test_every_network_of_a_sharing_begins_with_it(imported, tmp_path):
    model = load(write(tmp_path / "mine.yaml", {"weights": str(imported)}, sharing={"type": "mmoe", "experts": 2}))
    values = read_arrays(find_weights(imported))
    names = [weight.path for weight in model.weights if "/block_1/attention/query/kernel" in weight.path]
    assert names == [f"backbone_expert_{number}/block_1/attention/query/kernel" for number in (1, 2)]
    for weight in model.weights:
        if weight.path in names:
            np.testing.assert_array_equal(weight, values["backbone/block_1/attention/query/kernel"])


def test_a_part_is_loaded_in_python(imported):
    model = load(imported, heads=MOOD | {"who": {"type": "speaker", "embedding_size": 6, "block": 1}},
                 backbone={"blocks": 1})
    assert model.backbone.num_blocks == 1 and {path.split("/")[0] for path in model.new_weights} == {"mood", "who"}


def test_ranges_of_a_quantization_aware_training_are_new(imported, tmp_path):
    with quantization_aware(True):
        model = load(write(tmp_path / "mine.yaml", {"weights": str(imported)}))
    ranges = [path for path in model.new_weights if not path.startswith("mood/")]
    assert ranges and all("/input_range/" in path for path in ranges)


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "plot_curves", lambda *_: None)
    values = yaml.safe_load(make_corpus(tmp_path / "corpus").read_text())
    values["training"] |= {"epochs": 1, "ema_momentum": 0.0, "average_checkpoints": 1}
    return {key: values[key] for key in ("data", "training")}


def test_a_run_needs_the_source_once(imported, corpus, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(imported, source)
    (source / "origin.json").write_text(json.dumps({"licence": ORIGIN.licence, "derived_from": ORIGIN.derived_from}))
    values = read_arrays(find_weights(source))
    heads = {"keyword": {"type": "classifier", "classes": ["low", "high"]}}
    config = write(tmp_path / "corpus" / "mine.yaml", {"weights": str(source), "blocks": 1, "freeze": True}, heads,
                   **corpus)
    with pytest.raises(ConfigError, match="the config begins with the backbone of .*leave that or the other weights"):
        trainer.train(config, tmp_path / "run", weights="mtl_ds_cnn_micro")
    result = trainer.train(config, tmp_path / "run")
    assert {path.split("/")[0] for path in result.load_report.missing} == {"keyword"}

    shutil.rmtree(source)
    longer = trainer.train(config, tmp_path / "run", overrides=["training.epochs=2"])
    assert longer.step == 2 * result.step and longer.load_report is None
    with pytest.raises(ConfigError, match="no folder and no model of the zoo is called"):
        trainer.train(config, tmp_path / "run", resume=False)
    model = load(tmp_path / "run")
    assert read_origin(tmp_path / "run") == model.origin == ORIGIN
    for weight in model.backbone.weights:  # frozen, in the run that went on, too
        np.testing.assert_array_equal(weight, values[weight.path])
    save(model, tmp_path / "saved")
    assert load(tmp_path / "saved").backbone.num_blocks == 1
    with pytest.raises(ConfigError, match="blocks: must be at most 1, the blocks of .*saved, got 2"):
        load_config(write(config, {"weights": str(tmp_path / "saved"), "blocks": 2}))
    with pytest.raises(ValueError, match="was trained with training.freeze .*backbone"):
        trainer.train(write(config, {"weights": str(source), "blocks": 1}, heads, **corpus), tmp_path / "run")


@pytest.mark.parametrize("backbone, sections, message", [
    ({"weights": "mtl_conformer_smal"}, {}, "no folder and no model of the zoo is called .*_smal'; did you mean"),
    ({"weights": 3}, {}, "backbone.weights: expected str, got 3"),
    ({"weights": "EMPTY"}, {}, "holds no config.yaml; give the folder of a run"),
    ({"weights": "whisper_tiny_en"}, {}, "'whisper_tiny_en' has no pretrained weights"),
    ({"weights": "EARS", "type": "conformer"}, {}, "backbone: is 'conformer', and that of .*ears is 'whisper'"),
    ({"weights": "EARS"}, {"frontend": "log_mel"}, "frontend: is 'log_mel', and that of .*is 'whisper_log_mel'"),
    ({"weights": "EARS", "blocks": 3}, {}, "backbone.blocks is 3, and 'whisper' has 2 blocks"),
    ({"weights": "EARS", "blocks": 0}, {}, "backbone.blocks: must be 1 or more, got 0"),
    ({"weights": "EARS", "size": 32}, {}, r"doesn't fit .*_1/kernel is \(3, 80, 16\), and \(3, 80, 32\) here"),
    ({"weights": "EARS", "num_blocks": 3}, {}, "block_3/norm_attention/gamma is not in it"),
    ({"weights": "EARS", "layers": 3}, {}, "backbone 'whisper' has no option 'layers'"),
    ({"weights": "EARS"}, {"frontend": {"num_mel_bins": 40}}, r"_1/kernel is \(3, 80, 16\), and \(3, 40, 16\)"),
])
def test_mistakes_are_one_line(backbone, sections, message, imported, tmp_path):
    (tmp_path / "empty").mkdir()
    places = {"EARS": imported, "EMPTY": tmp_path / "empty"}
    backbone = {key: str(places.get(value, value)) if key == "weights" and isinstance(value, str) else value
                for key, value in backbone.items()}
    with pytest.raises(ValueError, match=message) as caught:
        load(write(tmp_path / "mine.yaml", backbone, **sections))
    assert "\n" not in str(caught.value)
