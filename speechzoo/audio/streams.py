"""Pieces of OGG and MP3 recordings: chained and joined files are heard to their end."""

import struct

from speechzoo.audio.containers import Piece
from speechzoo.audio.source import Source

# The largest page of OGG: 27 bytes, 255 sizes, and 255 segments of 255 bytes.
_OGG_PAGE_BYTES = 65307
_OGG_FIRST = 2
# kbit/s of MPEG 1 and MPEG 2 layer III, and Hz by version: 3 is MPEG 1, 2 is MPEG 2, 0 is MPEG 2.5.
_MP3_RATES = {True: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
              False: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)}
_MP3_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def ogg_pieces(source: Source, offset: int) -> list[Piece]:
    """A chained stream begins with pages marked as the first, behind pages that aren't (RFC 3533).

    A last page that isn't whole was cut off. A stream whose last page isn't marked as the last one was stopped, as
    that of a radio station is.
    """
    starts, behind = [], False
    for place in source.find(b"OggS\0", offset):
        header = source.read(place, 27)
        if len(header) < 27:
            continue
        # The first page of a stream has the number 0, and nothing is played before it.
        first = bool(header[5] & _OGG_FIRST) and header[6:14] == bytes(8) and header[18:22] == bytes(4)
        if first and (behind or not starts):
            starts.append(place)
        behind = not first
    starts = starts or [offset]
    return [_ogg_piece(source, first, last) for first, last in zip(starts, [*starts[1:], source.size])]


def _ogg_piece(source, first, last) -> Piece:
    tail_at = max(first, last - 2 * _OGG_PAGE_BYTES)
    tail = source.read(tail_at, last - tail_at)
    place, cut = tail.rfind(b"OggS\0"), False
    while place >= 0:
        if len(tail) >= place + 27 + (tail[place + 26] if len(tail) > place + 26 else 256):
            sizes = tail[place + 27:place + 27 + tail[place + 26]]
            end = place + 27 + len(sizes) + sum(sizes)
            if end <= len(tail):
                return Piece(first, tail_at + end - first, cut=cut)
        cut = True
        place = tail.rfind(b"OggS\0", 0, place)
    return Piece(first, last - first, cut=True)


def mp3_pieces(source: Source, offset: int) -> list[Piece]:
    """An encoder begins its file with a frame that says how much follows, and libsndfile reads no more than that."""
    starts = sorted({frame for tag in (b"Xing", b"Info") for place in source.find(tag, offset)
                     if (frame := _mp3_tagged(source, place)) is not None})
    if not starts:
        return [_untagged(source, offset, source.size)]
    pieces, begin = [], offset
    if _is_mp3(source, _skip_tags(source, offset, starts[0]), starts[0]):  # frames without a tag before those with one
        pieces, begin = [_untagged(source, offset, starts[0])], starts[0]
    for first, last in zip(starts, [*starts[1:], source.size]):
        declared = _mp3_declared(source, first)
        rest = _skip_tags(source, first + declared, last) if declared else last
        if rest < last and _is_mp3(source, rest, last):  # more frames, joined without an announcement
            pieces += [Piece(begin, first + declared - begin), _untagged(source, rest, last)]
        else:
            pieces.append(Piece(begin, last - begin))
        begin = last
    return pieces


def _untagged(source, begin, end) -> Piece:
    """With a tag in front of it: without one, libsndfile guesses the length from the first frame's bit rate.

    Encoders that write to a pipe can't leave a tag, and the bit rate may vary.
    """
    first = _skip_tags(source, begin, end)
    if not _is_mp3(source, first, end):
        return Piece(begin, end - begin)
    header = source.read(first, 4)
    # Tags have room for a table of 100 places, which isn't needed but may be expected.
    for rate in range(1, 15):
        tagged = bytes([0xFF, header[1] | 1, rate << 4 | header[2] & 0x0C, header[3]])
        size, distance = _mp3_frame(tagged)
        if size >= distance + 156:
            break
    tag = b"Xing" + struct.pack(">III", 3, _count_mp3_frames(source, first, end), end - first + size)
    return Piece(first, end - first, prefix=(tagged.ljust(distance, b"\0") + tag).ljust(size, b"\0"))


def _count_mp3_frames(source, place, end) -> int:
    """Frames of layer III; what is none between them is stepped over, as decoders do."""
    count, data, begin = 0, b"", 0
    while place + 4 <= end:
        if place + 4 > begin + len(data):
            begin, data = place, source.read(place, 1 << 20)
            if len(data) < 4:
                break
        frame = _mp3_frame(data[place - begin:place - begin + 4])
        if frame is None:
            following = data.find(b"\xff", place - begin + 1)
            place = begin + (following if following >= 0 else len(data))
            continue
        count += place + frame[0] <= end
        place += frame[0]
    return count


def _mp3_tagged(source, place) -> int | None:
    """Where the frame begins whose tag stands at `place`: behind 4 bytes and the side information of its kind."""
    for distance in (36, 21, 13):
        frame = _mp3_frame(source.read(place - distance, 4)) if place >= distance else None
        if frame is not None and frame[1] == distance:
            return place - distance
    return None


def _mp3_frame(header: bytes) -> tuple[int, int] | None:
    """(bytes of a layer III frame, distance from its beginning to its data) from its 4 first bytes."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return None
    version, rate, hz = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or not 0 < rate < 15 or hz == 3:
        return None
    first, mono = version == 3, header[3] >> 6 == 3
    size = (144 if first else 72) * 1000 * _MP3_RATES[first][rate - 1] // _MP3_HZ[version][hz] + (header[2] >> 1 & 1)
    return size, 4 + ((17 if mono else 32) if first else (9 if mono else 17))


def _mp3_declared(source, frame) -> int:
    """Bytes from `frame` on that its tag says; 0 where it doesn't."""
    _, distance = _mp3_frame(source.read(frame, 4))
    flags, = struct.unpack(">I", source.read(frame + distance + 4, 4).rjust(4, b"\0"))
    if not flags & 2:
        return 0
    return struct.unpack(">I", source.read(frame + distance + 8 + 4 * (flags & 1), 4).rjust(4, b"\0"))[0]


def _is_mp3(source, place, end) -> bool:
    """Whether two frames of layer III stand there."""
    for _ in range(2):
        frame = _mp3_frame(source.read(place, 4))
        if frame is None or place + frame[0] > end:
            return False
        place += frame[0]
    return True


def _skip_tags(source, place, end) -> int:
    while place < end:
        head = source.read(place, 10)
        if head.startswith(b"TAG"):
            place += 128
        elif head.startswith(b"ID3"):
            place += id3_size(head)
        else:
            break
    return place


def id3_size(head: bytes) -> int:
    """Bytes of an ID3v2 tag that begins with `head` (10 bytes); 0 where none does."""
    if len(head) < 10 or not head.startswith(b"ID3") or max(head[6:10]) > 127:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + size + (10 if head[5] & 0x10 else 0)  # a footer
