"""Reads from a compiled file (64-bit ELF) which shared libraries it needs, and leaves out what no system loads.

So a package for another architecture than this machine's can be checked, too: for the right
architecture, and for libraries that are neither in the package nor part of the system.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

from serverless.deploy.config.errors import SelfCheckError
from serverless.deploy.config.rules import Arch

MACHINES: dict[Arch, int] = {"x86_64": 62, "arm64": 183}
"""``e_machine`` of the ELF header (EM_X86_64, EM_AARCH64)."""

SYSTEM = frozenset(
    {
        "ld-linux-aarch64.so.1",
        "ld-linux-x86-64.so.2",
        "libc.so.6",
        "libdl.so.2",
        "libgcc_s.so.1",
        "libm.so.6",
        "libpthread.so.0",
        "librt.so.1",
        "libstdc++.so.6",
        "libz.so.1",
    }
)
"""Libraries that a wheel may expect on any Linux (PEP 600); Lambda's Python runtime has them."""

_MAGIC = b"\x7fELF\x02\x01"
_HEADER_BYTES = 64
_LOAD, _DYNAMIC = 1, 2
_NEEDED, _STRINGS = 1, 5


@dataclass(frozen=True)
class Linkage:
    """Architecture and libraries of a compiled file.

    Attributes:
        machine: ``e_machine`` of its header.
        needed: Names of the libraries it needs.
    """

    machine: int
    needed: tuple[str, ...]


class _Segment(NamedTuple):
    """A part of a file that a system loads or reads; ``start`` and ``length`` are its bytes in the file."""

    kind: int
    flags: int
    start: int
    address: int
    physical_address: int
    length: int


def linkage(data: bytes) -> Linkage | None:
    """Reads a compiled file; None for any other file.

    Args:
        data: The file.

    Raises:
        SelfCheckError: It is a damaged compiled file.
    """
    if not data.startswith(_MAGIC):
        return None
    try:
        return Linkage(struct.unpack_from("<H", data, 18)[0], _needed(data))
    except (struct.error, ValueError, StopIteration) as error:
        raise SelfCheckError(
            f"A compiled file must be whole. Received: one of {len(data):,} bytes with invalid headers. "
            "Empty the cache of wheels and repeat."
        ) from error


def stripped(data: bytes) -> bytes:
    """A compiled file without what only debuggers and linkers read; any other file as it is.

    A system loads a file by its segments. Whatever lies in none of them, such as symbols of functions, debug
    information and the table of sections, becomes zeros, or is cut off at the end. Offsets stay.

    Args:
        data: The file, whole: see :func:`linkage`.
    """
    segments = _segments(data) if data.startswith(_MAGIC) else []
    if not segments:
        # An object file, for a linker, has none.
        return data
    (table,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    parts = [(0, _HEADER_BYTES), (table, size * count)]
    parts += [(segment.start, segment.length) for segment in segments]
    left = bytearray(max(start + length for start, length in parts))
    for start, length in parts:
        left[start : start + length] = data[start : start + length]
    # There is no table of sections any more: its offset, and the size, number and names of its entries.
    struct.pack_into("<Q", left, 40, 0)
    struct.pack_into("<HHH", left, 58, 0, 0, 0)
    return bytes(left)


def orphans(files: Mapping[str, bytes]) -> set[str]:
    """Bundled libraries (those in a folder ``*.libs``) that no module needs, directly or indirectly.

    Args:
        files: Content by path.
    """
    links = {file: found for file, data in files.items() if (found := linkage(data)) is not None}
    bundled = {PurePosixPath(file).name: file for file in links if _is_bundled(file)}
    waiting = [file for file in links if not _is_bundled(file)]
    # Starts from the modules, since two libraries may need each other without being needed.
    reached = set(waiting)
    while waiting:
        for name in links[waiting.pop()].needed:
            file = bundled.get(name)
            if file is not None and file not in reached:
                reached.add(file)
                waiting.append(file)
    return links.keys() - reached


def fits(data: bytes, arch: Arch) -> bool:
    """Whether a compiled file can be loaded on an architecture's Linux on its own.

    Args:
        data: Any file.
        arch: The function's architecture.
    """
    found = linkage(data)
    return found is not None and found.machine == MACHINES[arch] and set(found.needed) <= SYSTEM


def check(files: Mapping[str, bytes], arch: Arch) -> None:
    """Refuses a package whose compiled files cannot be loaded.

    Args:
        files: Content by path.
        arch: The function's architecture.

    Raises:
        SelfCheckError: One is for another architecture, or needs a missing library.
    """
    inside = {PurePosixPath(file).name for file in files}
    for file, data in files.items():
        found = linkage(data)
        if found is None:
            continue
        if found.machine != MACHINES[arch]:
            raise SelfCheckError(
                f"A package's compiled files must be for {arch}. Received: {file} for another architecture "
                f"(ELF machine {found.machine}, not {MACHINES[arch]}). Empty the cache of wheels and repeat."
            )
        lost = [name for name in found.needed if name not in inside and name not in SYSTEM]
        if lost:
            raise SelfCheckError(
                f"A package must contain every library it needs. Received: {file} without {', '.join(lost)}. "
                "Use the package versions in snapship's constraints."
            )


def _is_bundled(file: str) -> bool:
    return file.split("/", 1)[0].endswith(".libs")


def _segments(data: bytes) -> list[_Segment]:
    (table,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    found = [_Segment(*struct.unpack_from("<IIQQQQ", data, table + index * size)) for index in range(count)]
    if any(segment.start + segment.length > len(data) for segment in found):
        raise ValueError("a segment ends after the file")
    return found


def _needed(data: bytes) -> tuple[str, ...]:
    segments = _segments(data)
    dynamic = next((segment for segment in segments if segment.kind == _DYNAMIC), None)
    if dynamic is None:
        return ()
    places = range(dynamic.start, dynamic.start + dynamic.length, 16)
    entries = [struct.unpack_from("<qQ", data, at) for at in places]
    address = next(value for tag, value in entries if tag == _STRINGS)
    offset = next(
        segment.start + address - segment.address
        for segment in segments
        if segment.kind == _LOAD and segment.address <= address < segment.address + segment.length
    )
    names = [offset + value for tag, value in entries if tag == _NEEDED]
    return tuple(data[at : data.index(b"\0", at)].decode("ascii") for at in names)
