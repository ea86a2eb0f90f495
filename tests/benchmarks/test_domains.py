"""benchmarks/quality/domains.py: what the domains are, and what their halves share."""

import numpy as np
import pytest

from benchmarks.quality import domains
from speechzoo.config import PartConfig, ZooConfig, from_dict
from speechzoo.data.manifest import read_manifest, write_manifest
from speechzoo.data.utterance_audio import read_utterance_audio
from tests.helpers import tone, write_wav
from tests.tiny_models import tiny


@pytest.fixture
def data(tmp_path):
    for corpus in ("librispeech", "speechocean762", "kitchen20"):
        folder, lines = tmp_path / corpus, []
        folder.mkdir()
        for number in range(12):
            write_wav(folder / f"{number}.wav", tone(0.5, 200.0 + 50 * number, seed=number))
            lines.append({"id": f"{corpus}_{number}", "audio": f"{number}.wav", "duration": 0.5, "split": "train" if number % 3 else "dev",
                          "corpus": corpus, **({"sound": "fan"} if corpus == "kitchen20" else {"phones": "AA B"})})
        write_manifest(folder / "manifest.jsonl", [*lines, {"id": "none", "audio": "0.wav", "duration": 0.5, "split": "train"}])
    return tmp_path


def test_a_telephone_lets_its_band_through():
    through = [np.sum(domains.through_telephone(tone(0.5, hertz)) ** 2) / np.sum(tone(0.5, hertz) ** 2)
               for hertz in (100.0, 1000.0, 5000.0)]
    np.testing.assert_allclose(through, [0, 1, 0], atol=0.01)


def test_domains_have_halves_that_share_nothing(data, tmp_path):
    made = domains.make_domains(data, tmp_path / "runs", 4)
    assert set(made) == {"source", *domains.DOMAINS}
    source = read_manifest(made["source"])
    assert len(source) == 4 and all(line["phones"] for line in source)
    for domain in domains.DOMAINS:
        adapted, tested = map(read_manifest, made[domain])
        assert {line["domain"] for line in (*adapted, *tested)} == {domain}
        assert not {line["id"] for line in adapted} & {line["id"] for line in (*tested, *source)}
        assert {line["split"] for line in adapted} == {"train"} and {line["split"] for line in tested} == {"dev"}
    line = read_manifest(made["telephone"][0])[0]
    number = int(line["id"].rpartition("_")[2])
    np.testing.assert_allclose(read_utterance_audio(line, made["telephone"][0].parent),
                               domains.through_telephone(tone(0.5, 200.0 + 50 * number, seed=number)), atol=1e-3)
    before = made["kitchen"][0].stat().st_mtime_ns
    assert domains.make_domains(data, tmp_path / "runs", 4)["kitchen"][0].stat().st_mtime_ns == before  # not made again


def test_what_trains():
    config = from_dict(ZooConfig, {**tiny(heads=("phones",)), "backbone": {**tiny()["backbone"], "freeze": True}})
    options = [{**domains.PENALTIES["coral"], "block": 2, "label": "domain", "target": "kitchen"}]
    made = domains.trained_on(config, [{"manifest": "a.jsonl"}, {"manifest": "b.jsonl", "labels": []}], options)
    assert not made.backbone.freeze and made.training.penalties == [PartConfig("coral", {
        "strength": 100.0, "block": 2, "label": "domain", "target": "kitchen"})]
    assert [source.labels for source in made.data.train] == [None, []]
    assert made.training.epochs == 1 and made.heads == config.heads and set(domains.PENALTIES) < set(domains.METHODS)
