"""build_model: what a config may say, and one clear line for what it may not."""

import pytest

from speechzoo.config import ConfigError, ZooConfig, check_options, from_dict, list_configs, load_config
from speechzoo.heads import AlignmentHead
from speechzoo.multitask.build import build_model
from tests.tiny_models import tiny

CONFIG = tiny("small", heads={"keyword": {}, "phones": {"block": 1}})


def build(**changes):
    """CONFIG with some parts replaced."""
    return build_model(from_dict(ZooConfig, {**CONFIG, **changes}))


def test_names_and_blocks():
    model = build()
    assert model.name == "small" and list(model.heads) == ["keyword", "phones"]
    assert model.blocks == {"keyword": 2, "phones": 1}
    assert model.weighting.weights_of_heads == {"keyword": 1.0, "phones": 1.0}
    some = build_model(from_dict(ZooConfig, CONFIG), heads=["phones"])
    assert list(some.heads) == list(some.zoo_config.heads) == ["phones"]


def test_auxiliary_heads_are_for_training_only():
    config = from_dict(ZooConfig, {**CONFIG, "heads": {**CONFIG["heads"], "alignment": {"type": "alignment"}}})
    assert list(build_model(config, training=True).heads) == ["keyword", "phones", "alignment"]
    assert list(build_model(config).heads) == list(build_model(config).zoo_config.heads) == ["keyword", "phones"]
    assert list(build_model(config, heads=["alignment"]).heads) == ["alignment"]


def test_options_of_what_a_part_derives_from():
    model = build(frontend={"type": "log_mel", "frequency_masks": 2, "time_mask_fraction": 1},
                  heads={"keyword": {"type": "spotter", "classes": ["stop", "_unknown_"], "class_balance": 0.5}})
    masks = model.frontend.spec_augment
    assert (masks.frequency_masks, masks.time_masks, masks.time_mask_fraction) == (2, 0, 1.0)
    assert model.heads["keyword"].class_balance == 0.5
    with pytest.raises(ConfigError, match="has no option 'classes'"):  # which this head gives to what it derives from
        check_options(AlignmentHead, {"classes": ["a", "b"]}, "head 'alignment'")


def test_heads_of_open_classes_take_them_from_the_data():
    config = from_dict(ZooConfig, {**CONFIG, "heads": {"speaker": {"type": "speaker"},
                                                       "voice": {"type": "speaker", "embedding_size": 4}}})
    model = build_model(config, labels={"voice": ["ann", "bob", "cy"]})
    assert model.heads["voice"].prototypes.shape == (3, 4) and model.heads["voice"].encode("cy") == 2
    assert model.heads["voice"].has_loss and not model.heads["speaker"].has_loss


@pytest.mark.parametrize("name", list_configs())
def test_every_config_of_the_zoo_names_parts_that_exist(name):
    config = load_config(name)
    small = {"bc_resnet": {"width": 2}, "cnn": {"channels": 2, "num_blocks": 3},
             "conformer": {"size": 8, "num_heads": 2, "subsampling_channels": 2, "feed_forward_size": 8, "num_blocks": 1},
             "crdnn": {"channels": [2], "lstm_size": 2, "dense_size": 4, "num_blocks": 1},
             "ds_cnn": {"channels": 4, "num_blocks": 1}, "ecapa_tdnn": {"size": 8, "num_blocks": 1},
             "grouped_gru": {"size": 8}, "ge2e_lstm": {"size": 4, "num_blocks": 1}, "lstm": {"size": 4, "num_blocks": 1}, "tc_resnet": {"channels": [4, 6]},
             "whisper": {"size": 8, "num_heads": 2, "num_blocks": 1}}
    num_blocks = config.backbone.options.get("num_blocks", 4)
    for head in config.heads.values():
        if head.type == "seq2seq":
            head.options.update(layers=6, size=8, num_heads=8)
        assert head.block is None or head.block <= num_blocks
        head.block = 1
    # The names of its own options are checked all the same.
    config.backbone.options.update(small[config.backbone.type])
    assert list(build_model(config, training=True).heads) == list(config.heads)


@pytest.mark.parametrize("changes, message", [
    ({"frontend": {"type": "log_mell"}}, "unknown front end 'log_mell'; did you mean 'log_mel'"),
    ({"backbone": {"type": "conformr"}}, "unknown backbone 'conformr'; did you mean 'conformer'"),
    ({"heads": {"keyword": {"type": "clasifier"}}}, "unknown head 'clasifier'; did you mean 'classifier'"),
    ({"weighting": {"type": "uncertain"}}, "unknown weighting 'uncertain'; did you mean 'uncertainty'"),
    ({"frontend": {"type": "log_mel", "num_mel_bin": 3}},
     "front end 'log_mel' has no option 'num_mel_bin'; did you mean 'num_mel_bins'"),
    ({"backbone": {"type": "ds_cnn", "num_block": 3}},
     "backbone 'ds_cnn' has no option 'num_block'; did you mean 'num_blocks'"),
    ({"heads": {"keyword": {"type": "classifier", "class": ["a", "b"]}}},
     "head 'classifier' has no option 'class'; did you mean 'classes'"),
    ({"frontend": {"type": "log_mel", "time_mask": 3}},
     "front end 'log_mel' has no option 'time_mask'; did you mean 'time_masks'"),
    ({"frontend": {"type": "log_mel", "time_masks": "all"}}, "front end 'log_mel': time_masks: expected int, got 'all'"),
    ({"frontend": {"type": "log_mel", "trainable": False}}, "front end 'log_mel' has no option 'trainable'"),
    ({"heads": {"keyword": {"type": "svm", "classes": ["a", "b"], "hidden_size": 3}}},
     "head 'svm' has no option 'hidden_size'"),
    ({"heads": {"speaker": {"type": "speaker", "pooling": "mean"}}},
     "head 'speaker': pooling 'mean' is not one of attentive, channel_attentive, embeddings"),
    ({"heads": {}}, "model 'small' has no heads"),
    ({"heads": {"keyword": {"type": "classifier"}}}, "classes"),
    ({"heads": {"keyword": {"type": "classifier", "classes": ["a"]}}},
     "head 'keyword': classes must be at least two different names"),
    ({"heads": {"keyword": {"type": "classifier", "classes": None}}}, "head 'keyword': classes"),
    ({"heads": {"keyword": {"type": "classifier", "classes": "go"}}}, "head 'keyword': classes"),
    ({"heads": {"keyword": {"type": "classifier", "classes": [True, False]}}},
     "head 'keyword': classes holds True: put yes, no, on, off"),
    ({"heads": {"slots": {"type": "slots", "slots": {"light": [True, False]}}}},
     "head 'slots': slot light holds True: put yes, no"),
    ({"heads": {"slots": {"type": "slots", "slots": {"light": "red"}}}},
     "head 'slots': slot light must be a list of names, got 'red'"),
    ({"heads": {"slots": {"type": "slots", "slots": ["light"]}}},
     "head 'slots': slots must map each slot to at least one value"),
    ({"heads": {"keyword": {"type": "classifier", "classes": ["a", "b"], "block": 3}}},
     "head 'keyword' reads block 3; the backbone has blocks 1 to 2"),
    ({"heads": {"phones": {"type": "ctc", "units": 5}}}, "model 'small'"),
    ({"heads": {"phones": {"type": "ctc", "dropout": "much"}}}, "head 'ctc': dropout: expected float, got 'much'"),
    ({"backbone": {"type": "conformer", "num_heads": 0}}, "model 'small'"),
    ({"backbone": {"type": "conformer", "num_heads": 5}}, "5 heads do not divide 144 channels"),
    ({"backbone": {"type": "conformer", "size": "wide"}}, "backbone 'conformer': size: expected int, got 'wide'"),
    ({"backbone": {"type": "ds_cnn", "channels": -4}}, "model 'small'"),
    ({"backbone": {"type": "ds_cnn", "stride_frames": 0}}, "model 'small'"),
    ({"backbone": {"type": "ds_cnn", "num_blocks": 0}}, "model 'small'"),
    ({"frontend": {"type": "log_mel", "hop_seconds": 0}}, "model 'small'"),
    ({"frontend": {"type": "log_mel", "num_mel_bins": None}}, "front end 'log_mel': num_mel_bins: expected int"),
    ({"frontend": {"type": "log_mel", "sample_rate": 8000}}, "sample_rate"),
    ({"frontend": {"type": "log_mel", 3: 4}}, "has no option '3'"),
])
def test_what_can_not_be_built(changes, message):
    with pytest.raises(ConfigError, match=message) as caught:
        build(**changes)
    assert "\n" not in str(caught.value)


def test_a_head_that_the_config_lacks():
    with pytest.raises(ConfigError, match="model 'small' has no head 'keywrd'; did you mean 'keyword'"):
        build_model(from_dict(ZooConfig, CONFIG), heads=["keywrd"])
