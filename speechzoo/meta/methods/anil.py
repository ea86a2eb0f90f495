"""ANIL: almost no inner loop, only the last layer learns a new task."""

from speechzoo.meta.methods.maml import MAML


class ANIL(MAML):
    """MAML whose inner steps change the last layer alone; all others are learnt by the outer steps.

        phi_head <- phi_head - alpha grad_head L_support(theta_body, phi_head)      (section 4.1)

    Reference: Raghu et al. 2020, https://arxiv.org/abs/1909.09157.
    """

    paper = "Raghu et al. 2020, https://arxiv.org/abs/1909.09157"

    def inner_rates(self, values):
        last = {id(variable) for variable in self.network.layers[-1].trainable_variables}
        return [self.inner_rate if id(variable) in last else None for variable in self.network.trainable_variables]
