"""Connectionist temporal classification: a sequence of units from frames."""

import keras
import numpy as np
from keras import ops

from speechzoo.decoding.commands.decode import prior_cost
from speechzoo.decoding.ctc.paths import log_softmax
from speechzoo.heads.convolutions import ConvolutionStack
from speechzoo.heads.ctc_loss import CTCLoss
from speechzoo.heads.error_rate import TokenErrorRate
from speechzoo.heads.head import Head
from speechzoo.heads.padding import mark_padding, not_padding
from speechzoo.layers.quantizable import FrameDense
from speechzoo.text.units import CHARACTERS, PHONES, UNITS, kind_of

_KNOWN = {"characters": CHARACTERS, "phones": PHONES}


@keras.saving.register_keras_serializable(package="speechzoo")
class CTCHead(Head):
    """Logits of units at each frame; index 0 is blank.

    In the padding blank has probability one, so a loss or decoder that looks at the padded length gives what it would
    give on the row alone.

    Args:
        units: `characters` (space, apostrophe, a-z), `phones` (39 ARPAbet phones) or a list: of byte-pair-encoding
            pieces, the first of a word marked with "\u2581", or, where none is, of characters, the space between
            words among them. Those like `<|unk|>` write nothing.
        dropout: Dropout rate of the frames that enter, and behind each convolution.
        convolutions: Convolutions before the logits, see `ConvolutionStack`: for backbones that were trained for
            something else. They look ahead, so that models for streams can't have them.
        hidden_size: Channels of the convolutions.

    Attributes:
        log_prior: Weight (units + 1,): logarithm of each unit's mean probability over speech, nats, for decoding under
            a grammar. Zeros until `calibrate` has measured it; it is not trained.

    Returns:
        Logits (batch, frames, units + 1).

    Reference: Graves et al. 2006, https://www.cs.toronto.edu/~graves/icml_2006.pdf

    Example:
        >>> head = CTCHead("characters", name="transcript")
        >>> head.encode("a cab").tolist()
        [3, 1, 5, 3, 4]
    """

    target_shape = (None,)
    frame_per_unit = True
    metrics_in_training = False  # an edit distance is a loop over the reference

    def __init__(self, units: str | list[str] = "characters", dropout: float = 0.1,
                 convolutions: int = 0, hidden_size: int = 256, **kwargs):
        super().__init__(**kwargs)
        if isinstance(units, str) and units not in _KNOWN:
            raise ValueError(f"head '{self.name}': units '{units}' is not characters, phones or a list of pieces "
                             "or characters")
        self.kind = units if isinstance(units, str) else kind_of(units)
        self.vocabulary = UNITS[self.kind](_KNOWN[units] if isinstance(units, str) else units)
        self.units = self.vocabulary.names
        self.dropout_rate = dropout
        self.num_convolutions = convolutions
        self.hidden_size = hidden_size
        options = {"dtype": self.dtype_policy}
        self.dropout = keras.layers.Dropout(dropout, name="dropout", **options)
        self.convolutions = ConvolutionStack(hidden_size, convolutions, dropout=dropout, name="convolutions",
                                             **options) if convolutions else None
        self.logits = FrameDense(len(self.units) + 1, name="logits", **options)

    def build(self, frames_shape, *_):
        size = frames_shape[-1]
        if self.convolutions is not None:
            self.convolutions.build((None, None, size))
            size = self.hidden_size
        self.logits.build((None, None, size))
        self.log_prior = self.add_weight(name="log_prior", shape=(len(self.units) + 1,), initializer="zeros",
                                         trainable=False)

    def call(self, frames, lengths=None, training=False, state=None):
        """Frames (batch, frames, channels) -> logits (batch, frames, units + 1), blank in the padding."""
        frames = self.dropout(frames, training=training)
        if self.convolutions is not None:
            frames = self.convolutions(frames, lengths, training=training)
        return mark_padding(self.logits(frames), lengths)

    @property
    def looks_ahead(self) -> bool:
        return self.convolutions is not None

    @property
    def optional_weights(self) -> list:
        return [self.log_prior]  # units without a measured prior are decoded without

    @property
    def calibrated_weights(self) -> list:
        return [self.log_prior]

    def calibrate(self, heard):
        """Measures `log_prior` over the frames that are no padding."""
        log_probs = [log_softmax(logits[not_padding(logits)]) for logits, _ in heard]
        self.log_prior.assign(prior_cost([frames for frames in log_probs if len(frames)]))
        return True

    def split(self, text: str) -> list[str]:
        """A transcript as units."""
        return self.vocabulary.split(text)

    def encode(self, value) -> np.ndarray:
        try:
            return np.array([self.vocabulary.index[unit] for unit in self.split(value)], np.int32)
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
        units = self.kind if self.units == _KNOWN.get(self.kind) else self.units
        return {**super().get_config(), "units": units, "dropout": self.dropout_rate,
                "convolutions": self.num_convolutions, "hidden_size": self.hidden_size}
