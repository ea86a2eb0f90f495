"""Configs: every key is known, every value has its type, and what can't be used is one line."""

import dataclasses
import datetime
import hashlib
import json
import typing
from importlib import resources
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from speechzoo.config import (AugmentConfig, BackboneConfig, ConfigError, DataConfig, HeadConfig, LoraConfig,
                              PartConfig, RangeConfig, SourceConfig, TrainingConfig, ZooConfig, from_dict, list_configs,
                              load_config, nearest, register)
from speechzoo.grammar.reading import load_grammar
from speechzoo.registry import list_models
from tests.yaml_bombs import BOMBS

VALUES = {
    "name": "small", "summary": "For tests.",
    "frontend": {"type": "log_mel", "num_mel_bins": 12},
    "backbone": {"type": "ds_cnn"},
    "heads": {"keyword": {"type": "classifier", "classes": ["stop", "go"], "loss_weight": 2}},
    "weighting": {"type": "uncertainty"},
    "data": {"root": "corpora", "train": [{"manifest": "a.jsonl", "repeat": 0.5, "labels": ["keyword"]}],
             "dev": [{"manifest": "b.jsonl", "split": "dev"}], "seconds_per_batch": 10,
             "augment": {"noise": {"probability": 0.5, "minimum": 0, "maximum": 20}, "noise_manifest": "n.jsonl"}},
    "training": {"epochs": 2, "learning_rate": "1e-3", "sort_first_epoch": False, "lora": {"rank": 4}},
}
# Where in VALUES an example of each dataclass stands.
PLACES = {
    ZooConfig: (), PartConfig: ("frontend",), BackboneConfig: ("backbone",),
    HeadConfig: ("heads", "keyword"), DataConfig: ("data",),
    SourceConfig: ("data", "train", 0), AugmentConfig: ("data", "augment"), RangeConfig: ("data", "augment", "noise"),
    TrainingConfig: ("training",), LoraConfig: ("training", "lora"),
}
KEYS = [(cls, field.name) for cls in PLACES if cls not in (BackboneConfig, HeadConfig, PartConfig)
        for field in dataclasses.fields(cls)]


def copy(value):
    """`value` with containers of its own."""
    if isinstance(value, dict):
        return {key: copy(item) for key, item in value.items()}
    return [copy(item) for item in value] if isinstance(value, list) else value


def changed(place, key, value):
    """VALUES with `value` under `key` of the mapping or list at `place`."""
    values = copy(VALUES)
    inner = values
    for step in place:
        inner = inner[step]
    inner[key] = value
    return values


def write(path, values):
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def test_values_become_dataclasses():
    config = from_dict(ZooConfig, VALUES)
    assert config.frontend == PartConfig("log_mel", {"num_mel_bins": 12})
    assert config.heads == {"keyword": HeadConfig("classifier", None, None, 2.0, {"classes": ["stop", "go"]})}
    assert config.data.train == [SourceConfig("a.jsonl", repeat=0.5, labels=["keyword"])]
    assert config.data.augment.noise == RangeConfig(0.5, 0.0, 20.0)
    assert config.training.learning_rate == 1e-3 and config.training.sort_first_epoch is False
    assert isinstance(config.data.seconds_per_batch, float)
    assert config.training.warmup_steps == TrainingConfig().warmup_steps and config.sample_rate == 16000


def test_to_dict_is_what_from_dict_reads():
    config = from_dict(ZooConfig, VALUES)
    assert from_dict(ZooConfig, yaml.safe_load(yaml.safe_dump(config.to_dict()))) == config


def test_every_dataclass_has_a_place():
    seen, waiting = set(), [ZooConfig]
    while waiting:
        cls = waiting.pop()
        if dataclasses.is_dataclass(cls) and cls not in seen:
            seen.add(cls)
            waiting.extend(typing.get_type_hints(cls).values())
        waiting.extend(typing.get_args(cls))
    assert seen == set(PLACES)


@pytest.mark.parametrize("cls, key", KEYS)
def test_a_typo_names_the_nearest_key(cls, key):
    typo = key[:-1] + key[-1] * 2
    with pytest.raises(ConfigError, match=rf"unknown key '{typo}'; did you mean '{key}'\?"):
        from_dict(ZooConfig, changed(PLACES[cls], typo, 1))


@pytest.mark.parametrize("cls, key", KEYS)
def test_a_wrong_type_names_the_key(cls, key):
    hint = typing.get_type_hints(cls)[key]
    part = hint in (BackboneConfig, PartConfig)  # which may be a type's name alone
    number = {int, float, bool} & {hint, *typing.get_args(hint)}
    wrong = "much" if number or dataclasses.is_dataclass(hint) and not part else 3.5
    with pytest.raises(ConfigError, match=rf"{key}.*: expected .*{wrong!r}"):
        from_dict(ZooConfig, changed(PLACES[cls], key, wrong))


@pytest.mark.parametrize("place, key, value, message", [
    ((), "heads", ["keyword"], r"config.heads: expected a mapping, got \['keyword'\]"),
    ((), "frontend", 3, "config.frontend: expected a mapping, got int 3"),
    ((), "frontend", {"num_mel_bins": 3}, "config.frontend: missing key 'type'"),
    (("frontend",), "options", "num_mel_bins", "config.frontend.options: expected a mapping, got 'num_mel_bins'"),
    (("frontend",), "options", [1], "config.frontend.options: expected a mapping"),
    (("heads",), "keyword", None, "config.heads.keyword: expected a mapping, got NoneType None"),
    (("heads", "keyword"), "loss_weight", "2,5", "config.heads.keyword.loss_weight: expected float, got '2,5'"),
    (("heads", "keyword"), "block", 1.5, "config.heads.keyword.block: expected int, got 1.5"),
    (("data", "train"), 0, "a.jsonl", r"config.data.train\[0\]: expected a mapping"),
    (("data", "train", 0), "labels", "keyword", r"config.data.train\[0\].labels: expected a list, got 'keyword'"),
    (("data",), "bucket_seconds", [1, "two"], r"config.data.bucket_seconds\[1\]: expected float, got 'two'"),
    (("training",), "epochs", True, "config.training.epochs: expected int, got True"),
    (("training",), "sort_first_epoch", 1, "config.training.sort_first_epoch: expected bool, got 1"),
    (("training",), "learning_rate", "1.2.3e4", "config.training.learning_rate: expected float, got '1.2.3e4'"),
    (("training",), "learning_rate", "...e4", "config.training.learning_rate: expected float"),
    (("training",), "learning_rate", 10 ** 400, "config.training.learning_rate: expected float"),
    (("training",), "seed", datetime.date(2024, 1, 1), "config.training.seed: expected int"),
    ((), 5, 6, "config: unknown key '5'"),
    ((), None, 6, "config: unknown key 'None'"),
])
def test_what_can_not_be_read(place, key, value, message):
    with pytest.raises(ConfigError, match=message) as caught:
        from_dict(ZooConfig, changed(place, key, value))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text, number", [("1e-3", 1e-3), ("2E5", 2e5), ("-.5e1", -5.0), ("+1.e2", 100.0)])
def test_numbers_that_yaml_reads_as_text(text, number):
    assert from_dict(ZooConfig, changed(("training",), "learning_rate", text)).training.learning_rate == number


@pytest.mark.parametrize("key", ["summary", "frontend", "backbone", "heads"])
def test_required_keys(key):
    values = {name: value for name, value in VALUES.items() if name != key}
    with pytest.raises(ConfigError, match=f"config: missing key '{key}'"):
        from_dict(ZooConfig, values)


# -- files ------------------------------------------------------------------------------------------------------------

def test_load_config_from_a_file(tmp_path):
    values = {key: value for key, value in VALUES.items() if key != "name"}
    values["data"] = {}
    config = load_config(write(tmp_path / "my_model.yaml", values))
    assert config.name == "my_model" and config.data.root == str(tmp_path)
    assert load_config(str(write(tmp_path / "other.yml", VALUES))).data.root == "corpora"


@pytest.mark.parametrize("name", list_configs())
def test_every_config_of_the_zoo_loads(name):
    config = load_config(name)
    assert config.name == name and config.heads and config.summary.endswith(".")


def test_overrides(tmp_path):
    path = write(tmp_path / "model.yaml", VALUES)
    config = load_config(path, ["training.epochs=7", "heads.keyword.loss_weight=0.5", "backbone.num_blocks=3",
                                "data.augment.gain.probability=1", "training.learning_rate=5e-4", "data.dev=[]",
                                "heads.gender={type: classifier, classes: [female, male]}", "summary=a=b"])
    assert config.training.epochs == 7 and config.heads["keyword"].loss_weight == 0.5
    assert config.backbone.options == {"num_blocks": 3} and config.data.augment.gain.probability == 1.0
    assert config.training.learning_rate == 5e-4 and config.data.dev == [] and config.summary == "a=b"
    assert list(config.heads) == ["keyword", "gender"]


@pytest.mark.parametrize("override, message", [
    ("training.epoch=3", r"model.yaml.training: unknown key 'epoch'; did you mean 'epochs'\?"),
    ("training.epochs", "override 'training.epochs' is not key=value"),
    ("training.epochs=x", "model.yaml.training.epochs: expected int, got 'x'"),
    ("training.epochs=", "model.yaml.training.epochs: expected int, got None"),
    ("name.first=x", "override 'name.first=x': 'name' is not a mapping"),
    ("data.train.0.repeat=1", "'train' is not a mapping"),
    ("trainning.epochs=3", "unknown key 'trainning'; did you mean 'training'"),
    ("=3", "unknown key ''"),
    ("training.epochs=[1", "override 'training.epochs=.1': the value is not valid YAML"),
    ("training.epochs=2001-99-99", "the value is not valid YAML"),
    ("training.epochs=!!int x", "the value is not valid YAML"),
])
def test_wrong_overrides(tmp_path, override, message):
    with pytest.raises(ConfigError, match=message):
        load_config(write(tmp_path / "model.yaml", VALUES), [override])


@pytest.mark.parametrize("content, message", [
    (b"a: [1, 2", "not valid YAML"), (b"- a\n- b", "expected a mapping of keys"), (b"", "expected a mapping of keys"),
    (b"\xff\xfe\x00", "not valid YAML"), (b"name: \x00", "not valid YAML"), (b"a: 2001-99-99", "not valid YAML"),
    (b"a: !!python/object/apply:os.system ['true']", "not valid YAML"), (b"a: !!timestamp x", "not valid YAML"),
    (b"a: !!bool x", "not valid YAML"), (b"a: !!int x", "not valid YAML"), (b"a: " + b"[" * 1000, "not valid YAML"),
    (b"? [a]\n: b", "not valid YAML"), (b"frontend: *missing", "not valid YAML"), (b"a: 1", "unknown key 'a'"),
    (b"a:\n  b: 1\n  b: 2", "'b' is given twice.*line 3"),
    *((bomb.encode(), "its aliases stand for more than 1000000 values") for bomb in BOMBS.values()),
])
def test_files_that_are_no_configs(tmp_path, content, message):
    path = tmp_path / "model.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(path)
    assert "model.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_configs_that_are_not_there(tmp_path):
    with pytest.raises(ConfigError, match="absent.yaml: no such config file"):
        load_config(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match=r"no model 'mtl_ds_cnn_mikro' in the zoo; did you mean 'mtl_ds_cnn_micro'\?"):
        load_config("mtl_ds_cnn_mikro")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ConfigError, match="no such config file"):
        load_config(tmp_path / "folder.yaml")


def test_nearest():
    assert nearest("epoch", ["epochs", "seed"]) == "did you mean 'epochs'?"
    assert nearest("zzz", ["b", "a"]) == "known: a, b"
    assert nearest("zzz", []) == "known: none"


def test_register():
    table = {}
    assert register(table, "thing")(int) is int and table == {"thing": int}


# -- extends ----------------------------------------------------------------------------------------------------------

def test_a_config_says_only_what_is_its_own(tmp_path):
    write(tmp_path / "base.yaml", VALUES)
    config = load_config(write(tmp_path / "mine.yaml", {
        "extends": "base.yaml",
        "heads": {"arousal": {"type": "classifier", "classes": ["calm", "upset"]}, "keyword": {}},
        "backbone": {"num_blocks": 2}, "data": {"dev": []}, "training": {"epochs": 5}}))
    base = load_config(tmp_path / "base.yaml")
    assert config.name == "mine" and config.summary == base.summary and config.frontend == base.frontend
    assert list(config.heads) == ["arousal", "keyword"] and config.heads["keyword"] == base.heads["keyword"]
    assert config.backbone == BackboneConfig("ds_cnn", {"num_blocks": 2})
    assert config.data.train == base.data.train and config.data.dev == [] and config.data.augment == base.data.augment
    assert config.training.epochs == 5 and config.training.learning_rate == base.training.learning_rate


def test_lists_parts_of_another_type_and_null_replace(tmp_path):
    write(tmp_path / "base.yaml", VALUES)
    config = load_config(write(tmp_path / "mine.yaml", {
        "extends": "base.yaml", "frontend": {"type": "micro_features"}, "weighting": None,
        "heads": {"keyword": {"classes": ["up"]}}, "data": {"augment": {"noise": None}, "root": None}}))
    assert config.frontend == PartConfig("micro_features") and config.weighting == PartConfig("static")
    assert config.heads["keyword"].options == {"classes": ["up"]} and config.heads["keyword"].loss_weight == 2
    assert config.data.augment == AugmentConfig(noise_manifest="n.jsonl") and config.data.root == str(tmp_path)


@pytest.mark.parametrize("nested", [True, False])
def test_the_config_of_a_run_and_one_by_hand_merge_alike(tmp_path, nested):
    """A run's config has options in `options`, and may extend or be extended."""
    base = {**VALUES, "sharing": "mmoe", "backbone": {"type": "ds_cnn", "channels": 8, "num_blocks": 2}}
    mine = {"backbone": {"type": "ds_cnn", "channels": 6}, "heads": {"keyword": {"type": "classifier", "dropout": 0.5}}}
    if nested:
        base = load_config(write(tmp_path / "by_hand.yaml", base)).to_dict()
    else:
        mine = {"backbone": {"type": "ds_cnn", "options": {"channels": 6}},
                "heads": {"keyword": {"type": "classifier", "options": {"dropout": 0.5}}}}
    write(tmp_path / "base.yaml", base)
    values = {"extends": "base.yaml", "sharing": {"experts": 3}, **mine}
    config = load_config(write(tmp_path / "mine.yaml", values))
    assert config.backbone == BackboneConfig("ds_cnn", {"channels": 6, "num_blocks": 2})
    assert config.heads["keyword"].options == {"classes": ["stop", "go"], "dropout": 0.5}
    assert config.sharing == PartConfig("mmoe", {"experts": 3})
    config = load_config(tmp_path / "base.yaml", ["backbone.options.channels=4", "sharing.experts=5"])
    assert config.backbone.options == {"channels": 4, "num_blocks": 2} and config.sharing.options == {"experts": 5}


def test_a_part_may_get_its_type_later(tmp_path):
    write(tmp_path / "base.yaml", {**VALUES, "backbone": {"num_blocks": 2}})
    config = load_config(write(tmp_path / "mine.yaml", {"extends": "base.yaml", "backbone": {"type": "ds_cnn"}}))
    assert config.backbone == BackboneConfig("ds_cnn", {"num_blocks": 2})


def test_rates_of_ones_own_count_after_those_of_what_is_extended(tmp_path):
    write(tmp_path / "base.yaml", {**VALUES, "training": {"rates": {"backbone/*": 0.5, "frontend/*": 0.1, "a": 1}}})
    config = load_config(write(tmp_path / "mine.yaml", {
        "extends": "base.yaml", "training": {"rates": {"backbone/block_1/*": 0.2, "frontend/*": 0.3, "a": None}}}))
    assert list(config.training.rates.items()) == [("backbone/*", 0.5), ("backbone/block_1/*", 0.2), ("frontend/*", 0.3)]


def test_of_several_extended_configs_later_ones_count(tmp_path):
    write(tmp_path / "base.yaml", VALUES)
    write(tmp_path / "slow.yaml", {"training": {"learning_rate": 1e-5, "epochs": 9}})
    mine = {"extends": ["base.yaml", "slow.yaml"], "training": {"epochs": 4}}
    config = load_config(write(tmp_path / "mine.yaml", mine), ["training.seed=7"])
    assert (config.training.learning_rate, config.training.epochs, config.training.seed) == (1e-5, 4, 7)


def test_a_model_of_the_zoo_is_extended_by_its_name(tmp_path):
    config = load_config(write(tmp_path / "mine.yaml", {"extends": "mtl_conformer_small", "training": {"epochs": 4}}))
    zoo = load_config("mtl_conformer_small")
    assert config.heads == zoo.heads and config.data.train == zoo.data.train and config.training.epochs == 4
    assert config.name == "mine" and config.data.root == str(tmp_path)


@pytest.mark.parametrize("extends, message", [
    ("absent.yaml", r"mine.yaml: extends: .*absent.yaml: no such config file"),
    ("mtl_ds_cnn_mikro", "mine.yaml: extends: no model 'mtl_ds_cnn_mikro' in the zoo; did you mean 'mtl_ds_cnn_micro'"),
    ("mine.yaml", "mine.yaml: extends: 'mine.yaml' extends another config itself"),
    ("nested.yaml", "mine.yaml: extends: 'nested.yaml' extends another config itself; extend what it extends"),
    ("broken.yaml", "broken.yaml: not valid YAML"),
    ("list.yaml", "list.yaml: expected a mapping of keys"),
    (3, "mine.yaml: extends: expected a model's name, a file's path, or a list of them, got 3"),
    ({"a": "b"}, "mine.yaml: extends: expected a model's name"),
    (["base.yaml", None], "mine.yaml: extends: expected a model's name, .* got None"),
])
def test_what_can_not_be_extended(tmp_path, extends, message):
    write(tmp_path / "base.yaml", VALUES)
    write(tmp_path / "nested.yaml", {"extends": "mine.yaml"})
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "list.yaml").write_text("[a]")
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(write(tmp_path / "mine.yaml", {**VALUES, "extends": extends}))
    assert "\n" not in str(caught.value)


def blocks(values, place=""):
    """(place, value) of every mapping and list in the values of a file, and of those in them."""
    for key, value in values.items():
        if isinstance(value, (dict, list)):
            yield f"{place}{key}", value
        if isinstance(value, dict):
            yield from blocks(value, f"{place}{key}.")


def test_no_config_of_the_zoo_repeats_what_it_extends():
    folder = Path(str(resources.files("zoo_configs")))
    shared = {path.name: dict(blocks(yaml.safe_load(path.read_text()))) for path in (folder / "shared").iterdir()}
    for name in list_configs():
        values = yaml.safe_load((folder / f"{name}.yaml").read_text())
        extends = values.get("extends", [])
        for source in [extends] if isinstance(extends, str) else extends:
            assert source.startswith("shared/"), f"{name}: the zoo's own models extend shared files only"
            said = shared[Path(source).name]
            repeated = [place for place, value in blocks(values) if value and said.get(place) == value]
            assert not repeated, f"{name}.yaml repeats {repeated} of {source}"


# -- what a grammar says ----------------------------------------------------------------------------------------------

GRAMMAR = "intents:\n  move: ['go [to the] {room}']\n  wait: [wait]\nslots:\n  room: [hall, attic]\n"


def test_classes_and_slot_values_come_from_a_grammar(tmp_path):
    (tmp_path / "robot.yaml").write_text(GRAMMAR)
    heads = {"intent": {"type": "classifier", "classes": "grammar:robot.yaml"},
             "slots": {"type": "slots", "options": {"slots": {"room": "grammar:robot.yaml", "speed": ["slow"]}}}}
    config = load_config(write(tmp_path / "mine.yaml", {**VALUES, "heads": heads}))
    assert config.heads["intent"].options == {"classes": ["none", "move", "wait"]}
    assert config.heads["slots"].options == {"slots": {"room": ["hall", "attic"], "speed": ["slow"]}}
    assert load_config(tmp_path / "mine.yaml", ["heads.intent.classes=grammar:smart_speaker"]).heads[
        "intent"].options["classes"][1] == "playMusic"


@pytest.mark.parametrize("head, message", [
    ({"type": "classifier", "classes": "grammar:smart_speeker"},
     "mine.yaml.heads.own.classes: no grammar 'smart_speeker'; did you mean 'smart_speaker'"),
    ({"type": "classifier", "classes": "grammar:absent.yaml"}, "mine.yaml.heads.own.classes: .*absent.yaml: no such"),
    ({"type": "slots", "slots": {"rom": "grammar:smart_speaker"}},
     "mine.yaml.heads.own.slots.rom: smart_speaker has no slot 'rom'; did you mean 'room'"),
])
def test_what_a_grammar_can_not_say(tmp_path, head, message):
    with pytest.raises(ConfigError, match=message):
        load_config(write(tmp_path / "mine.yaml", {**VALUES, "heads": {"own": head}}))


def test_the_slots_of_the_zoo_are_those_of_its_grammar():
    grammar = load_grammar("smart_speaker").slots()
    written_out = {"condition", "state", "item", "second_item"}  # in zoo_configs/shared/smart_speaker.yaml
    for name in list_models(head="slots"):
        for slot, values in load_config(name).heads["slots"].options["slots"].items():
            assert set(values) <= set(grammar[slot]), (name, slot)
            assert (values == grammar[slot]) != (slot in written_out), (name, slot)


# SHA-256 of the classes and slot values of models with published weights, which know them by their number.
TRAINED_CLASSES = {
    "mtl_conformer_small": "3996ec2d45d88e5e",
    "mtl_conformer_small_streaming": "1eea3fb658f82f91",
    "mtl_ds_cnn_micro": "3dd9973522567077",
    "mtl_whisper_micro": "8912879052c2e296",
    "mtl_whisper_tiny": "f14f4e02144c811a",
    "wake_ds_cnn_micro_streaming": "c09b943670f928f8",
}


@pytest.mark.parametrize("name", TRAINED_CLASSES)
def test_classes_of_trained_weights_keep_their_order(name):
    classes = {head: config.options.get("classes") or list(config.options.get("slots", {}).items())
               for head, config in load_config(name).heads.items()}
    assert hashlib.sha256(json.dumps(classes, sort_keys=True).encode()).hexdigest()[:16] == TRAINED_CLASSES[name]


# -- anything at all --------------------------------------------------------------------------------------------------

scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.integers(min_value=10 ** 300), st.floats(),
                    st.text(max_size=12), st.dates(), st.binary(max_size=4),
                    st.from_regex(r"[-+]?[0-9.]{1,4}[eE][-+]?[0-9]{1,4}", fullmatch=True))
anything = st.recursive(scalars, lambda inner: st.one_of(
    st.lists(inner, max_size=3), st.dictionaries(st.one_of(scalars, st.sampled_from(
        ["type", "options", "manifest", "probability", "keyword"])), inner, max_size=3)), max_leaves=8)
places = st.sampled_from([(place, field.name) for cls, place in PLACES.items() for field in dataclasses.fields(cls)])


def reads_or_explains(values):
    """Reads a config and writes it back, or raises ConfigError with one line."""
    try:
        config = from_dict(ZooConfig, values)
    except ConfigError as error:
        assert str(error)
    else:
        assert isinstance(config.to_dict(), dict)


@settings(max_examples=150, deadline=None)
@given(anything)
def test_no_value_crashes(values):
    reads_or_explains(values)


@settings(max_examples=300, deadline=None)
@given(places, anything)
def test_no_value_in_a_config_crashes(place, value):
    reads_or_explains(changed(*place, value))


@settings(max_examples=150, deadline=None)
@given(text=st.one_of(st.text(max_size=40), st.text("{}[]:,-!&*?|>'\"%@ \nab01", max_size=30)))
def test_no_text_crashes(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "text.yaml"
    path.write_text(text, encoding="utf-8", errors="replace")
    with pytest.raises(ConfigError):
        load_config(path)


@settings(max_examples=150, deadline=None)
@given(key=st.sampled_from(["training.epochs", "data.train", "heads.keyword.classes", "name"]) | st.text(max_size=8),
       value=st.text(max_size=15))
def test_no_override_crashes(tmp_path_factory, key, value):
    path = tmp_path_factory.getbasetemp() / "model.yaml"
    if not path.exists():
        write(path, VALUES)
    try:
        load_config(path, [f"{key}={value}"])
    except ConfigError as error:
        assert str(error)
