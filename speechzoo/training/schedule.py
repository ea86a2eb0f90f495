"""Learning rate of a training run, and the optimizer that follows it."""

import math

import keras

from speechzoo.config import TrainingConfig


@keras.saving.register_keras_serializable(package="speechzoo")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up to the peak, then half a cosine down to zero (Loshchilov and Hutter 2017, equation 5, one cycle).

    Args:
        peak: Learning rate at the end of the warm-up.
        warmup_steps: Steps of the warm-up; the first step already learns (`peak / warmup_steps`).
        total_steps: Step at which the rate reaches zero; it stays there.

    Example:
        >>> optimizer = keras.optimizers.AdamW(WarmupCosine(peak=1e-3, warmup_steps=100, total_steps=1000))
    """

    def __init__(self, peak: float, warmup_steps: int, total_steps: int):
        if total_steps < 1 or warmup_steps < 0:
            raise ValueError("a schedule needs total_steps >= 1 and warmup_steps >= 0, "
                             f"got {total_steps} and {warmup_steps}")
        self.peak, self.warmup_steps, self.total_steps = peak, warmup_steps, total_steps

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        # A run shorter than its warm-up still has to learn: then the warm-up takes a tenth of it.
        warmup = float(self.warmup_steps if self.warmup_steps < self.total_steps else max(self.total_steps // 10, 1))
        rising = (step + 1) / max(warmup, 1.0)
        progress = keras.ops.clip((step - warmup) / max(self.total_steps - warmup, 1.0), 0.0, 1.0)
        falling = 0.5 * (1 + keras.ops.cos(math.pi * progress))
        return self.peak * keras.ops.where(step < warmup, rising, falling)

    def get_config(self):
        return {"peak": self.peak, "warmup_steps": self.warmup_steps, "total_steps": self.total_steps}


def make_optimizer(settings: TrainingConfig, total_steps: int) -> keras.optimizers.Optimizer:
    """AdamW as `settings` want it, for a run of `total_steps`."""
    averaging = {"use_ema": True, "ema_momentum": settings.ema_momentum} if settings.ema_momentum else {}
    schedule = WarmupCosine(settings.learning_rate, settings.warmup_steps, total_steps)
    return keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay,
                                  global_clipnorm=settings.gradient_clip_norm, **averaging)
