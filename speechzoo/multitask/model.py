"""One front end, one backbone (or several that share), many heads: a functional Keras model with task masks."""

import functools

import keras
import numpy as np

from speechzoo.audio import pad_batch
from speechzoo.decoding.answers import answer_kind
from speechzoo.decoding.recognizer import Recognizer
from speechzoo.decoding.streams.stream import Stream
from speechzoo.heads.seq2seq import Seq2SeqHead
from speechzoo.multitask import stream_step
from speechzoo.multitask.decode_step import DecodeStep
from speechzoo.multitask.inputs import complete_inputs
from speechzoo.multitask.serialization import Serializable
from speechzoo.multitask.sharing import HardSharing, Sharing
from speechzoo.multitask.task_training import TaskTraining
from speechzoo.multitask.weighting import StaticWeighting
from speechzoo.origin import Origin
from speechzoo.pretraining.objective import WholeFeatures


@keras.saving.register_keras_serializable(package="speechzoo")
class MultiTaskModel(Serializable, Recognizer, TaskTraining, keras.Model):
    """Waveform in, every head's output out.

    Inputs: `{"audio": float32 (batch, samples) in [-1, 1], "audio_length": int32 (batch,)}`, or the audio alone where
    nothing is padded. Outputs: a dict, one entry per head. Targets and sample weights are dicts with the same keys; a
    row without a label has weight 0 and counts nowhere.

    Args:
        frontend: Layer (audio, audio_length) -> (features, lengths).
        backbone: Layer (features, lengths) -> (list of frames by block, lengths), which all heads read; or a `Sharing`,
            which has several of them.
        heads: Name -> head; the names are the output's keys and the layers' names. Each one that is `unlabelled`, an
            objective of `speechzoo.pretraining`, has a pass of the backbone of its own.
        blocks: Head -> 1-based block of the backbone that it reads; the last for those not named.
        weighting: A `Weighting`; the plain sum when None.
        config: The `ZooConfig` this model was made from, if any.
        taps: Name -> block whose frames are among the outputs, too, and their number as `frame_length`: for what
            teaches the backbone in training. None leaves both out.

    Attributes:
        origin: The `Origin` of its weights, which travels into what is exported.
        new_weights: Paths of the weights that `speechzoo.load` didn't find in the file: those of new heads, which start
            at random.

    Example:
        >>> import speechzoo
        >>> model = speechzoo.load("mtl_ds_cnn_micro", weights=None)
        >>> sorted(model.heads)
        ['age_group', 'gender', 'keyword']
    """

    def __init__(self, frontend, backbone, heads: dict, blocks: dict | None = None, weighting=None, config=None,
                 name: str | None = None, taps: dict[str, int] | None = None):
        audio = keras.Input((None,), dtype="float32", name="audio")
        audio_length = keras.Input((), dtype="int32", name="audio_length")
        sharing = backbone if isinstance(backbone, Sharing) else HardSharing(backbone, list(heads))
        num_blocks = sharing.backbone.num_blocks
        blocks = {**dict.fromkeys(heads, num_blocks), **(blocks or {})}
        for kind, readers in (("head", blocks), ("tap", taps or {})):
            for reader, block in readers.items():
                if not 1 <= block <= num_blocks:
                    raise ValueError(f"{kind} '{reader}' reads block {block}; the backbone has blocks 1 to "
                                     f"{num_blocks}")
        if taps and not sharing.one_network:
            raise ValueError("frames of a block are frames of one backbone that all heads read; sharing 'hard' has it")
        for head in heads.values():
            head.set_timing(frontend.sample_rate, frontend.hop_length, sharing.backbone.subsampling)
        features, lengths = frontend(audio, audio_length)
        readers = {name: blocks[name] for name, head in heads.items() if not head.unlabelled} | (taps or {})
        frames, lengths = sharing(features, lengths, readers or blocks)
        outputs = {name: head(frames[name], lengths) if name in readers else
                   self._objective(name, head, frontend, sharing, blocks[name], audio, audio_length)
                   for name, head in heads.items()}
        if taps is not None:
            outputs |= {**{name: frames[name] for name in taps}, "frame_length": lengths}
        super().__init__({"audio": audio, "audio_length": audio_length}, outputs, name=name)
        self.frontend = frontend
        self.sharing = sharing
        self.heads = dict(heads)
        self.blocks = blocks
        self.penalties = []
        self.weighting = weighting or StaticWeighting(dict.fromkeys(heads, 1.0), name="weighting")
        self.zoo_config = config
        self.origin = Origin()
        self.new_weights = []
        self.stream_shapes = None

    @property
    def backbone(self):
        """The backbone that all heads share; where they share otherwise, the pattern of their networks."""
        return self.sharing.backbone

    @staticmethod
    def _objective(name, objective, frontend, sharing, block, audio, audio_length):
        """The output of an objective that learns without labels, in a pass of its own."""
        if not sharing.one_network:
            raise ValueError(f"head '{name}' teaches one backbone that all heads read; sharing 'hard' has it")
        objective.connect(frontend, sharing.backbone)
        features, feature_lengths = WholeFeatures(frontend, name=f"{name}_features")(audio, audio_length)
        seen, hidden = features, None
        if objective.mask is not None:
            seen, hidden = objective.mask(features, feature_lengths)
        frames, lengths = sharing(seen, feature_lengths, {name: block})
        return objective(frames[name], lengths, features, feature_lengths, hidden)

    def __call__(self, inputs, *arguments, **options):
        return super().__call__(complete_inputs(inputs), *arguments, **options)

    def features(self, inputs) -> tuple:
        """The model as a feature extractor: what the backbone makes of recordings, as it runs after training.

        Args:
            inputs: Audio (batch, samples), or the dict with its lengths; also symbolic, to build a model upon.

        Returns:
            A list with the frames (batch, frames, channels) after each block, zero in the padding, and their number,
            int32 (batch,).

        Raises:
            ValueError: Its heads don't read frames of one backbone.
        """
        if not self.sharing.one_network:
            raise ValueError(f"model '{self.name}' has no frames that all its heads read; sharing 'hard' has")
        inputs = complete_inputs(inputs)
        features, lengths = self.frontend(inputs["audio"], inputs["audio_length"], training=False)
        return self.backbone(features, lengths, training=False)

    def forward_unpadded(self, audio) -> dict:
        """The outputs for utterances without padding, computed without any masking: the graph that devices run.

        Args:
            audio: float32 (batch, samples).
        """
        features, lengths = self.frontend(audio, None, training=False)
        frames, lengths = self.sharing(features, lengths, self.blocks, training=False)
        return {name: head(frames[name], lengths, training=False) for name, head in self.heads.items()
                if not head.unlabelled}

    def to_frames(self) -> keras.Model:
        """The part before the heads: see `speechzoo.multitask.frames.make_frames_model`."""
        from speechzoo.multitask.frames import make_frames_model

        return make_frames_model(self)

    def on_frames(self) -> keras.Model:
        """The heads alone, on what `to_frames()` gives: a `speechzoo.multitask.frames.HeadsModel`."""
        from speechzoo.multitask.frames import HeadsModel

        return HeadsModel(self)

    # -- streams -------------------------------------------------------------------------------------------------

    @property
    def can_stream(self) -> bool:
        """Whether the model is causal, so that `stream_step` and `stream` work."""
        return stream_step.can_stream(self)

    def initial_state(self, batch: int = 1) -> dict[str, np.ndarray]:
        """The state of `batch` streams that begin: zeros, by name."""
        return stream_step.initial_state(self, batch)

    def stream_step(self, samples, state: dict | None = None) -> tuple[dict, dict]:
        """One step of a stream: `(outputs by head, new state)`; see `speechzoo.multitask.stream_step.stream_step`."""
        return stream_step.stream_step(self, samples, state)

    def stream(self, **options) -> Stream:
        """Hears a stream: a `speechzoo.decoding.streams.stream.Stream`, which `options` are passed to.

        An exported file does the same many times as fast (`EdgeModel.stream`).
        """
        return Stream(self.stream_step, self.initial_state(), self.spec, decode_steps=self.decode_steps, **options)

    # -- recognition ---------------------------------------------------------------------------------------------

    @property
    def spec(self) -> dict:
        """What decoding needs to read the outputs: plain values, stored in every exported file.

        Of a model that can stream, `stream` says how it steps.
        """
        frame_seconds = self.frontend.frame_seconds * self.backbone.subsampling
        heads = {name: head.spec() for name, head in self.heads.items()}
        for name, spec in heads.items():
            if not self.heads[name].auxiliary and answer_kind(spec).framewise:
                spec["frame_seconds"] = frame_seconds
        spec = {"name": self.name, "sample_rate": self.frontend.sample_rate, "heads": heads}
        if self.can_stream:
            spec["stream"] = stream_step.stream_spec(self)
        return spec

    @functools.cached_property
    def decode_steps(self) -> dict[str, DecodeStep]:
        """Head -> one step of its decoder, of the heads that write token by token; see `Recognizer.decode_steps`."""
        return {name: DecodeStep(head) for name, head in self.heads.items() if isinstance(head, Seq2SeqHead)}

    @property
    def minimum_samples(self) -> int:
        """Audio shorter than two windows is padded with silence to this length, here and in every export."""
        return 2 * self.frontend.window_length

    def batch_outputs(self, audios: list[np.ndarray], heads: list[str] | None = None) -> list[dict[str, np.ndarray]]:
        """Every head's output for several recordings, in one padded batch; see `Recognizer.batch_outputs`."""
        if not audios:
            return []
        audio, lengths = pad_batch(audios, self.minimum_samples)
        outputs = self.predict_on_batch({"audio": audio, "audio_length": lengths})
        outputs = {name: np.asarray(output) for name, output in outputs.items()}
        return [{name: output[row] for name, output in outputs.items()} for row in range(len(audios))]
