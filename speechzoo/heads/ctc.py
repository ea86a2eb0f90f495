"""Connectionist temporal classification: a sequence of units from frames."""

import keras
import numpy as np
from keras import ops

from speechzoo.heads.ctc_loss import CTCLoss
from speechzoo.heads.error_rate import TokenErrorRate
from speechzoo.heads.head import Head
from speechzoo.heads.padding import mark_padding
from speechzoo.heads.units import CHARACTERS, PHONES, split_characters, split_phones, split_pieces
from speechzoo.products import FrameDense


class CTCHead(Head):
    """Logits of units at each frame; index 0 is blank.

    In the padding blank has probability one, so a loss or decoder that looks at the padded length gives what it would
    give on the row alone.

    Args:
        units: `characters` (space, apostrophe, a-z), `phones` (39 ARPAbet phones) or a list of byte-pair-encoding
            pieces.
        dropout: Dropout rate of the frames that enter.

    Attributes:
        log_prior: Weight (units + 1,): logarithm of each unit's mean probability over speech, nats, for decoding under
            a grammar. Zeros until `speechzoo.training.priors.measure_priors` has measured it; it is not trained.

    Returns:
        Logits (batch, frames, units + 1).

    Reference: Graves et al. 2006, https://www.cs.toronto.edu/~graves/icml_2006.pdf

    Example:
        >>> head = CTCHead("characters", name="transcript")
        >>> head.encode("a cab").tolist()
        [3, 1, 5, 3, 4]
    """

    target_shape = (None,)

    def __init__(self, units: str | list[str] = "characters", dropout: float = 0.1, **kwargs):
        super().__init__(**kwargs)
        known = {"characters": CHARACTERS, "phones": PHONES}
        if isinstance(units, str) and units not in known:
            raise ValueError(f"head '{self.name}': units '{units}' is not characters, phones or a list of pieces")
        self.kind = units if isinstance(units, str) else "pieces"
        self.units = list(known[units] if isinstance(units, str) else units)
        self.index = {unit: number for number, unit in enumerate(self.units, 1)}
        self.dropout_rate = dropout
        self.dropout = keras.layers.Dropout(dropout, name="dropout")
        self.logits = FrameDense(len(self.units) + 1, name="logits")

    def build(self, frames_shape, *_):
        self.logits.build((None, None, frames_shape[-1]))
        self.log_prior = self.add_weight(name="log_prior", shape=(len(self.units) + 1,), initializer="zeros",
                                         trainable=False)

    def call(self, frames, lengths=None, training=False, state=None):
        return mark_padding(self.logits(self.dropout(frames, training=training)), lengths)

    def split(self, text: str) -> list[str]:
        """A transcript as units."""
        if self.kind == "pieces":
            return split_pieces(text, self.units)
        return split_phones(text) if self.kind == "phones" else split_characters(text)

    def encode(self, value) -> np.ndarray:
        try:
            return np.array([self.index[unit] for unit in self.split(value)], np.int32)
        except KeyError as error:
            raise ValueError(f"{self.label} '{value}' holds {error}, which is not among the units of head "
                             f"'{self.name}' ({self.kind})") from None

    def loss(self):
        return CTCLoss(name=f"{self.name}_loss")

    def metrics_for_fit(self):
        short = {"characters": "cer", "phones": "per", "pieces": "ter"}[self.kind]
        return [TokenErrorRate(name=f"{self.name}_{short}")]

    def spec(self):
        spec = {"type": "ctc", "label": self.label, "kind": self.kind, "units": self.units}
        log_prior = ops.convert_to_numpy(self.log_prior) if self.built else np.zeros(0)
        if log_prior.any():
            spec["log_prior"] = [round(float(value), 4) for value in log_prior]
        return spec

    def get_config(self):
        units = self.kind if self.kind != "pieces" else self.units
        return {**super().get_config(), "units": units, "dropout": self.dropout_rate}
