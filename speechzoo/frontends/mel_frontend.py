"""What front ends share that begin with mel energies, and make features of them in their own way."""

from speechzoo.frontends.frontend import Frontend
from speechzoo.frontends.log_mel import LogMel

WINDOW_SECONDS = 0.025


class MelFrontend(Frontend):
    """Waveform -> features made of `mel`, a `LogMel` that normalises nothing.

    Args:
        num_mel_bins: Mel bins, from 0 Hz to half of the sample rate.
        sample_rate: Hz.
        **kwargs: The masks of `SpecAugment`, see `Frontend`.
    """

    def __init__(self, num_mel_bins: int, sample_rate: int, **kwargs):
        super().__init__(**kwargs)
        self.num_mel_bins = self.num_features = num_mel_bins
        self.sample_rate = sample_rate
        self.window_length = round(WINDOW_SECONDS * sample_rate)
        self.mel = self.make_mel()
        self.hop_length = self.mel.hop_length
        self.frame_seconds = self.mel.frame_seconds
        self.spec_augment = self.make_spec_augment()

    def make_mel(self, mel_class: type[LogMel] = LogMel, **options) -> LogMel:
        """The layer of the mel energies, with a Fourier transform of the whole window and no more.

        Args:
            mel_class: `LogMel`, or what derives from it.
            **options: Its options, where they are others than these.
        """
        options = {"fft_length": self.window_length, "mel_scale": "slaney", "preemphasis": 0.0} | options
        return mel_class(self.num_mel_bins, self.sample_rate, minimum_hertz=0.0, normalization="none", name="mel",
                         **options)

    def build(self, *_):
        self.mel.build(None)
        self.spec_augment.build(None)

    def get_config(self):
        return {**super().get_config(), "num_mel_bins": self.num_mel_bins, "sample_rate": self.sample_rate}
