"""Frames that don't tell where a recording is from."""

from keras import ops

from speechzoo.layers.gradient_reversal import reverse_gradient
from speechzoo.training.penalties.domain_penalty import DomainPenalty

# The paper's gamma (section 5.2): how fast the reversal reaches its full strength.
_GAMMA = 10.0


class Adversarial(DomainPenalty):
    """DANN: an adversary learns to tell the domains apart by a block's frames, and the block learns to prevent it.

    The adversary has one hidden layer on the mean of a recording's frames. Its loss, cross-entropy in nats, is the
    penalty; the gradient is turned round before it reaches the block. The factor of the reversal grows with the run's
    progress p, from 0 to 1, as strength x (2 / (1 + exp(-10 p)) - 1); the adversary itself learns at the full rate. It
    trains with the model and is in checkpoints only. A block that tells nothing has a penalty of ln(domains) nats.

    The domains are any label: corpora, channels, or speakers (`label: speaker`), whose number may be large.

    Reference: Ganin et al. 2016, https://arxiv.org/abs/1505.07818, sections 4.2 and 5.2; for speech Shinohara
    2016, https://doi.org/10.21437/Interspeech.2016-879.

    Args:
        block: Block of the backbone (1-based).
        label: Field of the utterances that says their domain.
        strength: Greatest factor of the reversal, the paper's lambda.
        hidden_size: Units of the adversary.

    Raises:
        ConfigError: Fewer than two domains.
        ValueError: A negative strength, or no units.
    """

    def __init__(self, block: int, label: str = "corpus", strength: float = 1.0, hidden_size: int = 128, **kwargs):
        super().__init__(block, label, **kwargs)
        if not strength >= 0 or hidden_size < 1:
            raise ValueError(f"adversarial: strength {strength:g} must be 0 or more, and hidden_size {hidden_size} 1 "
                             "or more")
        self.strength, self.hidden_size = strength, hidden_size

    def start(self, model):
        """Makes the adversary, and counts the steps from 0."""
        super().start(model)
        sizes = {"hidden": (model.output[self.tap].shape[-1], self.hidden_size),
                 "logits": (self.hidden_size, len(self.domains))}
        self.adversary = {name: (self.add_weight(name=f"{name}_kernel", shape=shape, initializer="glorot_uniform"),
                                 self.add_weight(name=f"{name}_bias", shape=shape[1:], initializer="zeros"))
                          for name, shape in sizes.items()}
        self.steps = self.add_weight(name="steps", shape=(), initializer="zeros", trainable=False)

    def factor(self):
        """The factor of the reversal at this step."""
        progress = ops.minimum(self.steps / self.total_steps, 1.0)
        return self.strength * (2.0 / (1.0 + ops.exp(-_GAMMA * progress)) - 1.0)

    def call(self, model, inputs, outputs):
        """Cross-entropy of the adversary on a batch, a scalar, averaged over the recordings that have a domain."""
        means = reverse_gradient(self.means(inputs, outputs), self.factor())
        self.steps.assign_add(1.0)
        log_probs = ops.log_softmax(self._layer("logits", ops.relu(self._layer("hidden", means))))
        numbers = inputs[self.domain_input]
        counts = ops.cast(numbers >= 0, "float32")
        chosen = ops.one_hot(ops.maximum(numbers, 0), len(self.domains), dtype="float32")
        losses = -ops.sum(chosen * log_probs, axis=-1)
        return ops.sum(losses * counts) / ops.maximum(ops.sum(counts), 1.0)

    def _layer(self, name, values):
        kernel, bias = self.adversary[name]
        return ops.matmul(values, kernel) + bias
