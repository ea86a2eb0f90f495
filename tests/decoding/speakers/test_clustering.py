"""Voices grouped as SciPy's average linkage groups them."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage

from speechzoo.decoding.speakers import clustering
from speechzoo.decoding.speakers.clustering import cluster_voices


def voices(people, each, spread, seed=1):
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((people, 16))
    found = np.repeat(centres, each, axis=0) + spread * generator.standard_normal((people * each, 16))
    found = generator.permutation(found)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def same_partition(first, second):
    return ((first[:, None] == first) == (second[:, None] == second)).all()


@pytest.mark.parametrize("threshold", [-0.2, 0.1, 0.3, 0.5, 0.8, 0.99])
@pytest.mark.parametrize("people, each, spread", [(3, 12, 0.4), (4, 5, 1.0), (1, 20, 0.7)])
def test_average_linkage_is_scipys(people, each, spread, threshold):
    embeddings = voices(people, each, spread)
    expected = fcluster(linkage(embeddings, "average", metric="cosine"), 1 - threshold, "distance")
    assert same_partition(cluster_voices(embeddings, threshold), expected)


def test_clusters_are_numbered_by_their_first_members():
    a, b = np.eye(2)
    assert cluster_voices(np.array([b, a, b, a]), 0.5).tolist() == [0, 1, 0, 1]
    assert cluster_voices(np.array([a]), 0.5).tolist() == [0]
    assert cluster_voices(np.zeros((0, 4)), 0.5).tolist() == []


def test_many_are_compared_in_parts(monkeypatch):
    embeddings = voices(3, 40, 0.1)
    whole = cluster_voices(embeddings, 0.5)
    monkeypatch.setattr(clustering, "AT_ONCE", 25)
    np.testing.assert_array_equal(cluster_voices(embeddings, 0.5), whole)
    assert set(whole.tolist()) == {0, 1, 2}
