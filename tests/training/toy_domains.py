"""Two domains of points, in which a model that knows only the first fails."""

import keras
import numpy as np

from speechzoo.heads.classifier import ClassifierHead
from speechzoo.multitask.task_training import TaskTraining
from speechzoo.multitask.weighting import StaticWeighting
from speechzoo.training.penalties import CORAL, MMD, Adversarial

SIZE = 64


def draw(count: int, target: bool, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points float32 (count, 1 frame, 2 numbers) and their classes.

    Both numbers say the class in the source, the second louder. In the target the second says class 1 of all points, so
    that a model that listens to it takes nearly all of them for class 1.
    """
    random = np.random.default_rng(seed)
    classes = random.integers(0, 2, count)
    signs = 2.0 * classes - 1.0
    loud = np.full(count, 1.5) if target else 1.5 * signs
    points = np.stack([signs + 0.4 * random.standard_normal(count), loud + 0.5 * random.standard_normal(count)], axis=-1)
    return points[:, None].astype(np.float32), classes.astype(np.int32)


class Toy(TaskTraining, keras.Model):
    """Points -> a hidden layer -> a classifier head; the hidden layer is the block that penalties hear."""

    def __init__(self, penalties, total_steps: int):
        points = keras.Input((1, 2), name="points")
        hidden = keras.layers.Dense(16, activation="relu", name="hidden")(points)
        head = ClassifierHead(["a", "b"], dropout=0, name="label")
        length = keras.ops.cast(keras.ops.sum(0.0 * points, axis=(1, 2)) + 1.0, "int32")
        super().__init__({"points": points}, {"label": head(hidden, length), "frame_length": length,
                                              **{penalty.tap: hidden for penalty in penalties}})
        self.heads, self.penalties = {"label": head}, list(penalties)
        self.weighting = StaticWeighting({"label": 1.0}, name="weighting")
        for penalty in penalties:
            penalty.values, penalty.total_steps = {"corpus": ["source", "target"]}, total_steps
            penalty.start(self)

    def accuracy(self, points: np.ndarray, classes: np.ndarray) -> float:
        """Share of the points whose class it says."""
        return float(np.mean(np.argmax(keras.ops.convert_to_numpy(self({"points": points})["label"]), -1) == classes))


def train(penalties, optimizer: keras.optimizers.Optimizer, steps: int = 300) -> Toy:
    """A model that had labels of the source only, and penalties that heard both."""
    keras.utils.set_random_seed(1)
    model = Toy(penalties, steps)
    model.compile(optimizer)
    for step in range(steps):
        (source, classes), (target, _) = draw(SIZE, False, 2 * step), draw(SIZE, True, 2 * step + 1)
        inputs = {"points": np.concatenate([source, target])}
        inputs |= {penalty.domain_input: np.repeat(np.int32([0, 1]), SIZE) for penalty in penalties}
        weights = np.repeat(np.float32([1, 0]), SIZE)
        model.train_on_batch(inputs, {"label": np.concatenate([classes, 0 * classes])}, {"label": weights})
    return model


# Penalty and optimizer of each method. The adversary's game needs steps that grow smaller as the two come to agree: Adam
# gives them all one size, and circles.
SOLVERS = {"adversarial": lambda: ([Adversarial(1, name="adversarial")], keras.optimizers.SGD(0.1)),
           "coral": lambda: ([CORAL(1, "target", strength=100.0, name="coral")], keras.optimizers.Adam(0.01)),
           "mmd": lambda: ([MMD(1, "target", strength=3.0, name="mmd")], keras.optimizers.Adam(0.01))}


if __name__ == "__main__":  # on another backend
    for solver, make in SOLVERS.items():
        print(solver, train(*make()).accuracy(*draw(500, True, 999)))
