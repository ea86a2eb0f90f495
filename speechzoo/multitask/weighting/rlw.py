"""Random weights."""

import keras

from speechzoo.multitask.weighting.weighting import Weighting, softmax_of_present


@keras.saving.register_keras_serializable(package="speechzoo")
class RLWWeighting(Weighting):
    """Random loss weighting: softmax of standard normal numbers, drawn anew each step; a baseline that is hard to beat.

    The weights are over the heads with labels in the batch and sum to their number (the paper's to 1), so that they
    are 1 on average, whatever a batch holds.

    Reference: Lin et al. 2022, https://arxiv.org/abs/2111.10603, section 3 (normal distribution).
    """

    def __init__(self, weights: dict[str, float], **kwargs):
        super().__init__(weights, **kwargs)
        self.random = keras.random.SeedGenerator()

    def task_weights(self, losses, present):
        return softmax_of_present(keras.random.normal(losses.shape, seed=self.random), present)
