"""String pools and chunk headers, which Android's binary XML and resource tables share.

https://android.googlesource.com/platform/frameworks/base/+/main/libs/androidfw/include/androidfw/ResourceTypes.h
"""

from __future__ import annotations

import struct

STRING_POOL = 0x0001
NOTHING = 0xFFFFFFFF
"""No string, no parent, no entry."""


class Type:
    """Types of a value: ``Res_value::dataType``."""

    REFERENCE = 0x01
    STRING = 0x03
    FRACTION = 0x06
    INTEGER = 0x10
    FLAGS = 0x11
    BOOLEAN = 0x12
    COLOUR = 0x1C


class StringPool:
    """Strings by index, each stored once, in the order of their first use."""

    def __init__(self) -> None:
        self._indices: dict[str, int] = {}

    def index(self, text: str) -> int:
        """The index of a string, which is added if it is new."""
        return self._indices.setdefault(text, len(self._indices))

    def encode(self) -> bytes:
        """The chunk. UTF-16: what UTF-8 pools do with characters beyond 16 bits differs between tools."""
        offsets, data = [], bytearray()
        for text in self._indices:
            offsets.append(len(data))
            encoded = text.encode("utf-16-le")
            units = len(encoded) // 2
            length = (
                struct.pack("<H", units)
                if units < 0x8000
                else struct.pack("<HH", 0x8000 | units >> 16, units & 0xFFFF)
            )
            data += length + encoded + b"\0\0"
        data += bytes(-len(data) % 4)
        start = 28 + 4 * len(offsets)
        fields = struct.pack("<5I", len(offsets), 0, 0, start, 0)
        return chunk(STRING_POOL, fields, struct.pack(f"<{len(offsets)}I", *offsets) + bytes(data))


def chunk(kind: int, fields: bytes, content: bytes = b"") -> bytes:
    """A chunk: type, size of the header, size of all; then the header's own fields, and the content."""
    return struct.pack("<HHI", kind, 8 + len(fields), 8 + len(fields) + len(content)) + fields + content


def value(kind: int, data: int) -> bytes:
    """A ``Res_value``: 8 bytes."""
    return struct.pack("<HBBI", 8, 0, kind, data & 0xFFFFFFFF)
