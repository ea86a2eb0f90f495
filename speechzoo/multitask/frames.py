"""A model in two parts that run one after the other: waveform -> frames of the backbone, and frames -> heads."""

import keras

from speechzoo.multitask.task_training import TaskTraining


def make_frames_model(model: keras.Model) -> keras.Model:
    """The part of a model before its heads, with the same layers, as it runs after training.

    Returns:
        A model of the same inputs; outputs `frames_<block>` (batch, frames, channels) of each block that a head reads,
        and `frame_length`, int32 (batch,).

    Raises:
        ValueError: Its heads don't read frames of one backbone.
    """
    if not model.sharing.one_network:
        raise ValueError(f"model '{model.name}' has no frames that all its heads read; sharing 'hard' has")
    audio = keras.Input((None,), dtype="float32", name="audio")
    audio_length = keras.Input((), dtype="int32", name="audio_length")
    features, lengths = model.frontend(audio, audio_length, training=False)
    frames, lengths = model.backbone(features, lengths, training=False)
    outputs = {_name_of(block): frames[block - 1] for block in _blocks_of(model)}
    return keras.Model({"audio": audio, "audio_length": audio_length}, {**outputs, "frame_length": lengths},
                       name=f"{model.name}_frames")


class HeadsModel(TaskTraining, keras.Model):
    """The heads of a model alone, with the same layers: trains and evaluates as the whole model does.

    Inputs: what `make_frames_model` gives. It has neither front end nor backbone, so it can't listen.

    Args:
        model: The whole MultiTaskModel. What teaches its backbone without labels isn't among the heads.
    """

    def __init__(self, model: keras.Model):
        shapes = make_frames_model(model).output
        inputs = {_name_of(block): keras.Input(shapes[_name_of(block)].shape[1:], name=_name_of(block))
                  for block in _blocks_of(model)}
        length = keras.Input((), dtype="int32", name="frame_length")
        heads = _reading_heads(model)
        outputs = {name: head(inputs[_name_of(model.blocks[name])], length) for name, head in heads.items()}
        super().__init__({**inputs, "frame_length": length}, outputs, name=f"{model.name}_heads")
        self.heads = heads
        self.blocks = dict(model.blocks)
        self.penalties = list(model.penalties)
        self.weighting = model.weighting
        self.zoo_config = model.zoo_config


def _reading_heads(model):
    return {name: head for name, head in model.heads.items() if not head.unlabelled}


def _blocks_of(model):
    return sorted(set(model.blocks[name] for name in _reading_heads(model)))


def _name_of(block):
    return f"frames_{block}"
