"""Where samples lie in files whose headers say so: WAV, AIFF, AU, CAF, SPHERE. The data decide, not the header.

A program that writes to a pipe can't go back to its header when it knows how much it has written. So sizes are left at
0, or as large as they get; and what was cut off by a full disk or a broken connection is smaller than was promised.
"""

import re
import struct
from typing import NamedTuple

from speechzoo.audio.source import Source

# Ends of the size's range that stand for "to the end", with room for the headers that writers add or take off, and
# frames that they round to. SoX writes 0x7FFFF000 (in AIFF 0x7F000000), arecord 0x80000000, ffmpeg 0xFFFFFFFF.
_UNKNOWN_SIZES = (0x7F000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 63) - 1, (1 << 64) - 1)
_UNKNOWN_ROOM = 0x2000
# Fewer bytes behind the samples, of whatever kind, are no more of them.
_LEAST_BYTES = 1024
# What taggers append behind the last chunk.
_TAGS = (b"TAG", b"ID3", b"APETAGEX", b"LYRICS")


class Piece(NamedTuple):
    """One recording among the bytes of a source; joined files hold several.

    Attributes:
        offset: Where its file begins.
        size: Number of bytes of its file.
        patch: What has to stand in its header for libsndfile to read it all: (place, bytes), or None.
        cut: Whether it ends before its header says.
        prefix: What has to stand in front of it for libsndfile to read it all.
    """

    offset: int
    size: int
    patch: tuple[int, bytes] | None = None
    cut: bool = False
    prefix: bytes = b""


class _Data(NamedTuple):
    """The samples of one file: where they begin, how many bytes its header says, and where and how it says so."""

    begin: int
    declared: int
    field: int | None = None  # None: libsndfile believes the file's size anyway
    form: str = ""
    added: int = 0  # what the size counts besides the samples
    next_chunk: struct.Struct | None = None  # header of the chunks behind


_LITTLE, _BIG, _CAF = struct.Struct("<4sI"), struct.Struct(">4sI"), struct.Struct(">4sq")


def find_pieces(source: Source, offset: int, magic: bytes) -> list[Piece] | None:
    """The pieces of a file from `offset` on that begins with `magic` (12 bytes); None where it is none of these kinds.

    A piece follows another where a file of the same kind stands right behind it.
    """
    kind = next((kind for kind, is_kind in _KINDS.items() if is_kind(magic)), None)
    pieces = []
    while kind and _KINDS[kind](source.read(offset, 12)):
        data = _READERS[kind](source, offset)
        if data is None:
            break
        piece = _measure(source, offset, data, kind)
        pieces.append(piece)
        offset += piece.size
    return pieces or None


def _measure(source, offset, data, kind) -> Piece:
    available = source.size - data.begin
    declared, cut = data.declared, False
    behind = data.begin + declared
    if declared % 2 and data.next_chunk in (_LITTLE, _BIG) and source.read(behind, 1) == b"\0":
        behind += 1  # chunks begin at even places
    end = source.size
    if _is_unknown(declared) or declared == 0 and not _ends_in_chunks(source, behind, data.next_chunk):
        end = _next_header(source, data.begin, kind)
        size = end - data.begin
    elif declared > available:
        # What counts the header, too, promises no samples that aren't there.
        size, cut = available, declared - available > data.begin - offset
    else:
        joined = _joined_at(source, behind, data.next_chunk, kind)
        if joined is not None:
            size, end = declared, joined
        elif kind in ("W64", "SPHERE"):  # libsndfile would take what stands behind for samples
            size, end = declared, behind
        elif source.size - behind < _LEAST_BYTES or _ends_in_chunks(source, behind, data.next_chunk):
            size = declared
        else:
            size = available
    patch = None
    if data.field is not None and size != declared:
        patch = data.field - offset, struct.pack(data.form, min(size + data.added, _largest(data.form)))
    return Piece(offset, end - offset, patch, cut)


def _is_unknown(size) -> bool:
    return size < 0 or any(abs(size - unknown) <= _UNKNOWN_ROOM for unknown in _UNKNOWN_SIZES)


def _largest(form) -> int:
    return (1 << 8 * struct.calcsize(form)) - 1


def _ends_in_chunks(source, place, header) -> bool:
    """Whether what stands at `place` are chunks, tags, silence or nothing: whatever it is, it isn't more samples."""
    while place < source.size:
        head = source.read(place, 4096)
        if not head.strip(b"\0") or head.startswith(_TAGS) or len(head) < 8:
            return True
        if header is None:
            return head.startswith(tuple(_MAGIC))
        after = _after_chunk(head, place, header)
        if after is None or after > source.size + 1:
            return False
        place = after
    return True


def _joined_at(source, place, header, kind) -> int | None:
    """Where the next file of the same kind begins, behind the chunks at `place`."""
    while place + 12 < source.size:
        head = source.read(place, 32)
        if _KINDS[kind](head[:12]):
            return place
        after = None if header is None else _after_chunk(head, place, header)
        if after is None:
            return None
        place = after
    return None


def _next_header(source, place, kind) -> int:
    """Where the next file of the same kind begins, or the end: looked for among samples whose number is unknown."""
    for distance, pattern in _HEADERS.get(kind, ()):
        for found in source.find(pattern, place):
            if _KINDS[kind](source.read(found - distance, 12)):
                return found - distance
    return source.size


def _after_chunk(head, place, header) -> int | None:
    if len(head) < header.size:
        return None
    name, size = header.unpack_from(head)
    if not re.fullmatch(rb"[A-Za-z0-9_\- \xa9]{4}", name) or size < 0:
        return None
    return place + header.size + size + (size % 2 if header is not _CAF else 0)


def _chunks(source, place, header):
    """(name, where its body begins, size) of the chunks from `place` on."""
    while place + header.size <= source.size:
        head = source.read(place, header.size)
        name, size = header.unpack(head)
        yield name, place + header.size, size
        if size < 0:
            return
        place += header.size + size + (size % 2 if header is not _CAF else 0)


def _read_wave(source, offset) -> _Data | None:
    """RIFF, its big-endian twin RIFX, and RF64 and BW64, whose sizes of 64 bits stand in a chunk of their own."""
    magic = source.read(offset, 4)
    header, order = (_BIG, ">") if magic == b"RIFX" else (_LITTLE, "<")
    long_size = None
    for name, body, size in _chunks(source, offset + 12, header):
        if name == b"ds64":
            long_size = body + 8
        elif name == b"data":
            if long_size is not None and size == 0xFFFFFFFF:
                declared = struct.unpack("<Q", source.read(long_size, 8))[0]
                return _Data(body, declared, long_size, "<Q", 0, header)
            if size and (source.size - body) >> 32:  # what is longer than 32 bits can say
                size += (source.size - body) >> 32 << 32
                size -= (size > source.size - body) << 32
            return _Data(body, size, body - 4, f"{order}I", 0, header)
    return None


def _read_aiff(source, offset) -> _Data | None:
    for name, body, size in _chunks(source, offset + 12, _BIG):
        if name == b"SSND":  # 8 bytes of it are no samples
            return _Data(body + 8, size if _is_unknown(size) else max(size - 8, 0), body - 4, ">I", 8, _BIG)
    return None


def _read_au(source, offset) -> _Data | None:
    big = source.read(offset, 4) == b".snd"
    form = ">I" if big else "<I"
    begin, size = struct.unpack(f"{form[0]}II", source.read(offset + 4, 8))
    if begin < 24 or offset + begin > source.size:
        return None
    return _Data(offset + begin, size, offset + 8, form)


def _read_caf(source, offset) -> _Data | None:
    for name, body, size in _chunks(source, offset + 8, _CAF):
        if name == b"data":  # 4 bytes of it count edits
            return _Data(body + 4, size if _is_unknown(size) else max(size - 4, 0), body - 8, ">q", 4, _CAF)
    return None


def _read_w64(source, offset) -> _Data | None:
    place = offset + 40
    while place + 24 <= source.size:
        name, size = struct.unpack("<16sQ", source.read(place, 24))  # the size counts name and size too
        if name.startswith(b"data"):
            return _Data(place + 24, size if _is_unknown(size) else max(size - 24, 0))
        if size < 24:
            return None
        place += -(-size // 8) * 8
    return None


def _read_sphere(source, offset) -> _Data | None:
    """NIST's header is text: its own size, then the number of samples, channels and bytes of each."""
    text = source.read(offset, 1024)
    sizes = [re.search(rb"\n%s -i (\d+)" % name, text) for name in (b"sample_count", b"channel_count",
                                                                    b"sample_n_bytes")]
    begin = re.match(rb"NIST_1A\n\s*(\d+)\n", text)
    if not all(sizes) or not begin:
        return None
    count, channels, width = (int(size[1]) for size in sizes)
    return _Data(offset + int(begin[1]), count * channels * width)


_KINDS = {
    "WAV": lambda head: head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE",
    "AIFF": lambda head: head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"),
    "AU": lambda head: head[:4] in (b".snd", b"dns."),
    "CAF": lambda head: head[:4] == b"caff",
    "W64": lambda head: head[:12] == b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb",
    "SPHERE": lambda head: head[:8] == b"NIST_1A\n",
}
# What nearly all headers hold, and how far from their beginning.
_HEADERS = {"WAV": ((8, b"WAVEfmt "),), "AIFF": ((8, b"AIFFCOMM"), (8, b"AIFCFVER"))}
_MAGIC = (b"RIFF", b"RIFX", b"RF64", b"FORM", b".snd", b"dns.", b"caff", b"riff", b"NIST_1A")
_READERS = {"WAV": _read_wave, "AIFF": _read_aiff, "AU": _read_au, "CAF": _read_caf, "W64": _read_w64,
            "SPHERE": _read_sphere}
