"""Pieces of FLAC recordings: joined files, and as much of each as its last frame says.

STREAMINFO may give any number of samples: 0 is legal and means unknown, as in what is encoded into a pipe; a file that
was cut off promises more than it has.
"""

import re
from collections.abc import Iterator
from itertools import islice

import soundfile

from speechzoo.audio.containers import Piece
from speechzoo.audio.source import Source, Window

# Beginning of a FLAC file: its first block is STREAMINFO, 34 bytes, and may be the only one.
_STARTS = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")
_BLOCK_SIZES = {1: 192, **{code: 144 << code for code in range(2, 6)}, **{code: 1 << code for code in range(8, 16)}}
_RATES = {1: 88200, 2: 176400, 3: 192000, 4: 8000, 5: 16000, 6: 22050, 7: 24000, 8: 32000, 9: 44100, 10: 48000,
          11: 96000}
_BITS = {1: 8, 2: 12, 4: 16, 5: 20, 6: 24, 7: 32}
_SYNC = re.compile(rb"\xff[\xf8\xf9]")
# Where STREAMINFO's numbers stand: sample rate (20 bits), channels - 1 (3), bits per sample - 1 (5), samples (36).
_NUMBERS = 18
_SAMPLES = (1 << 36) - 1
# Of what looks like a frame in the last bytes, so many are tried.
_TRIES = 8


def flac_pieces(source: Source, offset: int) -> list[Piece]:
    """The joined files, each with a header that says how many samples there are."""
    starts = sorted({place for magic in _STARTS for place in source.find(magic, offset)}) or [offset]
    return [_flac_piece(source, first, last - first) for first, last in zip(starts, [*starts[1:], source.size])]


def _flac_piece(source, offset, size) -> Piece:
    info = source.read(offset, 26)
    numbers = int.from_bytes(info[_NUMBERS:], "big")
    declared = numbers & _SAMPLES
    piece = Piece(offset, size)
    if len(info) < 26:
        return piece
    for number, (first, count) in enumerate(islice(_last_frames(source, offset, size, info), _TRIES)):
        if not number and first + count == declared:
            return piece  # what follows decoding will notice if this very frame is cut
        for samples in (first + count, first):
            patched = piece._replace(patch=(_NUMBERS, (numbers & ~_SAMPLES | samples).to_bytes(8, "big")),
                                     cut=samples < declared)
            if samples and _reaches(source, patched, samples):
                return patched
    return piece


def _reaches(source, piece, samples) -> bool:
    """Whether the last of so many samples can be decoded."""
    try:
        with soundfile.SoundFile(Window(source, piece.offset, piece.size, piece.patch)) as file:
            file.seek(samples - 1)
            return len(file.read(1)) == 1
    except (soundfile.LibsndfileError, RuntimeError):
        return False


def _last_frames(source, offset, size, info) -> Iterator[tuple[int, int]]:
    """(number of its first sample, how many it has) of what looks like frames, from the last one backwards."""
    rate, channels = info[18] << 12 | info[19] << 4 | info[20] >> 4, (info[20] >> 1 & 7) + 1
    bits, block = ((info[20] & 1) << 4 | info[21] >> 4) + 1, int.from_bytes(info[8:10], "big")
    length, found = 1 << 14, False
    while not found:
        tail = source.read(offset + max(0, size - length), min(size, length))
        for match in reversed(list(_SYNC.finditer(tail))):
            frame = _frame(tail[match.start():match.start() + 17], rate, channels, bits, block)
            if frame is not None:
                found = True
                yield frame
        if length >= size:
            return
        length *= 8


def _frame(head, rate, channels, bits, block) -> tuple[int, int] | None:
    """(first sample, samples) of the frame that begins with `head`, if one does and it fits STREAMINFO.

    Reference: RFC 9639, section 9.1.
    """
    if len(head) < 6 or head[3] & 1:
        return None
    block_code, rate_code, channel_code, bits_code = head[2] >> 4, head[2] & 15, head[3] >> 4, head[3] >> 1 & 7
    stereo = 8 <= channel_code <= 10
    if block_code == 0 or rate_code == 15 or channel_code > 10 or channels != (2 if stereo else channel_code + 1):
        return None
    if bits_code and _BITS.get(bits_code) != bits or 0 < rate_code < 12 and _RATES[rate_code] != rate:
        return None
    # The number is coded as UTF-8 codes characters, in up to 7 bytes.
    length = next((n for n in range(8) if not head[4] << n & 0x80), 8)
    length = 1 if length == 0 else length
    if head[4] >> 6 == 2 or length > 7 or len(head) < 4 + length + 1:
        return None
    number = head[4] if length == 1 else head[4] & (0x7F >> length)
    for byte in head[5:4 + length]:
        if byte >> 6 != 2:
            return None
        number = number << 6 | byte & 63
    place = 4 + length
    if block_code in (6, 7):
        width = block_code - 5
        count = int.from_bytes(head[place:place + width], "big") + 1
        place += width
    else:
        count = _BLOCK_SIZES[block_code]
    place += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if len(head) <= place or _crc8(head[:place]) != head[place]:
        return None
    return (number if head[1] & 1 else number * block), count


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (0x07 if crc & 0x80 else 0)) & 0xFF
    return crc
