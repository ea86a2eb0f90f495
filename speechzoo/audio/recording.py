"""A recording that is open: how long it is, and its samples, block by block, as far as they can be decoded."""

import contextlib
import functools
import io
from collections.abc import Iterator

import numpy as np
import soundfile

from speechzoo.audio.containers import Piece, find_pieces
from speechzoo.audio.errors import AudioError
from speechzoo.audio.flac import flac_pieces
from speechzoo.audio.samples import average_channels, checked_rate, resample_blocks
from speechzoo.audio.source import Source, Window, open_source
from speechzoo.audio.streams import id3_size, mp3_pieces, ogg_pieces

_BLOCK_FRAMES = 1 << 15
# A piece that lacks less than this, seconds, isn't broken: encoders of blocks round, tags round.
_TOLERANCE = 0.1
# libsndfile's number of frames where it doesn't know, and whatever is as absurd.
_UNKNOWN_FRAMES = 1 << 60
# What isn't read, and how to get something that is.
_OTHER_KINDS = (
    (4, b"ftyp", "M4A or MP4"), (0, b"\x1aE\xdf\xa3", "WebM or Matroska"), (0, b"0&\xb2u\x8ef\xcf\x11", "WMA"),
    (0, b"#!AMR", "AMR"), (0, b"wvpk", "WavPack"), (0, b"MAC ", "Monkey's Audio"), (0, b"\xff\xf1", "AAC"),
    (0, b"\xff\xf9", "AAC"), (0, b"\x0bw", "AC-3"), (0, b"FLV\x01", "FLV"), (28, b"Speex", "Speex"),
)


class Recording:
    """One or several pieces, one behind the other.

    Args:
        source: The bytes.

    Attributes:
        name: For messages.
        rate: Hz; pieces of another rate are converted to that of the first.
        channels: Number of channels of the first piece.

    Raises:
        AudioError: It isn't audio, or none that can be read.
    """

    def __init__(self, source: Source):
        self.name = source.name
        self.pieces = []
        for piece in _find_pieces(source):
            with contextlib.suppress(soundfile.LibsndfileError, TypeError):  # TypeError: samples without a header
                self.pieces.append(_OpenPiece(source, piece))
        if not self.pieces:
            raise AudioError(f"{self.name}: {_what_it_is(source)}")
        self.rate = checked_rate(self.pieces[0].rate, self.name)
        for piece in self.pieces:
            checked_rate(piece.rate, self.name)
        self.channels = self.pieces[0].channels

    @property
    def declared(self) -> int:
        """Frames as the header has them, or more than any recording has where it doesn't know."""
        return sum(self._converted(piece.declared, piece) for piece in self.pieces)

    @functools.cached_property
    def frames(self) -> int:
        """Frames that can be decoded."""
        return sum(self._converted(piece.frames, piece) for piece in self.pieces)

    @property
    def known_cut(self) -> bool:
        """Whether the size of the file says that a header promises more than there is."""
        return any(piece.cut for piece in self.pieces)

    @property
    def cut(self) -> bool:
        """Whether a header promises more than can be decoded."""
        _ = self.frames  # counts where it has to
        return self.known_cut

    def blocks(self, first: int = 0, count: int | None = None) -> Iterator[np.ndarray]:
        """float32 (frames,), mono, from frame `first` on, `count` frames at most, as many as can be decoded."""
        for piece in self.pieces:
            if count == 0:
                return
            last = piece is self.pieces[-1]
            if not last and first >= self._converted(piece.frames, piece):
                first -= self._converted(piece.frames, piece)
                continue
            if piece.rate == self.rate:
                blocks, skipped = piece.blocks(first, count), 0
            else:
                blocks, skipped = resample_blocks(piece.blocks(), piece.rate, self.rate), first
            for block in blocks:
                block, skipped = block[skipped:], max(0, skipped - len(block))
                block = block if count is None else block[:count]
                count = None if count is None else count - len(block)
                if len(block):
                    yield block
                if count == 0:
                    return
            first = 0

    def close(self):
        for piece in self.pieces:
            piece.file.close()

    def _converted(self, frames, piece):
        return frames if piece.rate == self.rate else round(frames * self.rate / piece.rate)


@contextlib.contextmanager
def open_recording(source):
    """Opens a path, bytes or a binary file object as a `Recording`.

    Raises:
        AudioError: The recording is missing, empty or not audio.
        TypeError: `source` is none of these.
    """
    with open_source(source) as opened, contextlib.closing(Recording(opened)) as recording:
        yield recording


class _OpenPiece:
    """One piece as libsndfile reads it."""

    def __init__(self, source, piece: Piece):
        self._source, self._piece, self.cut, self.file = source, piece, piece.cut, None
        self._open()
        self.rate, self.channels = self.file.samplerate, self.file.channels
        self.declared = self.file.frames if 0 <= self.file.frames < _UNKNOWN_FRAMES else _UNKNOWN_FRAMES

    @functools.cached_property
    def frames(self) -> int:
        """As many as the header says where the last of them is there; otherwise they are counted."""
        declared = self.declared
        if 0 < declared < _UNKNOWN_FRAMES and self._has(declared - 1):
            return declared
        frames = sum(map(len, self.blocks()))
        self.cut = self.cut or declared < _UNKNOWN_FRAMES and frames + _TOLERANCE * self.rate < declared
        return frames

    def blocks(self, first: int = 0, count: int | None = None) -> Iterator[np.ndarray]:
        """float32 (frames,), mono. What is damaged ends it."""
        skipped = 0
        if not self._seek(first):  # where a stream can't be searched, it is read
            self._open()
            skipped = first
        for block in self._decoded(None if count is None else skipped + count):
            block, skipped = block[skipped:], max(0, skipped - len(block))
            if len(block):
                yield block

    def _decoded(self, count):
        block = np.empty((_BLOCK_FRAMES, self.channels), np.float32)
        damaged = False
        while not damaged and (count is None or count > 0):
            wanted = _BLOCK_FRAMES if count is None else min(count, _BLOCK_FRAMES)
            try:
                # Not `read`, which trusts the header's number of frames: that of a truncated OGG file is 0.
                frames = self.file.buffer_read_into(block[:wanted], "float32")
            except soundfile.LibsndfileError:
                frames, damaged = min(max(self._tell() - self._place, 0), wanted), True
            if not frames:
                return
            self._place += frames
            count = None if count is None else count - frames
            yield average_channels(block[:frames]).copy()

    def _tell(self) -> int:
        """How far libsndfile has come; where it doesn't know, as far as it had come before."""
        try:
            return self.file.tell()
        except (soundfile.LibsndfileError, RuntimeError):
            return self._place

    def _open(self):
        piece, source = self._piece, self._source
        if self.file is not None:
            self.file.close()
        changed = piece.patch or piece.prefix
        whole = not changed and piece.offset == 0 and piece.size == source.size and source.begin == 0
        if whole:
            source.stream.seek(0)
            self.file = soundfile.SoundFile(_target(source.stream), closefd=False)
        else:
            self.file = soundfile.SoundFile(Window(source, piece.offset, piece.size, piece.patch, piece.prefix))
        self._place = 0

    def _seek(self, frame) -> bool:
        if frame == self._place:
            return True
        try:
            self._place = self.file.seek(frame)
        except (soundfile.LibsndfileError, RuntimeError):
            self._place = -1
        if self._place < 0 or frame == 0 and self._place:
            self._open()
        return self._place == frame

    def _has(self, frame) -> bool:
        """Whether one frame can be decoded."""
        if not self._seek(frame):
            return False
        try:
            count = self.file.buffer_read_into(np.empty((1, self.channels), np.float32), "float32")
        except soundfile.LibsndfileError:
            count = 0
        self._place = -1  # wherever that has led
        return count == 1


def _target(stream):
    """A file that can be read without going through Python, and whose name can't mislead the decoder, if it can be."""
    return stream.fileno() if isinstance(stream, io.FileIO) else stream


def _find_pieces(source: Source) -> list[Piece]:
    offset = id3_size(source.read(0, 10))
    magic = source.read(offset, 12)
    if magic.startswith(b"OggS"):
        return ogg_pieces(source, offset)
    if magic.startswith(b"fLaC"):
        return flac_pieces(source, offset)
    return find_pieces(source, offset, magic) or mp3_pieces(source, 0)


def _what_it_is(source) -> str:
    head = source.read(0, 512)
    for place, magic, kind in _OTHER_KINDS:
        if head[place:].startswith(magic):
            return f"{kind}, which can't be read; convert it: ffmpeg -i FILE FILE.wav"
    if head.startswith(b"NIST_1A") and b"shorten" in source.read(0, 1024):
        return "SPHERE packed by shorten, which can't be read; unpack it with sph2pipe"
    if all(byte in b"\t\n\r" or 32 <= byte < 127 or byte >= 128 for byte in head):
        return "a text file, not audio"
    return "damaged, or not WAV, FLAC, OGG or MP3 audio"
