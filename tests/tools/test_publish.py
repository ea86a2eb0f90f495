"""What maintainers measure of a model afterwards is written into its weights, and nothing else changes."""

import numpy as np

from speechzoo.registry import load, save, weak_classes_of
from speechzoo.weights import read_arrays
from tools.publish import without_confusions, write_wake_thresholds


def test_thresholds_go_into_the_weights_of_a_folder(tmp_path):
    save(load("mtl_ds_cnn_micro", heads=["keyword"]), tmp_path / "micro")
    path = tmp_path / "micro" / "model.weights.h5"
    before = read_arrays(path)
    write_wake_thresholds(str(tmp_path / "micro"), {"computer": 0.925, "up": None})
    spec = load(tmp_path / "micro").spec["heads"]["keyword"]
    assert spec["wake_thresholds"]["computer"] == 0.925 and spec["wake_thresholds"]["up"] is None
    after = read_arrays(path)
    changed = {name for name in before if before[name].dtype != after[name].dtype or not np.array_equal(before[name], after[name])}
    assert changed == {"keyword/wake_doubts"} and before.keys() == after.keys()


def test_classes_of_all_corpora_together_are_kept():
    classes = {"on": {"recall": 0.4, "n": 5}, "up": {"recall": 0.5, "n": 5}, "off": {"recall": 0.0, "n": 0},
               "_unknown_": {"recall": 0.1, "n": 9}}
    scores = {"accuracy": 0.5, "classes": classes, "confusions": {"counts": []}}
    results = {"overall": {"keyword": dict(scores)}, "home": {"keyword": dict(scores), "phones": {"per": 0.2}},
               "_skipped": {"audio": []}}
    assert without_confusions(results) == {
        "overall": {"keyword": {"accuracy": 0.5, "classes": classes}},
        "home": {"keyword": {"accuracy": 0.5}, "phones": {"per": 0.2}}, "_skipped": {"audio": []}}
    assert weak_classes_of(results["overall"]["keyword"]) == ["on"]  # nothing was measured of "off"
    assert weak_classes_of({"per": 0.2}) == []
