"""What every front end has in common."""

from collections.abc import Iterable

import keras
import numpy as np

from speechzoo.frontends.spec_augment import SpecAugment


class Frontend(keras.layers.Layer):
    """Waveform -> features, one frame per hop.

    A front end implements `call` and gives the attributes that have no value here; its `__init__` ends with
    `self.spec_augment = self.make_spec_augment()` (checkpoints hold the states of random generators in the order in
    which layers are made), its `build` builds that layer, and its `call` applies it to normalised features.

    Args:
        frequency_masks: Number of masked bands, see `SpecAugment`; in training only.
        frequency_mask_width: Widest band, features.
        time_masks: Number of masked spans.
        time_mask_fraction: Longest span as a fraction of the utterance.

    Call arguments:
        audio: float32 (batch, samples) in [-1, 1].
        audio_length: int32 (batch,) samples that are not padding; None when nothing is padded.
        training: Whether features are masked at random.
        state: `StreamState` of a step in a stream, whose samples are whole hops; causal front ends only.

    Returns:
        Features (batch, frames, num_features), zero in the padding, and int32 (batch,) frames (None without
        audio_length), `output_length` of the samples.

    Attributes:
        sample_rate: Hz.
        hop_length: Samples between the beginnings of two frames.
        window_length: Samples that a frame sees.
        num_features: Size of a frame.
        frame_seconds: Seconds between two frames.
        causal: Whether no frame depends on samples after its hop, so that it runs in steps.
        needs_adaptation: Whether `adapt` has to see training audio before the first step.
        spec_augment: The `SpecAugment` layer.
    """

    sample_rate: int
    hop_length: int
    window_length: int
    num_features: int
    frame_seconds: float
    causal = False
    needs_adaptation = False

    def __init__(self, frequency_masks: int = 0, frequency_mask_width: int = 15, time_masks: int = 0,
                 time_mask_fraction: float = 0.05, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self._mask_options = (frequency_masks, frequency_mask_width, time_masks, time_mask_fraction)

    def make_spec_augment(self) -> SpecAugment:
        """The layer that masks features in training."""
        return SpecAugment(*self._mask_options, name="spec_augment")

    def output_length(self, samples: int) -> int:
        """Frames that `samples` samples give."""
        return samples // self.hop_length

    def adapt(self, audio_batches: Iterable[tuple[np.ndarray, np.ndarray]]):
        """Sets stored statistics from training audio; nothing unless the front end `needs_adaptation`.

        Args:
            audio_batches: (audio (batch, samples), audio_length (batch,)) NumPy arrays.
        """

    def get_config(self):
        masks = self.spec_augment
        return {**super().get_config(), "frequency_masks": masks.frequency_masks,
                "frequency_mask_width": masks.frequency_mask_width, "time_masks": masks.time_masks,
                "time_mask_fraction": masks.time_mask_fraction}
