"""Which embeddings are of one voice, when nobody says how many voices there are."""

import numpy as np

AT_ONCE = 2000
"""`AT_ONCE` embeddings are compared with each other; of more, the clusters of each so many are."""


def cluster_voices(embeddings: np.ndarray, threshold: float) -> np.ndarray:
    """Agglomerative clustering by average linkage: the two clusters that are most alike become one, again and again.

    Two clusters are as alike as the cosines between their members on average.

    Args:
        embeddings: (embeddings, size), L2-normalised.
        threshold: Least mean cosine of two clusters that become one.

    Returns:
        Cluster of each embedding, int (embeddings,), numbered by their first members.

    Reference: Sokal and Michener 1958; Han et al. 2008, "Strategies to improve the robustness of agglomerative
    hierarchical clustering under data source variation for speaker diarization".
    """
    means = np.asarray(embeddings, np.float64)
    sizes = np.ones(len(means))
    labels = np.arange(len(means))
    while True:
        merged = np.zeros(len(means), int)
        count = 0
        for first in range(0, len(means), AT_ONCE):
            part = _merge(means[first:first + AT_ONCE], sizes[first:first + AT_ONCE], threshold)
            merged[first:first + AT_ONCE] = part + count
            count += part.max() + 1
        labels = merged[labels] if len(labels) else labels
        if count == len(means) or len(means) <= AT_ONCE:
            return labels
        weights = np.bincount(merged, sizes)
        means = np.stack([np.bincount(merged, sizes * column) for column in means.T], axis=1) / weights[:, None]
        sizes = weights


def _merge(means, sizes, threshold):
    """Clusters of clusters, given the means of their members: the mean of all cosines is the product of the means."""
    means, sizes = means.copy(), sizes.copy()
    cosines = means @ means.T
    np.fill_diagonal(cosines, -np.inf)
    labels = np.arange(len(means))
    nearest = cosines.argmax(axis=1) if len(means) else labels
    while True:
        best = cosines[np.arange(len(means)), nearest]
        first = int(best.argmax())
        if len(means) < 2 or best[first] < threshold:
            return np.unique(labels, return_inverse=True)[1] if len(labels) else labels
        first, second = sorted((first, int(nearest[first])))
        total = sizes[first] + sizes[second]
        means[first] = (sizes[first] * means[first] + sizes[second] * means[second]) / total
        sizes[first] = total
        labels[labels == second] = first
        row = means @ means[first]
        gone = np.isneginf(cosines[first])  # itself, and what became part of others
        row[gone] = -np.inf
        cosines[first], cosines[:, first] = row, row
        cosines[second], cosines[:, second] = -np.inf, -np.inf
        cosines[first, second] = cosines[second, first] = -np.inf
        changed = (nearest == first) | (nearest == second)
        changed[[first, second]] = True
        nearest[changed] = cosines[changed].argmax(axis=1)
        closer = cosines[:, first] > cosines[np.arange(len(means)), nearest]
        nearest[closer] = first
