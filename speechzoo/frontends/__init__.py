"""Front ends: waveform -> features, as Keras layers inside the model, the same on every platform."""

from speechzoo.frontends.frontend import Frontend
from speechzoo.frontends.ge2e_mel import GE2EMel
from speechzoo.frontends.log_mel import LogMel
from speechzoo.frontends.micro_features import MicroFeatures
from speechzoo.frontends.spec_augment import SpecAugment
from speechzoo.frontends.speechbrain_fbank import SpeechBrainFbank
from speechzoo.frontends.whisper_log_mel import WhisperLogMel

# Name in a zoo config -> class.
FRONTENDS = {"ge2e_mel": GE2EMel, "log_mel": LogMel, "micro_features": MicroFeatures,
             "speechbrain_fbank": SpeechBrainFbank, "whisper_log_mel": WhisperLogMel}

__all__ = ["FRONTENDS", "Frontend", "GE2EMel", "LogMel", "MicroFeatures", "SpecAugment", "SpeechBrainFbank",
           "WhisperLogMel"]
