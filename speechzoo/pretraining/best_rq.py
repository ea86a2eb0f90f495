"""BEST-RQ: masked prediction of codes that a random projection gives to features."""

import keras
import numpy as np
from keras import ops

from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.quantizable import FrameDense
from speechzoo.pretraining.feature_mask import FeatureMask
from speechzoo.pretraining.frames import normalize, row_means, stack_frames
from speechzoo.pretraining.objective import Objective


@keras.saving.register_keras_serializable(package="speechzoo")
class BestRQ(Objective):
    """Predicts, where the features of a frame are hidden, the code that a random-projection quantizer gives them.

    The features that an output frame stands for are normalised (each bin, over the recording), put side by side and
    projected by a random matrix; the code is the number of the random vector of the codebook that lies in the nearest
    direction. Projection and codebook come from `seed` and never change; they are in no weights file.

    Args:
        codebook_size: Codes.
        code_size: Numbers of a vector of the codebook.
        mask_probability: That a span begins at a frame of 10 ms.
        mask_seconds: Length of a span.
        noise: Standard deviation of what replaces hidden features, in standard deviations of the others.
        seed: Seed of projection, codebook and masks.

    Returns:
        float32 (batch, 2): the cross entropy of each recording, nats per hidden frame, and the share of its hidden
        frames whose code is the most likely one.

    Reference: Chiu et al. 2022, https://arxiv.org/abs/2202.01855, sections 3.1 and 4: 8,192 vectors of 16 numbers, a
    Xavier-uniform projection, a normal codebook, spans of 400 ms with probability 0.01, noise of deviation 0.1.
    """

    measures = ("accuracy",)

    def __init__(self, codebook_size: int = 8192, code_size: int = 16, mask_probability: float = 0.01,
                 mask_seconds: float = 0.4, noise: float = 0.1, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.codebook_size = codebook_size
        self.code_size = code_size
        self.mask_probability = mask_probability
        self.mask_seconds = mask_seconds
        self.noise = noise
        self.seed = seed
        self.logits = FrameDense(codebook_size, dtype=self.dtype_policy, name="logits")

    def make_mask(self, frontend, backbone):
        frame_seconds = frontend.frame_seconds * backbone.subsampling
        probability = 1.0 - (1.0 - self.mask_probability) ** (frame_seconds / 0.01)
        return FeatureMask(probability, max(1, round(self.mask_seconds / frame_seconds)), backbone.subsampling,
                           noise=self.noise, seed=self.seed, name=f"{self.name}_mask")

    def connect(self, frontend, backbone):
        if self.built:
            return
        super().connect(frontend, backbone)
        random = np.random.default_rng(self.seed)
        inputs = self.number * self.num_features
        limit = np.sqrt(6.0 / (inputs + self.code_size))
        self.projection = random.uniform(-limit, limit, (inputs, self.code_size)).astype(np.float32)
        codebook = random.standard_normal((self.codebook_size, self.code_size))
        self.codebook = (codebook / np.linalg.norm(codebook, axis=1, keepdims=True)).astype(np.float32)

    def build(self, frames_shape, *_):
        self.logits.build((None, None, frames_shape[-1]))

    def codes(self, features, lengths, num_frames):
        """Features (batch, feature frames, bins) -> their codes, int32 (batch, num_frames).

        Of unit vectors, the nearest has the greatest product.
        """
        stacked = stack_frames(normalize(features, lengths), self.number, num_frames)
        products = ops.matmul(ops.matmul(stacked, self.projection), self.codebook.T)
        return ops.cast(ops.argmax(products, axis=-1), "int32")

    def call(self, frames, lengths, features, feature_lengths, hidden, training=False):
        """Frames (batch, frames, channels), features (batch, feature frames, bins) -> float32 (batch, 2)."""
        num_frames = ops.shape(frames)[1]
        codes = self.codes(features, feature_lengths, num_frames)
        # All of a frame's features are hidden, or it has seen some of what it shall guess.
        weights = ops.min(stack_frames(hidden, self.number, num_frames), axis=-1)
        weights = weights * sequence_mask(lengths, frames)[..., 0]
        logits = self.logits(frames)
        losses = -ops.take_along_axis(ops.log_softmax(logits), codes[..., None], axis=-1)[..., 0]
        right = ops.cast(ops.cast(ops.argmax(logits, axis=-1), "int32") == codes, "float32")
        return ops.stack([row_means(losses, weights), row_means(right, weights)], axis=-1)

    def spec(self):
        return {"type": "best_rq", "label": self.label}

    def get_config(self):
        return {**super().get_config(), "codebook_size": self.codebook_size, "code_size": self.code_size,
                "mask_probability": self.mask_probability, "mask_seconds": self.mask_seconds, "noise": self.noise,
                "seed": self.seed}
