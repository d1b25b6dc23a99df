"""The zip inside an APK: deterministic, stored entries aligned so that Android can map them into memory."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import PurePosixPath

_ALIGNMENT = 4
_ALIGNMENT_FIELD = 0xD935
"""Id of the extra field that zipalign and apksigner pad with."""

_COMPRESSED = frozenset((".png", ".jpg", ".jpeg", ".webp", ".gif"))
_TIME = (1981, 1, 1, 1, 1, 2)
"""What Android's own build writes."""


def encode_zip(files: Mapping[str, bytes], stored: frozenset[str]) -> bytes:
    """A zip with the given files in the given order.

    The same content gives the same bytes, as long as Python's zlib is the same.

    Args:
        files: Path in the zip to content.
        stored: Paths to store without compression; pictures are as well.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, _TIME)
            info.create_system = 0
            info.external_attr = 0
            if name in stored or PurePosixPath(name).suffix.lower() in _COMPRESSED:
                info.extra = _padding(out.tell() + 30 + len(name.encode()))
                info.compress_type = zipfile.ZIP_STORED
            else:
                info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data, compresslevel=9)
    return out.getvalue()


def _padding(at: int) -> bytes:
    """The extra field that moves data, which would start at ``at``, to a multiple of the alignment."""
    missing = -(at + 6) % _ALIGNMENT
    return struct.pack("<HHH", _ALIGNMENT_FIELD, 2 + missing, _ALIGNMENT) + bytes(missing)
