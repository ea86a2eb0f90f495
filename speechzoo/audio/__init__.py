"""Recordings as they come -> float32 mono at one sample rate.

`load_audio` reads whatever libsndfile reads (WAV, FLAC, OGG Vorbis and Opus, MP3, AIFF, AU, CAF, SPHERE, ...); the
content decides, not the file's name. It resamples with soxr (quality HQ).

How long a recording is, is what can be decoded of it, whatever its header says: `docs/robustness.md`.
"""

from speechzoo.audio.errors import AudioError
from speechzoo.audio.loading import AudioInfo, audio_info, is_longer, load_audio, stream_audio
from speechzoo.audio.samples import SAMPLE_RATE, encode_flac, pad_batch, resample

__all__ = ["SAMPLE_RATE", "AudioError", "AudioInfo", "audio_info", "encode_flac", "is_longer", "load_audio",
           "pad_batch", "resample", "stream_audio"]
