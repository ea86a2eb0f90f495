"""Front ends: waveform -> features, as Keras layers inside the model, the same on every platform."""

from speechzoo.frontends.espnet_log_mel import ESPnetLogMel
from speechzoo.frontends.frontend import Frontend
from speechzoo.frontends.ge2e_mel import GE2EMel
from speechzoo.frontends.leaf import Leaf
from speechzoo.frontends.log_mel import LogMel
from speechzoo.frontends.micro_features import MicroFeatures
from speechzoo.frontends.nemo_log_mel import NeMoLogMel
from speechzoo.frontends.pcen import PCEN
from speechzoo.frontends.spec_augment import SpecAugment
from speechzoo.frontends.speechbrain_fbank import SpeechBrainFbank
from speechzoo.frontends.vtln import VTLN
from speechzoo.frontends.waveform import Waveform
from speechzoo.frontends.whisper_log_mel import WhisperLogMel

# Name in a zoo config -> class.
FRONTENDS = {"espnet_log_mel": ESPnetLogMel, "ge2e_mel": GE2EMel, "leaf": Leaf, "log_mel": LogMel,
             "micro_features": MicroFeatures, "nemo_log_mel": NeMoLogMel, "pcen": PCEN,
             "speechbrain_fbank": SpeechBrainFbank, "vtln": VTLN, "waveform": Waveform,
             "whisper_log_mel": WhisperLogMel}

__all__ = ["ESPnetLogMel", "FRONTENDS", "Frontend", "GE2EMel", "Leaf", "LogMel", "MicroFeatures", "NeMoLogMel", "PCEN",
           "SpecAugment", "SpeechBrainFbank", "VTLN", "Waveform", "WhisperLogMel"]
