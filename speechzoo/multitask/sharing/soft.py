"""A network for each task, pulled together."""

import keras
from keras import ops

from speechzoo.multitask.sharing.sharing import Sharing

# Added to the squared singular values, as a fraction of their sum: bounds the gradient where one of them is 0.
_SMALLEST_SQUARE = 1e-7


@keras.saving.register_keras_serializable(package="speechzoo")
class SoftSharing(Sharing):
    """Soft parameter sharing: every head has a backbone of its own, and a penalty on the distance of their parameters.

    - `l2`: sum over pairs of tasks s < t of ||W_s - W_t||^2 (Duong et al. 2015, https://aclanthology.org/P15-2139,
      section 2.3, for two networks).
    - `trace_norm`: sum of the singular values of the matrix that has a task's flattened parameter in each column
      (Yang and Hospedales 2017, https://arxiv.org/abs/1606.04038, section 3, last axis flattening), of each parameter.

    The penalty is the sum over all trainable parameters of the backbones, each times its layer's strength. It is part
    of the training loss and not of an evaluation's. A model that is loaded with one head has that head's backbone only.

    Args:
        backbone, tasks: See `Sharing`.
        distance: `l2` or `trace_norm`.
        strength: Factor of the penalty, for layers that `strengths` doesn't name.
        strengths: Layer of the backbone -> its factor: `{subsampling: 0, block_1: 0.01}` is for those whose name begins
            so; the longest match counts.

    Raises:
        ValueError: Another distance, a negative strength, or one for a layer that the backbone doesn't have.
    """

    cost = "a backbone for each head; one of them runs for one head"

    def __init__(self, backbone, tasks: list[str], distance: str = "l2", strength: float = 1e-4,
                 strengths: dict | None = None):
        super().__init__(backbone, tasks)
        self.networks = {task: self.copy_of_backbone(task) for task in tasks}
        self.distance = ParameterDistance(self.networks, distance, strength, strengths, name="parameter_distance")

    def __call__(self, features, lengths, blocks: dict[str, int], training=None):
        frames = {}
        for head, block in blocks.items():
            outputs, frame_lengths = self.networks[head](features, lengths, training=training)
            frames[head] = outputs[block - 1]
        if len(frames) > 1:
            frames = self.distance(frames, training=training)
        return frames, frame_lengths

    def get_config(self):
        return {**super().get_config(), "distance": self.distance.distance, "strength": self.distance.strength,
                "strengths": self.distance.strengths}


@keras.saving.register_keras_serializable(package="speechzoo")
class ParameterDistance(keras.layers.Layer):
    """Passes its input on, and adds a penalty on the distance between networks to the training loss.

    Args:
        networks: Name -> layer; all have the same architecture.
        distance, strength, strengths: See `SoftSharing`.

    Call arguments:
        frames: Name -> anything, for the networks to compare.
    """

    def __init__(self, networks: dict, distance: str = "l2", strength: float = 1e-4, strengths: dict | None = None,
                 **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        if distance not in _DISTANCES:
            raise ValueError(f"soft sharing: distance '{distance}' is not l2 or trace_norm")
        self.networks = networks
        self.distance = distance
        self.strength = float(strength)
        self.strengths = {str(layer): float(value) for layer, value in (strengths or {}).items()}
        for value in (self.strength, *self.strengths.values()):
            if not value >= 0:
                raise ValueError(f"soft sharing: strength {value:g} is not 0 or more")

    def build(self, frames_shape):
        # The networks have given the frames, so they have their parameters.
        paths = [_inside(variable) for variable in self.networks[next(iter(frames_shape))].trainable_variables]
        for layer in self.strengths:
            if not any(map(_is_of(layer), paths)):
                known = ", ".join(dict.fromkeys(path.split("/")[0] for path in paths))
                raise ValueError(f"soft sharing: strengths names '{layer}'; the backbone has: {known}")

    def call(self, frames, training=False):
        """Head -> frames: passed on as they are; adds the penalty as a loss while `training`."""
        if training:
            self.add_loss(self.penalty(frames))
        return frames

    def penalty(self, names):
        """The penalty on the networks of these names: a scalar."""
        total = 0.0
        for variables in zip(*[self.networks[name].weights for name in names], strict=True):
            strength = self.strength_of(_inside(variables[0]))
            # Of a network that is frozen, the others' distance to it counts.
            if strength and any(variable.trainable for variable in variables):
                columns = ops.stack([ops.reshape(ops.cast(variable, "float32"), (-1,)) for variable in variables], 1)
                total = total + strength * _DISTANCES[self.distance](columns)
        return ops.convert_to_tensor(total, "float32")

    def strength_of(self, path: str) -> float:
        """The factor of a parameter, by its path inside the network."""
        matches = [layer for layer in self.strengths if _is_of(layer)(path)]
        return self.strengths[max(matches, key=len)] if matches else self.strength


def _inside(variable):
    """The path of a parameter inside its network."""
    return variable.path.split("/", 1)[-1]


def _is_of(layer):
    """Whether a path is that of a layer: block_1/... and block_1_... are of block_1, block_10/... is not."""
    return lambda path: path.startswith((f"{layer}/", f"{layer}_"))


def l2_distance(columns):
    """Sum of the squared distances between all pairs of columns of (parameters, tasks)."""
    # By way of the mean: sum over pairs = number of columns x sum of squared distances to their mean.
    return columns.shape[1] * ops.sum(ops.square(columns - ops.mean(columns, axis=1, keepdims=True)))


def trace_norm(columns):
    """Sum of the singular values of (parameters, tasks)."""
    # As tr(G^(1/2)) with G of tasks x tasks only. The trace norm is the minimum over W of (tr(G W^-1) + tr W) / 2,
    # which is at W = G^(1/2): with W held constant there, value and gradient are those of the norm, on every backend.
    gram = ops.matmul(ops.transpose(columns), columns)
    squares, vectors = ops.linalg.eigh(ops.stop_gradient(gram))
    squares = ops.maximum(squares, 0.0)
    roots = ops.sqrt(squares + _SMALLEST_SQUARE * ops.sum(squares) + 1e-30)
    inverse = ops.matmul(vectors / roots, ops.transpose(vectors))
    return 0.5 * (ops.sum(inverse * gram) + ops.sum(roots))


_DISTANCES = {"l2": l2_distance, "trace_norm": trace_norm}
