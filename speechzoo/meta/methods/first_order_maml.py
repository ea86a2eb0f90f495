"""First-order MAML: the start is moved as if the inner steps didn't depend on it."""

from speechzoo.meta.methods.maml import MAML


class FirstOrderMAML(MAML):
    """MAML without second derivatives.

        theta <- theta - beta grad_phi L_query(phi),  phi as in MAML

    Half the memory and a third of the time or less, at nearly the same accuracy in the paper (section 5.2).

    Reference: Finn et al. 2017, https://arxiv.org/abs/1703.03400, section 5.2; the name is of Nichol et al. 2018,
    https://arxiv.org/abs/1803.02999, section 3.
    """

    first_order = True
