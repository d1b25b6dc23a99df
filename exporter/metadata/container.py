"""A .tflite file as its two halves: the model's FlatBuffer, and a zip of files appended to it.

Interpreters read the first half and ignore the second; ``unzip`` does the opposite.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping

from edge_runtime.errors import ModelFileError

_IDENTIFIER = b"TFL3"

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def split(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    """The model without the appended files, and the files.

    Args:
        data: A .tflite file.

    Returns:
        The model's FlatBuffer, and name -> content of the files; none where there is no intact zip.

    Raises:
        ModelFileError: It is no .tflite file.
    """
    if data[4:8] != _IDENTIFIER:
        raise ModelFileError(
            f"Metadata must go into a .tflite file. Received: {len(data)} bytes that begin "
            f"{data[:8].hex() or 'nowhere'}. Pass a file that the converter wrote."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            files = {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error):
        # Most models have none; in some, weights look like one.
        return data, {}
    start = min((entry.header_offset for entry in entries), default=len(data))
    return data[:start], files


def joined(model: bytes, files: Mapping[str, bytes]) -> bytes:
    """A model with files appended; the same content gives the same bytes.

    Args:
        model: The model's FlatBuffer alone.
        files: Name -> content. Stored, not compressed: clients map them from the file.
    """
    file = io.BytesIO(model)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return file.getvalue()
