"""Writes reproducible zips: the same files give the same bytes on any day, in any folder, for any user."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from typing import IO

TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can store."""

MODE = 0o100644
"""A plain file that anyone may read, as Lambda runs a function as a user of its own."""

LEVEL = 6
"""Of 9; the highest levels take three times as long for half a percent."""
_UNIX = 3


def write_zip(file: IO[bytes], files: Mapping[str, bytes]) -> dict[str, int]:
    """Writes files sorted by name, with a fixed time, mode and compression.

    The compressed bytes depend on this machine's zlib: another implementation gives another zip
    with the same files.

    Args:
        file: The file to write to.
        files: Content by path.

    Returns:
        Compressed size of each file.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, TIME)
            info.create_system = _UNIX
            info.external_attr = MODE << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, files[name], compresslevel=LEVEL)
        return {info.filename: info.compress_size for info in archive.infolist()}
