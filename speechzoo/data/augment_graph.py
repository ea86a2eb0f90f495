"""Waveform augmentation inside of TensorFlow's graph; each function is the twin of the one in `augment`, see there."""

import math

import numpy as np
import tensorflow as tf

from speechzoo.data.augment import (ADDED, BAND, DEVICE, FFT_SIZES, GAIN, NEUTRAL, NOISE_PLACE, NOISE_SNR,
                                    PLAYBACK_PLACE, PLAYBACK_RATIO, PLAYBACK_ROOM, RINGING, ROOM, SHIFT, SILENCE, SPEED,
                                    TELEPHONE_LOWER, TELEPHONE_UPPER, TRANSITION, Augmenter)


class GraphAugmenter:
    """Applies the numbers that `augmenter` draws; what is off for an utterance is skipped and costs nothing.

    Args:
        augmenter: Holds the settings, noises and rooms.
    """

    def __init__(self, augmenter: Augmenter):
        self.config, self.sample_rate = augmenter.config, augmenter.sample_rate
        self.noises = tf.constant(augmenter.noises)
        self.rooms, self.devices = tf.constant(augmenter.rooms), tf.constant(augmenter.devices)
        self.playbacks, self.playback_rooms = tf.constant(augmenter.playbacks), tf.constant(augmenter.playback_rooms)

    def __call__(self, audio: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        """Augments one utterance: float32 (samples,) and (12,) -> float32 (samples,)."""
        return tf.cond(tf.size(audio) > 0, lambda: self._augment(audio, numbers), lambda: audio)

    @staticmethod
    def without_noise(numbers: tf.Tensor) -> tf.Tensor:
        """See `augment.without_noise`."""
        return tf.where(tf.constant(ADDED), tf.constant(NEUTRAL), numbers)

    def _augment(self, audio, numbers):
        stages = [
            ((self.config.silence,), numbers[SILENCE] > 0, self._add_silence),
            ((self.config.speed, self.config.reverberation), (numbers[SPEED] != 1) | (numbers[ROOM] >= 0), self._play),
            ((self.config.noise,), numbers[NOISE_PLACE] >= 0, self._add_noise),
            ((self.config.playback,), numbers[PLAYBACK_PLACE] >= 0, self._add_playback),
            ((self.config.device,), numbers[DEVICE] >= 0,
             lambda audio, _: reverberate(audio, self.devices[tf.cast(numbers[DEVICE], tf.int32)])),
            ((self.config.gain,), numbers[GAIN] != 0, lambda audio, _: change_gain(audio, numbers[GAIN])),
            ((self.config.band_limit,), numbers[BAND] > 0,
             lambda audio, _: limit_band(audio, numbers[BAND], self.sample_rate)),
            ((self.config.shift,), numbers[SHIFT] != 0, self._shift),
        ]
        for bounds, chosen, apply in stages:
            if any(bound.probability > 0 for bound in bounds):
                audio = tf.ensure_shape(tf.cond(chosen, lambda: apply(audio, numbers), lambda: audio), [None])
        return tf.clip_by_value(audio, -1.0, 1.0)

    def _add_silence(self, audio, numbers):
        samples = tf.cast(tf.round(numbers[SILENCE] * numbers[SPEED] * self.sample_rate), tf.int32)
        return tf.pad(audio, [[0, samples]])

    def _play(self, audio, numbers):
        if not self.config.reverberation.probability:
            return change_speed(audio, numbers[SPEED])
        return tf.cond(numbers[ROOM] >= 0,
                       lambda: change_speed(audio, numbers[SPEED], self.rooms[tf.cast(numbers[ROOM], tf.int32)]),
                       lambda: change_speed(audio, numbers[SPEED]))

    def _add_noise(self, audio, numbers):
        return add_noise(audio, self._piece(self.noises, numbers[NOISE_PLACE], tf.size(audio)), numbers[NOISE_SNR])

    def _add_playback(self, audio, numbers):
        played = self._piece(self.playbacks, numbers[PLAYBACK_PLACE], tf.size(audio))
        played = reverberate(played, self.playback_rooms[tf.cast(numbers[PLAYBACK_ROOM], tf.int32)])
        return add_noise(audio, played[:tf.size(audio)], numbers[PLAYBACK_RATIO])

    def _piece(self, sounds, place, count):
        # In 64 bits: in 32, milliseconds times the rate overflow after two minutes.
        first = tf.cast(tf.cast(place, tf.int64) * self.sample_rate // 1000, tf.int32)
        piece = sounds[first:first + count]
        missing = count - tf.size(piece)
        size = tf.size(sounds)
        around = tf.tile(sounds, [(missing + size - 1) // size])[:missing]  # tiles nothing when nothing is missing
        return tf.cast(tf.concat([piece, around], 0), tf.float32)

    def _shift(self, audio, numbers):
        return shift(audio, tf.cast(tf.round(numbers[SHIFT] * self.sample_rate), tf.int32))


def change_speed(audio, speed, response=None):
    """See `augment.change_speed`."""
    samples = tf.size(audio)
    ringing = RINGING if response is None else tf.size(response)
    target = _fast_size(tf.cast(tf.math.ceil(tf.cast(samples, tf.float32) / speed), tf.int32) + ringing)
    source = _fast_size(tf.maximum(tf.cast(tf.math.ceil(tf.cast(target, tf.float32) * speed), tf.int32), samples))
    spectrum = tf.signal.rfft(audio, [source])
    kept = tf.minimum(source, target) // 2 + tf.cast(source == target, tf.int32)
    resized = tf.pad(spectrum[:kept], [[0, target // 2 + 1 - kept]])
    if response is not None:
        resized *= tf.signal.rfft(response, [target])
    # 64 bits: samples x size passes 2^31 after three seconds.
    length = -(-tf.cast(samples, tf.int64) * tf.cast(target, tf.int64) // tf.cast(source, tf.int64))
    return tf.signal.irfft(resized, [target])[:length] * (tf.cast(target, tf.float32) / tf.cast(source, tf.float32))


def reverberate(audio, response):
    """See `augment.reverberate`."""
    return change_speed(audio, 1.0, response)


def add_noise(audio, noise, snr):
    """See `augment.add_noise`."""
    ratio = tf.math.divide_no_nan(tf.reduce_mean(tf.square(audio)), tf.reduce_mean(tf.square(noise)))
    return audio + noise * tf.sqrt(ratio * 10.0 ** (-snr / 10.0))


def change_gain(audio, gain):
    """See `augment.change_gain`."""
    return audio * 10.0 ** (gain / 20.0)


def limit_band(audio, upper, sample_rate):
    """See `augment.limit_band`."""
    size = _fast_size(tf.size(audio) + RINGING)
    frequency = tf.cast(tf.range(size // 2 + 1), tf.float32) * (sample_rate / tf.cast(size, tf.float32))
    telephone = 1.0 - _low_pass(frequency, TELEPHONE_LOWER)
    passed = _low_pass(frequency, upper) * tf.where(upper <= TELEPHONE_UPPER, telephone, tf.ones_like(telephone))
    return tf.signal.irfft(tf.signal.rfft(audio, [size]) * tf.cast(passed, tf.complex64), [size])[:tf.size(audio)]


def shift(audio, samples):
    """See `augment.shift`."""
    samples = tf.clip_by_value(samples, -tf.size(audio), tf.size(audio))
    padded = tf.pad(audio, [[tf.maximum(samples, 0), tf.maximum(-samples, 0)]])
    return padded[tf.maximum(-samples, 0):][:tf.size(audio)]


def _low_pass(frequency, edge):
    position = tf.clip_by_value((frequency / edge - 1.0) / TRANSITION + 0.5, 0.0, 1.0)
    return 0.5 + 0.5 * tf.cos(np.float32(math.pi) * position)


def _fast_size(samples):
    return tf.gather(FFT_SIZES, tf.searchsorted(FFT_SIZES, tf.expand_dims(samples, 0))[0])
