"""Keras' register of classes, so that `keras.models.load_model` opens `.keras` files after `import speechzoo` alone.

Keras opens a file with the classes that are registered, and each of ours registers itself when its module is imported.
Importing speechzoo imports neither them nor Keras, so until a file asks for them, stand-ins are registered.
"""

import contextlib
import importlib
import importlib.abc
import importlib.util
import os
import sys

from speechzoo.remarks import without_remarks

# Module -> its classes that can be in a file.
CLASSES = {
    "frontends.espnet_log_mel": ["ESPnetLogMel"],
    "frontends.ge2e_mel": ["GE2EMel"],
    "frontends.leaf": ["GaborMel", "Leaf"],
    "frontends.log_mel": ["LogMel"],
    "frontends.micro_features": ["MicroFeatures"],
    "frontends.spec_augment": ["SpecAugment"],
    "frontends.nemo_log_mel": ["NeMoLogMel"],
    "frontends.pcen": ["PCEN"],
    "frontends.speechbrain_fbank": ["Fbank", "SpeechBrainFbank"],
    "frontends.vtln": ["VTLN"],
    "frontends.waveform": ["Waveform"],
    "frontends.whisper_log_mel": ["WhisperLogMel"],
    "layers.attention": ["RelativeAttention", "SelfAttention"],
    "layers.convolution": ["ConvolutionModule"],
    "layers.decoder": ["DecoderBlock", "TokenAttention"],
    "layers.feed_forward": ["FeedForward"],
    "layers.grouped_convolution": ["GroupedConv1D"],
    "layers.normalization": ["FrameBatchNormalization", "SubSpectralNorm", "UtteranceNormalization"],
    "layers.pooling": ["AttentiveStatisticsPooling", "ChannelAttentiveStatisticsPooling"],
    "layers.quantizable": ["Conv1D", "Conv2D", "Dense", "DepthwiseConv1D", "DepthwiseConv2D", "FrameDense",
                           "InputRange"],
    "layers.recurrence": ["FrameLSTM", "GroupedGRU", "GroupedGRUCell", "LSTMCell"],
    "layers.rotary_attention": ["RotaryAttention"],
    "layers.subsampling": ["ConvSubsampling"],
    "layers.transformer": ["TransformerBlock"],
    "backbones.bc_resnet": ["BCResNet", "BroadcastedBlock"],
    "backbones.cnn": ["CNN"],
    "backbones.conformer": ["Conformer", "ConformerBlock"],
    "backbones.crdnn": ["CRDNN"],
    "backbones.ds_cnn": ["DSCNN"],
    "backbones.ecapa_tdnn": ["ECAPATDNN", "Res2NetConvolution", "SERes2Block", "TimeDelayLayer"],
    "backbones.espnet_conformer": ["ESPnetConformer", "UnpaddedSubsampling"],
    "backbones.ge2e_lstm": ["GE2ELSTM"],
    "backbones.grouped_gru": ["GroupedGRUNetwork"],
    "backbones.lstm": ["LSTM"],
    "backbones.moonshine": ["Moonshine", "MoonshineBlock"],
    "backbones.tc_resnet": ["TCResNet", "TemporalBlock"],
    "backbones.wav2vec2": ["Wav2Vec2"],
    "backbones.whisper": ["Whisper"],
    "heads.classifier": ["ClassifierHead"],
    "heads.convolutions": ["ConvolutionStack"],
    "heads.ctc": ["CTCHead"],
    "heads.ctc_loss": ["CTCLoss"],
    "heads.enhancement": ["EnhancementHead"],
    "heads.enhancement_loss": ["EnhancementLoss", "SISDR", "SISDRGain"],
    "heads.error_rate": ["TokenErrorRate"],
    "heads.frame_classifier": ["FrameClassifierHead"],
    "heads.frame_labels": ["FrameAccuracy", "FrameCrossEntropy"],
    "heads.frame_phones": ["AlignmentHead"],
    "heads.seq2seq": ["Seq2SeqHead"],
    "heads.slots": ["SlotsAccuracy", "SlotsHead", "SlotsLoss"],
    "heads.softmax_cross_entropy": ["SoftmaxCrossEntropy"],
    "heads.speaker": ["SpeakerHead"],
    "heads.spotter": ["SpotterHead"],
    "heads.relation": ["RelationHead", "RelationLogits", "RelationScore"],
    "heads.svm": ["HingeLoss", "SVMHead"],
    "heads.words": ["WordAccuracy", "WordCrossEntropy", "WordsHead"],
    "pretraining.apc": ["APC"],
    "pretraining.best_rq": ["BestRQ"],
    "pretraining.feature_mask": ["FeatureMask"],
    "pretraining.masked_prediction": ["MaskedPrediction"],
    "pretraining.objective": ["RowLoss", "RowMeasure", "WholeFeatures"],
    "multitask.labelled_mean": ["LabelledMean"],
    "multitask.model": ["MultiTaskModel"],
    "multitask.sharing.adapters": ["Adapter", "AdapterSharing"],
    "multitask.sharing.branching": ["BranchingSharing"],
    "multitask.sharing.cross_stitch": ["CrossStitch", "CrossStitchSharing"],
    "multitask.sharing.gate": ["ExpertGate"],
    "multitask.sharing.hard": ["HardSharing"],
    "multitask.sharing.mmoe": ["MMoESharing"],
    "multitask.sharing.mtan": ["BlockAttention", "MTANSharing"],
    "multitask.sharing.nddr": ["NDDR", "NDDRSharing"],
    "multitask.sharing.network": ["Frames", "Step"],
    "multitask.sharing.ple": ["PLESharing"],
    "multitask.sharing.soft": ["ParameterDistance", "SoftSharing"],
    "multitask.weighting.cagrad": ["CAGradWeighting"],
    "multitask.weighting.dwa": ["DWAWeighting"],
    "multitask.weighting.famo": ["FAMOWeighting"],
    "multitask.weighting.gradnorm": ["GradNormWeighting"],
    "multitask.weighting.imtl": ["IMTLWeighting"],
    "multitask.weighting.mgda": ["MGDAWeighting"],
    "multitask.weighting.nash_mtl": ["NashMTLWeighting"],
    "multitask.weighting.pcgrad": ["PCGradWeighting"],
    "multitask.weighting.rlw": ["RLWWeighting"],
    "multitask.weighting.static": ["StaticWeighting"],
    "multitask.weighting.uncertainty": ["UncertaintyWeighting"],
    "training.rates": ["RatedAdamW"],
    "training.schedule": ["WarmupCosine", "WarmupLinear"],
}


class StandIn:
    """Registered in place of a class until a file asks for it.

    Args:
        module: Module of the class, below `speechzoo`.
        name: Name of the class.
    """

    def __init__(self, module: str, name: str):
        self.module = module
        self.name = name

    def from_config(self, config: dict):
        """An object of the class, as Keras asks for it."""
        module = importlib.import_module(f"speechzoo.{self.module}")
        return getattr(module, self.name).from_config(config)


class KerasFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Lets Python find and load Keras as usual, and registers the stand-ins as soon as it is there.

    Whoever only asks whether there is a Keras (`importlib.util.find_spec`) finds it, too, so that it stays until Keras
    has been imported.
    """

    def __init__(self):
        self.asking = False  # the finders behind it

    def find_spec(self, name, path=None, target=None):
        if name != "keras" or self.asking:
            return None
        self.asking = True
        try:
            spec = importlib.util.find_spec("keras")
        finally:
            self.asking = False
        if spec is not None:
            self.loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        loader = self.loader
        module.__spec__.loader = module.__loader__ = loader
        # TensorFlow 2.21 writes before it reads TF_CPP_MIN_LOG_LEVEL.
        with without_remarks() if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "3" else contextlib.nullcontext():
            loader.exec_module(module)
        sys.meta_path.remove(self)
        register_stand_ins()


def register_when_keras_is_imported():
    """Registers the stand-ins now, or as soon as somebody imports Keras."""
    if sys.modules.get("keras") is not None:  # None blocks it, as where it is to be missing
        register_stand_ins()
    else:
        sys.meta_path.insert(0, KerasFinder())


def register_stand_ins():
    """Registers the classes of ours whose modules haven't been imported."""
    register = sys.modules["keras"].saving.get_custom_objects()
    for module, names in CLASSES.items():
        for name in names:
            register.setdefault(f"speechzoo>{name}", StandIn(module, name))
