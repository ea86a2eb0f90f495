"""Backbones: features -> frames, one architecture per file."""

from speechzoo.backbones.backbone import Backbone
from speechzoo.backbones.bc_resnet import BCResNet
from speechzoo.backbones.cnn import CNN
from speechzoo.backbones.conformer import Conformer
from speechzoo.backbones.crdnn import CRDNN
from speechzoo.backbones.ds_cnn import DSCNN
from speechzoo.backbones.ecapa_tdnn import ECAPATDNN
from speechzoo.backbones.espnet_conformer import ESPnetConformer
from speechzoo.backbones.ge2e_lstm import GE2ELSTM
from speechzoo.backbones.grouped_gru import GroupedGRUNetwork
from speechzoo.backbones.lstm import LSTM
from speechzoo.backbones.moonshine import Moonshine
from speechzoo.backbones.tc_resnet import TCResNet
from speechzoo.backbones.wav2vec2 import Wav2Vec2
from speechzoo.backbones.whisper import Whisper

# Name in a zoo config -> class.
BACKBONES = {"bc_resnet": BCResNet, "cnn": CNN, "conformer": Conformer, "crdnn": CRDNN, "ds_cnn": DSCNN,
             "ecapa_tdnn": ECAPATDNN, "espnet_conformer": ESPnetConformer, "ge2e_lstm": GE2ELSTM,
             "grouped_gru": GroupedGRUNetwork, "lstm": LSTM, "moonshine": Moonshine, "tc_resnet": TCResNet,
             "wav2vec2": Wav2Vec2, "whisper": Whisper}

__all__ = ["BACKBONES", "BCResNet", "Backbone", "CNN", "CRDNN", "Conformer", "DSCNN", "ECAPATDNN", "ESPnetConformer",
           "GE2ELSTM", "GroupedGRUNetwork", "LSTM", "Moonshine", "TCResNet", "Wav2Vec2", "Whisper"]
