"""What penalties have in common that make recordings of several domains alike."""

from pathlib import Path

from keras import ops

from speechzoo.config import ConfigError
from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.normalization import utterance_mean
from speechzoo.names import nearest
from speechzoo.training.domain_numbers import DomainNumbers
from speechzoo.training.penalties.penalty import Penalty


class DomainPenalty(Penalty):
    """A penalty on the frames of a block that says how far apart domains are there.

    Recordings without any label of the heads train, too. The domain of a recording is the value of a field of its
    utterance, or of the `default_labels` of its source; one without a value counts nowhere.

    Args:
        block: Block of the backbone (1-based).
        label: The field.

    Attributes:
        domains: Its values in the training data, sorted. Known after `start`.

    Raises:
        ConfigError: Fewer than two domains.
    """

    unlabelled = True

    def __init__(self, block: int, label: str = "corpus", **kwargs):
        super().__init__(**kwargs)
        self.block, self.label = int(block), str(label)
        self.tap, self.domain_input = f"{self.name}_block_{self.block}", f"{self.name}/domain"
        self.taps, self.fields = {self.tap: self.block}, (self.label,)
        self.domains = []

    def start(self, model):
        """Takes the domains from the training data."""
        self.domains = list(self.values[self.label])
        if len(self.domains) < 2:
            found = f"only '{self.domains[0]}'" if self.domains else "none"
            raise ConfigError(f"training.penalties: '{self.name}' needs two values of {self.label} or more in "
                              f"data.train, which has {found}; give the recordings one each, or the sources "
                              f"default_labels: {{{self.label}: ...}}")
        self.batch_inputs = {self.domain_input: ((None,), "int32")}

    def outputs_of(self, folder: Path, plan, reader, drawn):
        """The `DomainNumbers` of a run's training utterances; ConfigError where no batch holds two domains."""
        numbers = DomainNumbers(self.domain_input, self.label, self.domains, plan, reader)
        if not numbers.mixed:
            raise ConfigError(f"training.penalties: '{self.name}' compares recordings of one batch, and no batch has "
                              f"two values of {self.label}: their recordings differ in length; give "
                              "data.bucket_seconds one length for all, or raise data.seconds_per_batch")
        return numbers

    def frames(self, inputs, outputs) -> tuple:
        """The block's frames, float32 (batch, frames, channels), and which are no padding, (batch, frames, 1)."""
        frames = ops.cast(outputs[self.tap], "float32")
        return frames, sequence_mask(outputs["frame_length"], frames)

    def means(self, inputs, outputs):
        """Mean of each recording's frames, float32 (batch, channels)."""
        return utterance_mean(*self.frames(inputs, outputs))[:, 0]


class TwoDomains(DomainPenalty):
    """A distance between the recordings of some domains, the target, and those of all others, the source.

    Args:
        block, label: As of `DomainPenalty`.
        target: Value of the label, or a list of values, of the recordings that the model shall learn to understand.
        strength: Factor of the distance.

    Raises:
        ConfigError: No training data of a target, or of nothing else.
        ValueError: A negative strength.
    """

    def __init__(self, block: int, target: str | list[str], label: str = "corpus", strength: float = 1.0, **kwargs):
        super().__init__(block, label, **kwargs)
        if not strength >= 0:
            raise ValueError(f"{self.name}: strength {strength:g} must be 0 or more")
        self.strength = strength
        self.target = [str(value) for value in (target if isinstance(target, list) else [target])]

    def start(self, model):
        super().start(model)
        for value in self.target:
            if value not in self.domains:
                raise ConfigError(f"training.penalties: '{self.name}': no recording of data.train has {self.label} "
                                  f"'{value}'; {nearest(value, self.domains)}")
        if set(self.target) == set(self.domains):
            raise ConfigError(f"training.penalties: '{self.name}': all of data.train is target; leave one of "
                              f"{', '.join(self.domains)} out")

    def sides(self, inputs) -> tuple:
        """Which recordings are source and which are target: float32 (batch,) of ones and zeros, twice."""
        numbers = inputs[self.domain_input]
        known = ops.cast(numbers >= 0, "float32")
        target = sum(ops.cast(numbers == self.domains.index(value), "float32") for value in self.target)
        return known - target, target
