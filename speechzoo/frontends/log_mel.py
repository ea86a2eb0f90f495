"""Log-mel spectrogram as a Keras layer."""

import math

import keras
import numpy as np
from keras import ops

from speechzoo.frontends.frontend import Frontend
from speechzoo.frontends.mel import first_fourier_rows, folded_fourier_matrices, mel_filterbank
from speechzoo.layers.averaging import exponential_average
from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.stream_state import pad_time

_RUNNING_SECONDS = 3.0  # time constant of the running mean and variance


@keras.saving.register_keras_serializable(package="speechzoo")
class LogMel(Frontend):
    """Waveform -> normalised log-mel features; a frame starts at every hop and looks `window_seconds` ahead.

    Args:
        num_mel_bins: Mel bins.
        sample_rate: Hz.
        window_seconds: Length of the Hann window.
        hop_seconds: Step between frames.
        fft_length: Points of the Fourier transform.
        minimum_hertz: Lower edge of the first filter.
        maximum_hertz: Upper edge of the last filter; half the sample rate when None.
        mel_scale: `htk` or `slaney`; the filters equal librosa's (`htk=True, norm=None` and the default).
        transform: `matmul` (Fourier transform as one matrix product: plain operators on every device) or `fft`.
        preemphasis: Coefficient a of x[t] - a x[t-1]; 0 turns it off.
        floor: Smallest mel energy before the logarithm.
        normalization: `stored` (mean and variance of the training data, see `adapt`), `utterance` (of the utterance
            itself, per mel bin), `running` (of the frames so far, the last three seconds above all; the variance at
            least 1) or `none`.
        causal: A frame looks `window_seconds` back instead of ahead, from the end of its hop: what streams need.
        **kwargs: The masks of `SpecAugment`, see `Frontend`.

    Call arguments:
        audio: float32 (batch, samples) in [-1, 1].
        audio_length: int32 (batch,) samples that are not padding; None when nothing is padded.
        state: `StreamState` of a step in a stream, whose samples are whole hops; causal front ends only.

    Returns:
        Features (batch, frames, mel bins), zero in the padding, and int32 (batch,) frames (None without audio_length).
        There are `samples // hop` frames: the last windows (the first of a causal one) are completed with zeros.

    Raises:
        ValueError: An option that isn't there, or features that are causal and normalised by the whole utterance.

    Example:
        >>> features, lengths = LogMel(num_mel_bins=40)(np.zeros((1, 16000), "float32"), np.array([16000]))
        >>> features.shape
        TensorShape([1, 100, 40])
    """

    def __init__(self, num_mel_bins: int = 80, sample_rate: int = 16000, window_seconds: float = 0.025,
                 hop_seconds: float = 0.010, fft_length: int = 512, minimum_hertz: float = 20.0,
                 maximum_hertz: float | None = None, mel_scale: str = "htk", transform: str = "matmul",
                 preemphasis: float = 0.97, floor: float = 1e-6, normalization: str = "stored",
                 causal: bool = False, **kwargs):
        super().__init__(**kwargs)
        for option, value, known in (("mel_scale", mel_scale, ("htk", "slaney")),
                                     ("transform", transform, ("matmul", "fft")),
                                     ("normalization", normalization, ("stored", "utterance", "running", "none"))):
            if value not in known:
                raise ValueError(f"log_mel: {option} '{value}' is not one of {', '.join(known)}")
        if causal and normalization == "utterance":
            raise ValueError("log_mel: causal features can't be normalised by the utterance, whose end a stream hasn't "
                             "heard; use normalization: stored or running")
        self.num_mel_bins = num_mel_bins
        self.sample_rate = sample_rate
        self.window_seconds = window_seconds
        self.hop_seconds = hop_seconds
        self.fft_length = fft_length
        self.minimum_hertz = minimum_hertz
        self.maximum_hertz = maximum_hertz
        self.mel_scale = mel_scale
        self.transform = transform
        self.preemphasis = preemphasis
        self.floor = floor
        self.normalization = normalization
        self.causal = causal
        self.hop_length = round(hop_seconds * sample_rate)
        self.window_length = round(window_seconds * sample_rate)
        if self.window_length > fft_length:
            raise ValueError(f"log_mel: a window of {self.window_length} samples is longer than "
                             f"fft_length {fft_length}")
        self.num_features = num_mel_bins
        self.frame_seconds = hop_seconds
        self.spec_augment = self.make_spec_augment()

    def build(self, *_):
        # Frames are cut as whole hops, so the window is completed with zeros to a multiple of the hop.
        self.hops_per_window = -(-self.window_length // self.hop_length)
        window = self.make_window()
        missing = self.hops_per_window * self.hop_length - self.window_length
        self.window = np.pad(window, (missing, 0) if self.causal else (0, missing)).astype(np.float32)
        self.window_start = missing if self.causal else 0
        self.cosines, self.sines = folded_fourier_matrices(window, self.fft_length)
        self.first_rows = first_fourier_rows(window, self.fft_length) if window[0] else None
        self.filters = self.make_filters()
        if self.normalization == "stored":
            self.mean = self.add_weight(name="mean", shape=(self.num_mel_bins,), initializer="zeros", trainable=False)
            self.variance = self.add_weight(name="variance", shape=(self.num_mel_bins,), initializer="ones",
                                            trainable=False)
        self.spec_augment.build(None)

    def make_window(self) -> np.ndarray:
        """Weights of a frame's samples: Hann's window, periodic as in librosa and torchaudio.

        Those of another must be symmetric behind the first, as a periodic window's are.
        """
        return np.hanning(self.window_length + 1)[:-1]

    def make_filters(self) -> np.ndarray:
        """Mel filters, float32 (fft_length // 2 + 1, num_mel_bins)."""
        return mel_filterbank(self.num_mel_bins, self.fft_length, self.sample_rate, self.minimum_hertz,
                              self.maximum_hertz or self.sample_rate / 2, self.mel_scale)

    def current_filters(self):
        """The filters that weigh the power spectrum; those of `make_filters`, unless they train."""
        return self.filters

    def call(self, audio, audio_length=None, training=False, state=None):
        """Audio (batch, samples) -> features (batch, frames, mel bins) and int32 (batch,) frames, or None for these."""
        features = self.log_energies(audio, audio_length, state)
        lengths = None if audio_length is None else ops.cast(audio_length // self.hop_length, "int32")
        mask = sequence_mask(lengths, features)
        if self.normalization == "stored":
            features = (features - self.mean) * ops.rsqrt(self.variance + 1e-5)
        elif self.normalization == "utterance":
            count = float(1) if mask is None else ops.maximum(ops.sum(mask, axis=1, keepdims=True), 1.0)
            average = (lambda x: ops.mean(x, 1, keepdims=True)) if mask is None else (
                lambda x: ops.sum(x * mask, 1, keepdims=True) / count)
            features = features - average(features)
            features = features * ops.rsqrt(average(ops.square(features)) + 1e-5)
        elif self.normalization == "running":
            moments = ops.concatenate([features, ops.square(features)], axis=-1)
            moments = exponential_average(moments, math.exp(-self.hop_seconds / _RUNNING_SECONDS), state, "running")
            mean = moments[..., :self.num_mel_bins]
            variance = moments[..., self.num_mel_bins:] - ops.square(mean)
            features = (features - mean) * ops.rsqrt(ops.maximum(variance, 1.0))
        features = self.spec_augment(features, lengths, training=training)
        return (features if mask is None else features * mask), lengths

    def log_energies(self, audio, audio_length=None, state=None):
        """Logarithms of the mel energies before normalisation: (batch, frames, mel bins)."""
        return ops.log(ops.maximum(self.energies(audio, audio_length, state), self.floor))

    def energies(self, audio, audio_length=None, state=None):
        """The mel energies themselves: (batch, frames, mel bins)."""
        mask = sequence_mask(audio_length, audio)
        if mask is not None:
            audio = audio * mask[..., 0]
        if self.preemphasis:
            audio = audio - self.preemphasis * pad_time(audio, 1, state=state, name="last_sample")[:, :-1]
            if mask is not None:
                audio = audio * mask[..., 0]  # the sample after the end would hold -a x[end]
        frames = self._frames(audio, state)
        if self.transform == "fft":
            kept = slice(-self.fft_length, None) if self.causal else slice(self.fft_length)
            frames = (frames * self.window)[..., kept]
            real, imaginary = ops.rfft(frames, fft_length=self.fft_length)
        else:
            half, end = self.window_length // 2, self.window_start + self.window_length
            first = _part(frames, self.window_start + 1, half)
            second = ops.flip(_part(frames, end - half, half), axis=-1)
            real = ops.matmul(first + second, self.cosines)
            imaginary = ops.matmul(first - second, self.sines)
            if self.first_rows is not None:
                sample = _part(frames, self.window_start, 1)
                real, imaginary = real + sample * self.first_rows[0], imaginary + sample * self.first_rows[1]
        return ops.matmul(ops.square(real) + ops.square(imaginary), self.current_filters())

    def _frames(self, audio, state):
        """Overlapping windows, completed to whole hops: (batch, frames, hops per window * hop length)."""
        batch, samples = ops.shape(audio)
        num_frames = samples // self.hop_length
        others = self.hops_per_window - 1
        before, after = (others, 0) if self.causal else (0, others)
        audio = pad_time(audio, before * self.hop_length, after * self.hop_length, state=state, name="samples")
        # `ops.slice`, because indexing becomes TFLite's STRIDED_SLICE, which copies a value at a time.
        audio = ops.slice(audio, (0, 0), (batch, (num_frames + others) * self.hop_length))
        hops = ops.reshape(audio, (batch, num_frames + others, self.hop_length))
        # Without gather: hops side by side.
        return ops.concatenate([ops.slice(hops, (0, i, 0), (batch, num_frames, self.hop_length))
                                for i in range(self.hops_per_window)], axis=-1)

    @property
    def needs_adaptation(self) -> bool:
        """Whether the mean and variance are those of training audio."""
        return self.normalization == "stored"

    def adapt(self, audio_batches):
        """Sets the stored mean and variance per mel bin from training audio.

        Args:
            audio_batches: Iterable of (audio (batch, samples), audio_length (batch,)) NumPy arrays.
        """
        if not self.built:
            self.build()
        total = np.zeros(self.num_mel_bins)
        square = np.zeros(self.num_mel_bins)
        count = 0
        for audio, audio_length in audio_batches:
            if audio.shape[1] < self.hop_length:
                continue  # TensorFlow's convolution gives a wrong shape where nothing comes out
            energies = ops.convert_to_numpy(self.log_energies(ops.convert_to_tensor(audio),
                                                              ops.convert_to_tensor(audio_length)))
            for row, length in zip(energies, audio_length):
                row = row[:length // self.hop_length].astype(np.float64)
                total, square, count = total + row.sum(0), square + np.square(row).sum(0), count + len(row)
        if not count:
            raise ValueError("log_mel: adapt needs at least one frame of audio")
        mean = total / count
        self.mean.assign(mean.astype(np.float32))
        self.variance.assign((square / count - np.square(mean)).astype(np.float32))

    def get_config(self):
        names = ("num_mel_bins", "sample_rate", "window_seconds", "hop_seconds", "fft_length", "minimum_hertz",
                 "maximum_hertz", "mel_scale", "transform", "preemphasis", "floor", "normalization", "causal")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _part(frames, start, length):
    """`frames[..., start:start + length]`, as the operator that copies runs and not values."""
    batch, num_frames, _ = ops.shape(frames)
    return ops.slice(frames, (0, 0, start), (batch, num_frames, length))
