"""What every penalty has in common."""

from pathlib import Path

import keras
from keras import ops


class Penalty(keras.layers.Layer):
    """A term of the training loss that no weighting touches and no evaluation has.

    Its variables are kept in the checkpoints of a run, under `penalty/`, and in no weights file; those that are
    trainable train with the model. It makes them in `start`, with shapes that don't depend on whether the run begins or
    goes on. `keras.ops` only.

    Attributes:
        needs_weights: Whether it means anything only in a run that starts from weights.
        source_option: Name of the constructor's argument, and of the attribute, with the path of a file that it needs
            whenever it trains, such as a teacher's weights; a run that goes on must find the same file. None without.
        teacher: A model that answers each batch beside the one that trains, see `use_teacher`.
        may_change: Options that may be others when a run goes on.
        unlabelled: Whether recordings without any label train, too.
        taps: Name -> block of the backbone whose frames it needs among the model's outputs, with their number as
            `frame_length`; None when it needs neither. Known before the model is built.
        batch_inputs: Name -> (shape, dtype) of what it needs among the inputs beside the model's own, which
            `outputs_of` adds. Known after `start`.
        fields: Fields of the utterances that it learns from, such as `corpus`. Known before the data are read.
        values: Field -> its values in the training data, sorted. Set before `start`.
        total_steps: Steps of the whole run. Set before `start`.
        loaded: Paths of the model's weights that the file had which the run starts from; none in a run that goes on
            without it. Set before `start`.
    """

    needs_weights = False
    source_option: str | None = None
    teacher: keras.Model | None = None
    may_change: tuple[str, ...] = ()
    unlabelled = False
    taps: dict[str, int] | None = None
    fields: tuple[str, ...] = ()
    total_steps = 1

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.loaded = frozenset()
        self.values = {}
        self.batch_inputs = {}
        self.built = True

    def source_file(self) -> Path | None:
        """The file that `source_option` names; None without."""
        return Path(getattr(self, self.source_option)) if self.source_option else None

    def start(self, model: keras.Model):
        """Called once, after the starting weights were loaded and before a checkpoint is.

        Args:
            model: The MultiTaskModel; what is frozen is frozen.
        """

    def use_teacher(self, teacher: keras.Model):
        """Keeps a MultiTaskModel that was read from the source; `call` asks it: `self.teacher(inputs, training=False)`.

        It doesn't train, and no file of the run holds its weights. It takes audio, so features can't be cached.
        """
        teacher.trainable = False
        self.teacher = teacher

    def outputs_of(self, folder: Path, plan, reader, drawn):
        """What adds `batch_inputs` to the batches of a plan; only asked where there are any.

        Args:
            folder: Folder of the run.
            plan: `BatchPlan` of the training data.
            reader: `AudioReader` of its utterances.
            drawn: Utterances that its batches hold, int (utterances,).

        Returns:
            What has `add_to(batches, plan)` and, for `data.json`, `report()`; a `FrameStore` is filled before.
        """

    @property
    def own_weights(self) -> list[keras.Variable]:
        """The variables that checkpoints keep: all but the teacher's, which are read from the source again."""
        read = {id(weight) for weight in self.teacher.weights} if self.teacher is not None else set()
        return [weight for weight in self.weights if id(weight) not in read]

    def call(self, model: keras.Model, inputs: dict, outputs: dict):
        """The penalty on one batch.

        Args:
            model: What trains: the MultiTaskModel, or its heads alone (`on_frames`) where features are cached.
            inputs: Its inputs.
            outputs: Head -> output.

        Returns:
            Scalar, at the scale of the total loss.
        """
        return ops.zeros(())
