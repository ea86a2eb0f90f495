"""Where the members of a zip file lie, checked against its size; compressed ones are refused."""

import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

_LOCAL_HEADER = 30  # bytes before a member's name; two numbers of two bytes at its end are the lengths that follow
_SIGNATURE = b"PK\3\4"


@dataclass(frozen=True)
class Member:
    """Where the bytes of a member lie."""

    offset: int
    size: int


def members_of(file: BinaryIO, size: int, damaged: Callable[[str], ValueError]) -> dict[str, Member]:
    """The members of a zip file that are stored as they are, which is how weights are.

    Args:
        file: The file.
        size: Its bytes.
        damaged: Makes the error for a problem.

    Raises:
        ValueError: No zip file, a damaged one, or with members that are compressed, encrypted, or share bytes.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    # What zipfile raises depends on which of its structures the damage hits.
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, EOFError, struct.error) as error:
        raise damaged(" ".join(str(error).split())[:120] or "no zip file") from None
    members = {}
    for entry in entries:
        name = entry.filename
        if name in members:
            raise damaged(f"its member '{name[:80]}' is there twice")
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 or entry.compress_size != entry.file_size:
            raise damaged(f"its member '{name[:80]}' is compressed or encrypted, which weights are not")
        file.seek(entry.header_offset)
        header = file.read(_LOCAL_HEADER)
        if len(header) != _LOCAL_HEADER or not header.startswith(_SIGNATURE):
            raise damaged(f"its member '{name[:80]}' is not where it should be")
        offset = entry.header_offset + _LOCAL_HEADER + sum(struct.unpack("<2H", header[-4:]))
        if offset + entry.file_size > size:
            raise damaged(f"it ends inside of its member '{name[:80]}'")
        members[name] = Member(offset, entry.file_size)
    ordered = sorted(members.values(), key=lambda member: member.offset)
    if any(one.offset + one.size > other.offset for one, other in zip(ordered, ordered[1:])):
        raise damaged("its members share bytes")
    return members
