"""Learning rate of a training run, and the optimizer that follows it."""

import math

import keras

from speechzoo.config import TrainingConfig
from speechzoo.training.rates import RatedAdamW


class Warmup(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up to the peak, then down to zero; a subclass says how.

    Args:
        peak: Learning rate at the end of the warm-up.
        warmup_steps: Steps of the warm-up; the first step already learns (`peak / warmup_steps`).
        total_steps: Step at which the rate reaches zero; it stays there.
    """

    def __init__(self, peak: float, warmup_steps: int, total_steps: int):
        if total_steps < 1 or warmup_steps < 0:
            raise ValueError("a schedule needs total_steps >= 1 and warmup_steps >= 0, "
                             f"got {total_steps} and {warmup_steps}")
        self.peak, self.warmup_steps, self.total_steps = peak, warmup_steps, total_steps

    def fall(self, progress):
        """What is left of the peak, 1 to 0, when `progress` of the way down, 0 to 1, is done."""
        return 1.0 - progress

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        # A run shorter than its warm-up still has to learn: then the warm-up takes a tenth of it.
        warmup = float(self.warmup_steps if self.warmup_steps < self.total_steps else max(self.total_steps // 10, 1))
        rising = (step + 1) / max(warmup, 1.0)
        progress = keras.ops.clip((step - warmup) / max(self.total_steps - warmup, 1.0), 0.0, 1.0)
        return self.peak * keras.ops.where(step < warmup, rising, self.fall(progress))

    def get_config(self):
        return {"peak": self.peak, "warmup_steps": self.warmup_steps, "total_steps": self.total_steps}


@keras.saving.register_keras_serializable(package="speechzoo")
class WarmupCosine(Warmup):
    """Linear warm-up, then half a cosine down to zero (Loshchilov and Hutter 2017, equation 5, one cycle).

    Example:
        >>> optimizer = keras.optimizers.AdamW(WarmupCosine(peak=1e-3, warmup_steps=100, total_steps=1000))
    """

    def fall(self, progress):
        return 0.5 * (1 + keras.ops.cos(math.pi * progress))


@keras.saving.register_keras_serializable(package="speechzoo")
class WarmupLinear(Warmup):
    """Linear warm-up, then a straight line down to zero (Devlin et al. 2019, https://arxiv.org/abs/1810.04805)."""


# `training.decay` -> class.
SCHEDULES = {"cosine": WarmupCosine, "linear": WarmupLinear}


def make_optimizer(settings: TrainingConfig, total_steps: int,
                   rates: dict[str, float] | None = None,
                   starts: dict[str, int] | None = None) -> keras.optimizers.Optimizer:
    """AdamW as `settings` want it, for a run of `total_steps`; with `rates` and `starts` as `RatedAdamW` takes them."""
    averaging = {"use_ema": True, "ema_momentum": settings.ema_momentum} if settings.ema_momentum else {}
    schedule = SCHEDULES[settings.decay](settings.learning_rate, settings.warmup_steps, total_steps)
    of_weights = {"rates": rates, "starts": starts} if rates or starts else {}
    kind = RatedAdamW if of_weights else keras.optimizers.AdamW
    return kind(schedule, weight_decay=settings.weight_decay, global_clipnorm=settings.gradient_clip_norm, **averaging,
                **of_weights)
