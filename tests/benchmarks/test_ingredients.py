"""benchmarks/quality/ingredients.py: what is left out of a training, and what the table says of the results."""

import dataclasses

import pytest

from benchmarks.quality import ingredients
from speechzoo.config import load_config
from speechzoo.data.manifest import write_manifest
from tools.figures import write_figures
from tools.tables.plain import TABLES


@pytest.fixture
def config(tmp_path):
    """The flagship's config over manifests of one utterance each: 100 s of people's speech, 60 s of synthetic."""
    config = load_config(ingredients.MODEL, [f"data.root={tmp_path}"])
    seconds = {"librispeech": 30.0, "speechocean762": 10.0, "smart_speaker": 40.0, "hwu64_spoken": 20.0, "snips_spoken": 20.0}
    for source in config.data.train:
        corpus = source.manifest.partition("/")[0]
        labels = {"transcript": "a word"} if corpus in seconds else {"speaker": "somebody"}
        (tmp_path / corpus).mkdir(exist_ok=True)
        write_manifest(tmp_path / source.manifest, [
            {"id": corpus, "audio": "a.wav", "duration": seconds.get(corpus, 500.0), **labels,
             **({"split": source.split} if source.split else {})}])
    return config


def test_what_remains_is_heard_more_often(config):
    # People: 3 x 30 + 10 s; synthetic: 0.75 x 40 + 0.5 x 20 + 0.5 x 20 = 50 s. Nobody reads the words of the others.
    kept = ingredients.VARIANTS["no_synthetic"][1](config)
    assert [source.manifest.partition("/")[0] for source in kept.data.train if "spoken" in source.manifest] == []
    repeats = {source.manifest.partition("/")[0]: source.repeat for source in kept.data.train}
    assert repeats["librispeech"] == pytest.approx(3 * 150 / 100) and repeats["speechocean762"] == pytest.approx(1.5)
    repeats = {source.manifest: source.repeat for source in ingredients.VARIANTS["no_people"][1](config).data.train}
    assert repeats["smart_speaker/manifest.jsonl"] == pytest.approx(0.75 * 3) and len(repeats) == 4


@pytest.mark.parametrize("name", ingredients.VARIANTS)
def test_every_run_reads_and_differs_from_everything(config, name):
    changed, whole = ingredients.VARIANTS[name][1](config), ingredients.reading(config)
    assert {"transcript", "phones"} <= changed.heads.keys()
    assert (dataclasses.asdict(changed) == dataclasses.asdict(whole)) == (name == "everything")


def test_one_augmentation_is_off_and_the_others_stay(config):
    augment = ingredients.VARIANTS["no_noise"][1](config).data.augment
    assert augment.noise.probability == 0 and augment.speed == config.data.augment.speed
    assert config.data.augment.noise.probability > 0


def test_table(tmp_path):
    def result(clean, noisy, per):
        return {"clean": {"accuracy": clean, "accuracy_interval": [clean - 0.1, clean + 0.1]},
                "noisy": {"accuracy": noisy, "exact": noisy / 2}, "phones": {"per": per}, "steps": 70}

    results = {"everything": result(0.5, 0.4, 0.6), "no_noise": result(0.52, 0.3, 0.61)}
    write_figures(tmp_path / "ingredients.csv", ingredients.figures_of(results, "running_tap"))
    lines = TABLES["ingredients"](tmp_path)
    assert lines[0].split("|")[4].strip() == "orders, running tap"
    assert lines[2:] == ["| everything | 70 | 50.0 % (40 to 60) | 40.0 % | 20.0 % | 60.0 % |",
                         "| without noise | 70 | 52.0 % (42 to 62), +2.0 | 30.0 %, -10.0 | 15.0 %, -5.0 | 61.0 %, +1.0 |"]
