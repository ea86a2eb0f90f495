"""Simulated rooms: impulse responses of rectangular rooms by the image method.

Reference: Allen and Berkley, "Image method for efficiently simulating small-room acoustics", JASA 65(4), 1979.
"""

import numpy as np

SPEED_OF_SOUND = 343.0
# Responses end where they have decayed by this much: what follows is inaudible and costs most of the images.
DECAY_DB = 40.0
# Room dimensions (metres): from a bathroom to a large living room.
SMALLEST_ROOM, LARGEST_ROOM = np.array([2.5, 2.0, 2.3]), np.array([8.0, 6.0, 3.5])
WALL_DISTANCE = 0.4
TALKER_DISTANCE = (0.5, 4.0)


def make_rooms(count: int, reverberation: tuple[float, float], seed: int, sample_rate: int = 16000) -> np.ndarray:
    """Impulse responses of random rooms whose reverberation times lie evenly between two bounds.

    Every response begins with the direct path, so that labels stay in time, and has the energy 1, so that levels stay.

    Args:
        count: Number of rooms.
        reverberation: Least and greatest reverberation time (RT60), seconds.
        seed: Seed of dimensions and positions.
        sample_rate: Hz.

    Returns:
        float32 (rooms, samples), in the order of the reverberation times, padded with zeros.
    """
    random = np.random.default_rng(seed)
    times = np.linspace(*reverberation, count)
    responses = []
    for time in times:
        size = random.uniform(SMALLEST_ROOM, LARGEST_ROOM)
        while True:
            source, microphone = random.uniform(WALL_DISTANCE, size - WALL_DISTANCE, (2, 3))
            if TALKER_DISTANCE[0] <= np.linalg.norm(source - microphone) <= TALKER_DISTANCE[1]:
                break
        response = impulse_response(size, source, microphone, time, sample_rate)
        responses.append(response / np.sqrt(np.sum(response ** 2)))
    result = np.zeros((count, max(map(len, responses))), np.float32)
    for row, response in zip(result, responses):
        row[:len(response)] = response
    return result


def impulse_response(size: np.ndarray, source: np.ndarray, microphone: np.ndarray, reverberation: float,
                     sample_rate: int = 16000) -> np.ndarray:
    """Response of one room from its direct path on (equation 10 of the paper, all walls alike).

    The coefficient follows from the reverberation time by Eyring's formula; what then is measured is up to 40 % longer,
    since the sound between far walls decays more slowly than the mean that the formula assumes. As in the paper,
    arrivals are rounded to samples, and a high-pass filter at 100 Hz removes what is unphysical at low frequencies.

    Args:
        size: Length, width and height, metres.
        source: Position of the talker, metres.
        microphone: Position of the microphone, metres.
        reverberation: Reverberation time (RT60), seconds.
        sample_rate: Hz.

    Returns:
        float64 (samples,), 1 / (4 pi distance) at the direct path.
    """
    volume = np.prod(size)
    surface = 2 * (size[0] * size[1] + size[0] * size[2] + size[1] * size[2])
    coefficient = np.exp(-12 * np.log(10) * volume / (SPEED_OF_SOUND * surface * reverberation))
    direct = np.linalg.norm(source - microphone)
    reach = direct + SPEED_OF_SOUND * reverberation * DECAY_DB / 60
    positions, reflections = [], []
    for axis in range(3):
        order = int(np.ceil(reach / (2 * size[axis])))
        n = np.arange(-order, order + 1)
        # Image n on either side: mirrored (q = 1) or not; |n - q| + |n| walls were hit on the way.
        images = np.concatenate([2 * n * size[axis] + source[axis], 2 * n * size[axis] - source[axis]])
        positions.append(images - microphone[axis])
        reflections.append(np.concatenate([np.abs(2 * n), np.abs(n - 1) + np.abs(n)]))
    response = np.zeros(int(np.ceil((reach - direct) / SPEED_OF_SOUND * sample_rate)) + 1)
    plane = positions[1][:, None] ** 2 + positions[2] ** 2
    hits = reflections[1][:, None] + reflections[2]
    for offset, number in zip(positions[0], reflections[0]):
        distance = np.sqrt(offset ** 2 + plane)
        delay = np.rint((distance - direct) / SPEED_OF_SOUND * sample_rate).astype(int)
        heard = delay < len(response)
        amplitude = coefficient ** (number + hits[heard]) / (4 * np.pi * distance[heard])
        response += np.bincount(delay[heard], amplitude, len(response))
    return _high_pass(response, 100.0, sample_rate)


def _high_pass(response, frequency, sample_rate):
    """The paper's second-order high-pass filter (its appendix), causal, applied in the frequency domain."""
    omega = 2 * np.pi * frequency / sample_rate
    decay = np.exp(-omega)
    length = 2 * len(response)
    delay = np.exp(-2j * np.pi * np.arange(length // 2 + 1) / length)
    transfer = ((1 - (1 + decay) * delay + decay * delay ** 2)
                / (1 - 2 * decay * np.cos(omega) * delay + decay ** 2 * delay ** 2))
    return np.fft.irfft(np.fft.rfft(response, length) * transfer, length)[:len(response)]
