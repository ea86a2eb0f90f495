"""Waveform augmentation: the numbers it draws, and its NumPy form.

What is random is drawn here, per batch and row, as a small vector of numbers; applying them is a pure function of the
audio, the numbers, the noises and the rooms. It exists twice: here for feeds without TensorFlow, and in `augment_graph`
inside the graph of tf.data. Both give the same samples to 1e-4.
"""

import dataclasses
import logging
from pathlib import Path

import numpy as np

from speechzoo.audio import AudioError
from speechzoo.config import AugmentConfig, ConfigError
from speechzoo.data.devices import make_devices
from speechzoo.data.hold_out import DEV
from speechzoo.data.manifest import read_manifest
from speechzoo.data.records import RecordError
from speechzoo.data.rooms import make_rooms
from speechzoo.data.utterance_audio import read_utterance_audio

LOGGER = logging.getLogger(__name__)

# Columns of the numbers. Neutral: speed 1, rooms and places -1, gain 0 dB, band 0, shift 0, device -1, silence 0 s.
(SPEED, ROOM, NOISE_PLACE, NOISE_SNR, GAIN, BAND, SHIFT, DEVICE, SILENCE, PLAYBACK_PLACE, PLAYBACK_RATIO,
 PLAYBACK_ROOM) = range(12)
NEUTRAL = np.array([1, -1, -1, 0, 0, 0, 0, -1, 0, -1, 0, -1], np.float32)
# Columns of what is added to the recording.
ADDED = np.isin(np.arange(len(NEUTRAL)), [NOISE_PLACE, NOISE_SNR, PLAYBACK_PLACE, PLAYBACK_RATIO, PLAYBACK_ROOM])
NUM_ROOMS = 48
NUM_DEVICES = 256
# Reverberation times of the rooms in which loudspeakers play, seconds.
PLAYBACK_ROOMS = (0.1, 0.6)
# A place in the noises is a number of milliseconds, exact in float32; two hours of 16-bit samples take 230 MB.
MAXIMUM_NOISE_SECONDS = 7200
# Telephone channels also lack what lies below 300 Hz (ITU-T G.712); wider codecs keep it.
TELEPHONE_UPPER, TELEPHONE_LOWER = 4000.0, 300.0
# Filters fall from one to zero within this share of their edge, half at the edge itself.
TRANSITION = 0.1
# Silence behind the signal into which filters ring, samples.
RINGING = 512


def _fft_sizes(limit=1 << 23):
    """Even sizes whose only prime factors are 2, 3, 5, 7 and 11: fast to transform, and at most 2 % apart."""
    sizes = np.array([2])
    for prime in (2, 3, 5, 7, 11):
        powers = prime ** np.arange(int(np.log(limit) / np.log(prime)) + 1)
        sizes = np.outer(sizes, powers).ravel()
        sizes = sizes[sizes <= limit]
    return np.sort(sizes).astype(np.int32)


FFT_SIZES = _fft_sizes()


class Augmenter:
    """Draws augmentations and applies them in NumPy.

    Args:
        config: Which augmentations, how probable and between which bounds.
        seed: Seed of the rooms and of every draw.
        root: Folder that `config.noise_manifest` is relative to.
        sample_rate: Hz.
        dev: For recordings that are measured, of models that take noise out: only noise is added, of the split `dev` of
            `noise_manifest`, to every recording and each time the same. (They would be clean otherwise, and nothing
            would be left to do.)

    Attributes:
        noises: int16 (samples,), all noises end to end.
        rooms: float32 (rooms, samples), impulse responses.
        playbacks: int16 (samples,), all that loudspeakers play end to end.
        playback_rooms: float32 (rooms, samples), impulse responses.
        devices: float32 (devices, samples), impulse responses.

    Raises:
        ConfigError: Noise without a manifest, or a bound that makes no sense.
    """

    def __init__(self, config: AugmentConfig, seed: int, root: str | Path = "", sample_rate: int = 16000,
                 dev: bool = False):
        if dev:
            config = AugmentConfig(noise=dataclasses.replace(config.noise, probability=1.0),
                                   noise_manifest=config.noise_manifest)
        self.config, self.seed, self.sample_rate, self.dev = config, seed, sample_rate, dev
        for name, positive in (("speed", True), ("reverberation", True), ("band_limit", True), ("gain", False),
                               ("noise", False), ("shift", False), ("device", True), ("silence", True),
                               ("playback", False)):
            bounds = getattr(config, name)
            if bounds.probability > 0 and (bounds.minimum > bounds.maximum or positive and bounds.minimum <= 0):
                raise ConfigError(f"augment.{name}: bounds {bounds.minimum:g} to {bounds.maximum:g} can't be used; "
                                  f"minimum must {'be above 0 and ' if positive else ''}not exceed maximum")
        self.noises = self.playbacks = np.zeros(1, np.int16)
        self.rooms = self.devices = self.playback_rooms = np.zeros((1, 1), np.float32)
        if config.noise.probability > 0:
            if not config.noise_manifest:
                raise ConfigError("augment.noise needs noise_manifest, a manifest of noises")
            self.noises = load_noises(_paths(root, config.noise_manifest), sample_rate, dev)
        if config.playback.probability > 0:
            if not config.playback_manifest:
                raise ConfigError("augment.playback needs playback_manifest, a manifest of what loudspeakers play")
            self.playbacks = load_noises(_paths(root, config.playback_manifest), sample_rate)
            self.playback_rooms = make_rooms(NUM_ROOMS, PLAYBACK_ROOMS, seed + 1, sample_rate)
        if config.reverberation.probability > 0:
            bounds = config.reverberation
            self.rooms = make_rooms(NUM_ROOMS, (bounds.minimum, bounds.maximum), seed, sample_rate)
        if config.device.probability > 0:
            bounds = config.device
            self.devices = make_devices(NUM_DEVICES, (bounds.minimum, bounds.maximum), seed, sample_rate)

    def neutral(self, rows: int) -> np.ndarray:
        """Numbers that change nothing, float32 (rows, 12)."""
        return np.tile(NEUTRAL, (rows, 1))

    def applies_to(self, plan, epoch: int | None) -> bool:
        """Whether the recordings of an epoch of `plan` are augmented; None is the pass of an evaluation."""
        return self.dev if epoch is None else plan.augmented(epoch)

    def draw(self, epoch: int, step: int, speeds: np.ndarray, silences: np.ndarray) -> np.ndarray:
        """The numbers of one batch, a pure function of seed, epoch and step.

        Args:
            epoch: Number of the epoch.
            step: Number of the batch in it.
            speeds: Playing speed of each row, which the batch plan has drawn, float (rows,).
            silences: Seconds of silence behind each row, which the batch plan has drawn, float (rows,).

        Returns:
            float32 (rows, 12), the columns as named above.
        """
        random = np.random.default_rng([self.seed, 100, epoch, step])
        rows = len(speeds)
        numbers = self.neutral(rows)
        numbers[:, SPEED], numbers[:, SILENCE] = speeds, silences

        def uniform(bounds):
            chosen, value = random.random((2, rows))
            return chosen < bounds.probability, bounds.minimum + value * (bounds.maximum - bounds.minimum)

        chosen, _ = uniform(self.config.reverberation)
        numbers[:, ROOM] = np.where(chosen, random.integers(len(self.rooms), size=rows), -1)
        chosen, numbers[:, NOISE_SNR] = uniform(self.config.noise)
        numbers[:, NOISE_PLACE] = np.where(chosen, random.integers(self._places(self.noises), size=rows), -1)
        for column, bounds in ((GAIN, self.config.gain), (BAND, self.config.band_limit), (SHIFT, self.config.shift)):
            numbers[:, column] = np.where(*uniform(bounds), 0)
        chosen, _ = uniform(self.config.device)
        numbers[:, DEVICE] = np.where(chosen, random.integers(len(self.devices), size=rows), -1)
        chosen, numbers[:, PLAYBACK_RATIO] = uniform(self.config.playback)
        numbers[:, PLAYBACK_PLACE] = np.where(chosen, random.integers(self._places(self.playbacks), size=rows), -1)
        numbers[:, PLAYBACK_ROOM] = np.where(chosen, random.integers(len(self.playback_rooms), size=rows), -1)
        return numbers

    def __call__(self, audio: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Augments one utterance.

        The order is that of the world: the talker speaks and falls silent, the room answers, noise joins and what a
        loudspeaker plays, the device colours, amplifies, limits the band and cuts.

        Args:
            audio: float32 (samples,).
            numbers: float32 (12,), one row of `draw`.

        Returns:
            float32 (samples,) in [-1, 1]; another number of samples when the speed changes or silence follows.
        """
        if not len(audio):
            return audio
        if numbers[SILENCE] > 0:
            audio = np.pad(audio, (0, int(np.rint(numbers[SILENCE] * numbers[SPEED] * np.float32(self.sample_rate)))))
        room = self.rooms[int(numbers[ROOM])] if numbers[ROOM] >= 0 else None
        if numbers[SPEED] != 1 or room is not None:
            audio = change_speed(audio, numbers[SPEED], room)
        if numbers[NOISE_PLACE] >= 0:
            audio = add_noise(audio, self._piece(self.noises, numbers[NOISE_PLACE], len(audio)), numbers[NOISE_SNR])
        if numbers[PLAYBACK_PLACE] >= 0:
            played = self._piece(self.playbacks, numbers[PLAYBACK_PLACE], len(audio))
            played = reverberate(played, self.playback_rooms[int(numbers[PLAYBACK_ROOM])])
            audio = add_noise(audio, played, numbers[PLAYBACK_RATIO])
        if numbers[DEVICE] >= 0:
            audio = reverberate(audio, self.devices[int(numbers[DEVICE])])
        if numbers[GAIN] != 0:
            audio = change_gain(audio, numbers[GAIN])
        if numbers[BAND] > 0:
            audio = limit_band(audio, numbers[BAND], self.sample_rate)
        if numbers[SHIFT] != 0:
            audio = shift(audio, int(np.rint(numbers[SHIFT] * np.float32(self.sample_rate))))
        return np.clip(audio, -1.0, 1.0).astype(np.float32)


    def _places(self, sounds):
        """Number of places, a millisecond apart, at which a piece of `sounds` can begin."""
        return max(1, len(sounds) * 1000 // self.sample_rate)

    def _piece(self, sounds, place, count):
        """`count` samples from a place on, float32, and again from the beginning behind the end."""
        first = int(place) * self.sample_rate // 1000
        return np.take(sounds, np.arange(first, first + count), mode="wrap").astype(np.float32)


def _paths(root, manifests) -> list[Path]:
    return [Path(root) / name for name in (manifests if isinstance(manifests, list) else [manifests])]


def without_noise(numbers: np.ndarray) -> np.ndarray:
    """The numbers of one row (12,) but for what adds other sounds: what a model that takes noise out shall give."""
    return np.where(ADDED, NEUTRAL, numbers)


def load_noises(manifests: list[Path], sample_rate: int, dev: bool = False) -> np.ndarray:
    """All recordings of some manifests end to end, int16 (samples,); two hours at most.

    Args:
        manifests: JSONL files.
        sample_rate: Hz.
        dev: Those of the split `dev` alone, in which models are measured; otherwise they are left out.

    Raises:
        ConfigError: A manifest is missing, or none of their recordings can be read.
    """
    parts, remaining = [], MAXIMUM_NOISE_SECONDS * sample_rate
    for manifest in manifests:
        if not manifest.is_file():
            raise ConfigError(f"{manifest}: no such manifest of noises")
        for utterance in read_manifest(manifest):
            if remaining <= 0:
                break
            if (utterance.get("split") == DEV) != dev:
                continue
            try:
                audio = read_utterance_audio(utterance, manifest.parent, sample_rate)[:remaining]
            except (AudioError, RecordError) as error:
                LOGGER.warning("skipped noise %s: %s", utterance["id"], error)
                continue
            parts.append(np.rint(audio * 32767).astype(np.int16))
            remaining -= len(audio)
    if not parts:
        which = "none of the noises can be read"
        if dev:
            which = (f"no noise of split '{DEV}' can be read, to measure enhancement in; prepare some with --hold-out, "
                     "or leave data.dev out")
        raise ConfigError(f"{', '.join(map(str, manifests))}: {which}")
    return np.concatenate(parts)


def change_speed(audio: np.ndarray, speed: float, response: np.ndarray | None = None) -> np.ndarray:
    """Plays faster (above 1) or slower, pitch and tempo together, in a room: (samples,) -> (samples / speed,).

    Resamples by cropping or extending the spectrum, which is ideal band-limited interpolation: nothing aliases, and
    what would lie above half the sample rate is gone. The factor is rounded up to the next ratio of two fast transform
    sizes (below 2 %, about 0.5 % beyond a second), so that the result is never longer than asked for.

    The room costs least here, where the spectrum is at hand: it is multiplied with that of the impulse response
    `response` (samples,). What rings on after the end is dropped.
    """
    samples = len(audio)
    ringing = RINGING if response is None else len(response)
    target = _fast_size(np.ceil(np.float32(samples) / speed) + ringing)
    source = _fast_size(max(np.ceil(np.float32(target) * speed), samples))
    spectrum = np.fft.rfft(audio, source)
    # Without the bin at half the sample rate, which stands for two, unless nothing is resized.
    kept = min(source, target) // 2 + (source == target)
    resized = np.zeros(target // 2 + 1, spectrum.dtype)
    resized[:kept] = spectrum[:kept]
    if response is not None:
        resized *= np.fft.rfft(response, target)
    length = -(-samples * target // source)
    return (np.fft.irfft(resized, target)[:length] * (target / source)).astype(np.float32)


def reverberate(audio: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Convolves (samples,) with a room's or a device's impulse response; what rings on after the end is dropped."""
    return change_speed(audio, np.float32(1), response)


def add_noise(audio: np.ndarray, noise: np.ndarray, snr: float) -> np.ndarray:
    """Adds noise (samples,) of any level so that the ratio of mean powers is `snr` dB; silence stays silent."""
    noise_power = np.mean(np.square(noise))
    if not noise_power:
        return audio
    return audio + noise * np.sqrt(np.mean(np.square(audio)) / noise_power * np.float32(10) ** (-snr / 10))


def change_gain(audio: np.ndarray, gain: float) -> np.ndarray:
    """Changes the level by `gain` dB."""
    return audio * np.float32(10) ** (gain / 20)


def limit_band(audio: np.ndarray, upper: float, sample_rate: int) -> np.ndarray:
    """Removes what lies above `upper` Hz, and below 300 Hz too where that is a telephone's band (up to 4 kHz)."""
    size = _fast_size(len(audio) + RINGING)
    frequency = np.arange(size // 2 + 1, dtype=np.float32) * np.float32(sample_rate / size)
    passed = _low_pass(frequency, upper)
    if upper <= TELEPHONE_UPPER:
        passed = passed * (1 - _low_pass(frequency, TELEPHONE_LOWER))
    return np.fft.irfft(np.fft.rfft(audio, size) * passed, size)[:len(audio)].astype(np.float32)


def shift(audio: np.ndarray, samples: int) -> np.ndarray:
    """Moves later (positive) or earlier; the length stays, what leaves is dropped and silence follows."""
    moved = np.zeros_like(audio)
    kept = max(0, len(audio) - abs(samples))
    if samples >= 0:
        moved[len(audio) - kept:] = audio[:kept]
    else:
        moved[:kept] = audio[len(audio) - kept:]
    return moved


def _low_pass(frequency, edge):
    """Gain that falls from 1 to 0 around the edge along half a cosine."""
    position = np.clip((frequency / edge - 1) / np.float32(TRANSITION) + 0.5, 0, 1)
    return 0.5 + 0.5 * np.cos(np.float32(np.pi) * position)


def _fast_size(samples) -> int:
    return int(FFT_SIZES[np.searchsorted(FFT_SIZES, int(samples))])
