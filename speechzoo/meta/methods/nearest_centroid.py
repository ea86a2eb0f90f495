"""Nearest centroid: the mean of a class's pooled frames, nothing trained. A baseline that often wins."""

import numpy as np

from speechzoo.meta.methods.pooled import Pooled


class NearestCentroid(Pooled):
    """Minus the squared distance from the mean of each class, of frames that are pooled over time and standardised.

    Features are centred by the mean of the training classes, as in the reference (section 3), and divided by their
    deviation, where the reference normalises the length instead: this way it is linear.

    Reference: Wang et al. 2019, "SimpleShot", https://arxiv.org/abs/1911.04623.
    """

    paper = "Wang et al. 2019, https://arxiv.org/abs/1911.04623"

    def fit(self, features, targets, ways):
        centroids = np.stack([features[targets == kind].mean(axis=0) for kind in range(ways)])
        # Squared distances grow with the number of features, and so does how much they differ by chance.
        scale = 1 / np.sqrt(features.shape[1])
        return 2 * scale * centroids.T, -scale * (centroids ** 2).sum(axis=1)
