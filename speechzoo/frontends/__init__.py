"""Front ends: waveform -> features, as Keras layers inside the model, the same on every platform."""

from speechzoo.frontends.espnet_log_mel import ESPnetLogMel
from speechzoo.frontends.frontend import Frontend
from speechzoo.frontends.ge2e_mel import GE2EMel
from speechzoo.frontends.log_mel import LogMel
from speechzoo.frontends.micro_features import MicroFeatures
from speechzoo.frontends.nemo_log_mel import NeMoLogMel
from speechzoo.frontends.spec_augment import SpecAugment
from speechzoo.frontends.speechbrain_fbank import SpeechBrainFbank
from speechzoo.frontends.waveform import Waveform
from speechzoo.frontends.whisper_log_mel import WhisperLogMel

# Name in a zoo config -> class.
FRONTENDS = {"espnet_log_mel": ESPnetLogMel, "ge2e_mel": GE2EMel, "log_mel": LogMel, "micro_features": MicroFeatures,
             "nemo_log_mel": NeMoLogMel, "speechbrain_fbank": SpeechBrainFbank, "waveform": Waveform,
             "whisper_log_mel": WhisperLogMel}

__all__ = ["ESPnetLogMel", "FRONTENDS", "Frontend", "GE2EMel", "LogMel", "MicroFeatures", "NeMoLogMel", "SpecAugment",
           "SpeechBrainFbank", "Waveform", "WhisperLogMel"]
