"""The audio front end of TensorFlow Lite Micro, as ESPHome configures it, as a Keras layer."""

import keras
import numpy as np
from keras import ops

from speechzoo.frontends.frontend import Frontend
from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.stream_state import pad_time

# What ESPHome's micro_wake_word and microWakeWord ask of the front end; a model can't choose.
SAMPLE_RATE, HOP_LENGTH, WINDOW_LENGTH, FFT_LENGTH = 16000, 160, 480, 512
NUM_CHANNELS, LOWER_HERTZ, UPPER_HERTZ = 40, 125.0, 7500.0
# noise_reduction.c: shares of 2^14, cut to whole numbers; those of channels 0, 2, ... and of 1, 3, ...
SMOOTHING = int(0.025 * 2 ** 14) / 2 ** 14, int(0.06 * 2 ** 14) / 2 ** 14
MINIMUM_REMAINING = int(0.05 * 2 ** 14) / 2 ** 14
# pcan_gain_control_util.c.
GAIN_OFFSET, GAIN_STRENGTH = 80.0, 0.95
# log_scale.c: 64 to a neper, in integers; microWakeWord's scale of them.
FEATURES_PER_NEPER = 64 * 0.0390625
# A signal of the front end is the root of an energy, scaled as its 16-bit transform of 512 points and its filters of 12
# bits leave it: divided by 512, times 64. For the gain control and the logarithm the 8 that remains of that is undone.
_SIGNAL_SCALE = 32768 * 64 / 512
_CORRECTION = 8.0
# Of what is cut to a whole number half a unit is lost on average.
_CUT = 0.5
# The decay over so many frames is below what float32 tells from zero.
_DOUBLINGS = 10


@keras.saving.register_keras_serializable(package="speechzoo")
class MicroFeatures(Frontend):
    """Waveform -> the 40 features that ESPHome's `micro_wake_word` hears, 10 ms apart, causal.

    Energies of 40 triangular filters over windows of 30 ms, their roots less an estimate of the noise (its mean over
    the past, decaying), divided by a power of that estimate (PCAN: automatic gain control), shrunk towards zero where
    they are near the noise, and their logarithms: 0 (no more than noise) to about 26.

    A device computes this in integers. Here it is floats, and continuous, so that a hair's difference of the audio is
    one of the features in every runtime; what integers cut off is subtracted on average. So features differ most where
    few units are left to cut: near the noise.

    References: https://github.com/tensorflow/tflite-micro, `tensorflow/lite/experimental/microfrontend/lib`
    (`filterbank_util.c`, `noise_reduction.c`, `pcan_gain_control.c`, `log_scale.c`); PCAN: Wang et al. 2017,
    https://arxiv.org/abs/1607.05666, equation 2. The settings are those of ESPHome, which has no others.

    Args:
        sample_rate: 16000 Hz.
        **kwargs: The masks of `SpecAugment`, see `Frontend`. What is masked is as silent as the noise.

    Call arguments:
        audio: float32 (batch, samples) in [-1, 1], at 16 kHz.
        audio_length: int32 (batch,) samples that are not padding; None when nothing is padded.
        state: `StreamState` of a step in a stream, whose samples are whole hops of 160.

    Raises:
        ValueError: Another sample rate.

    Returns:
        Features (batch, samples // 160, 40), zero in the padding, and int32 (batch,) frames (None without
        audio_length). A frame looks back from the end of its hop; silence is what was before the first.

    Example:
        >>> features, lengths = MicroFeatures()(np.zeros((1, 16000), "float32"), np.array([16000]))
        >>> features.shape
        TensorShape([1, 100, 40])
    """

    causal = True
    hop_length = HOP_LENGTH
    window_length = WINDOW_LENGTH
    num_features = NUM_CHANNELS
    hop_seconds = frame_seconds = HOP_LENGTH / SAMPLE_RATE

    def __init__(self, sample_rate: int = SAMPLE_RATE, **kwargs):
        super().__init__(**kwargs)
        if sample_rate != SAMPLE_RATE:
            raise ValueError(f"micro_features: sample_rate {sample_rate} is not {SAMPLE_RATE}, which ESPHome has")
        self.sample_rate = sample_rate
        self.spec_augment = self.make_spec_augment()

    def build(self, *_):
        # window_util.c: the window is symmetric about its middle, and stored in 12 bits.
        window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(WINDOW_LENGTH) + 0.5) / WINDOW_LENGTH)
        self.window = (np.floor(window * 2 ** 12 + 0.5) / 2 ** 12).astype(np.float32)
        self.filters = filterbank()
        self.smoothing = np.resize(SMOOTHING, NUM_CHANNELS).astype(np.float32)
        self.spec_augment.build(None)

    def call(self, audio, audio_length=None, training=False, state=None):
        """Audio (batch, samples) -> features (batch, frames, 40) and int32 (batch,) frames, or None for these."""
        mask = sequence_mask(audio_length, audio)
        if mask is not None:
            audio = audio * mask[..., 0]
        signal = self._signal(audio, state)
        noise = self._noise(signal, state)
        signal = ops.maximum(signal - ops.minimum(noise, signal), MINIMUM_REMAINING * signal)
        signal = ops.relu(signal - _CUT)
        # The gain's factor of 2^21 and the shifts of the integers are gone: these are ratios.
        ratio = _CORRECTION * signal * ops.power(_CORRECTION * noise + GAIN_OFFSET, -GAIN_STRENGTH)
        shrunk = ops.where(ratio < 2.0, 16.0 * ops.square(ratio), 64.0 * ratio - 64.0)  # PcanShrink, 6 bits
        features = FEATURES_PER_NEPER * ops.log(ops.maximum(_CORRECTION * (shrunk - _CUT), 1.0))
        lengths = None if audio_length is None else ops.cast(audio_length // HOP_LENGTH, "int32")
        mask = sequence_mask(lengths, features)
        features = self.spec_augment(features, lengths, training=training)
        return (features if mask is None else features * mask), lengths

    def _signal(self, audio, state):
        """Roots of the filters' energies, in the integers' units: (batch, frames, channels)."""
        batch, samples = ops.shape(audio)
        num_frames = samples // HOP_LENGTH
        others = WINDOW_LENGTH // HOP_LENGTH - 1
        audio = pad_time(audio, others * HOP_LENGTH, state=state, name="samples")
        audio = audio[:, :(num_frames + others) * HOP_LENGTH]
        hops = ops.reshape(audio, (batch, num_frames + others, HOP_LENGTH))
        frames = ops.concatenate([hops[:, hop:hop + num_frames] for hop in range(others + 1)], axis=-1)
        real, imaginary = ops.rfft(frames * self.window, fft_length=FFT_LENGTH)
        energy = ops.matmul(ops.square(real) + ops.square(imaginary), self.filters)
        # The root has no gradient at zero.
        return ops.relu(_SIGNAL_SCALE * ops.sqrt(energy + 1e-14) - _CUT)

    def _noise(self, signal, state):
        """The decaying mean of the signal so far: (batch, frames, channels).

        noise[t] = (1 - smoothing) noise[t - 1] + smoothing signal[t] is a prefix sum, computed by doubling (Hillis and
        Steele 1986): sums over 1, 2, 4, ... frames. That takes slices and additions only, whatever the number of
        frames, on every backend and in TFLite, where a loop over frames would cost a graph of its own.
        """
        noise = self.smoothing * signal
        if state is not None:
            # What the step before left stands before the first frame.
            noise = ops.concatenate([state.read("noise", signal, (NUM_CHANNELS,))[:, None], noise], axis=1)
        for doubling in range(_DOUBLINGS):
            shift = 2 ** doubling
            earlier = ops.pad(noise, ((0, 0), (shift, 0), (0, 0)))[:, :-shift]
            noise = noise + (1.0 - self.smoothing) ** shift * earlier
        if state is not None:
            noise = noise[:, 1:]
            state.write("noise", noise[:, -1])
        return noise

    def get_config(self):
        return {**super().get_config(), "sample_rate": self.sample_rate}


def filterbank() -> np.ndarray:
    """The front end's triangular filters, with weights of 12 bits: float32 (257, 40).

    A filter rises over one band and falls over the next one, in mel, as `FilterbankPopulateState` has it; the bands
    begin with the first bin of the transform that is wholly above the lower limit.
    """
    hertz = np.arange(FFT_LENGTH // 2 + 1) * SAMPLE_RATE / FFT_LENGTH
    mel = 1127.0 * np.log1p(hertz / 700.0)
    low, high = 1127.0 * np.log1p(np.array([LOWER_HERTZ, UPPER_HERTZ]) / 700.0)
    edges = np.linspace(low, high, NUM_CHANNELS + 2)
    rising = (mel[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mel[:, None]) / (edges[2:] - edges[1:-1])
    filters = np.floor(np.maximum(np.minimum(rising, falling), 0.0) * 2 ** 12 + 0.5) / 2 ** 12
    filters[:int(1.5 + LOWER_HERTZ * FFT_LENGTH / SAMPLE_RATE)] = 0.0
    return filters.astype(np.float32)
