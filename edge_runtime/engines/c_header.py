"""The .tflite file inside a C header, which is how a model reaches a microcontroller's flash."""

from __future__ import annotations

import re

from edge_runtime.common.errors import ModelFileError

IDENTIFIER = b"TFL3"
"""Bytes 4 to 7 of every .tflite file."""

_BYTE = re.compile(r"0x([0-9a-f]{2})")


def tflite_in(header: bytes) -> bytes:
    """The .tflite file inside a header.

    Args:
        header: A ``c-array`` artifact.

    Raises:
        ModelFileError: It contains none.
    """
    text = header.decode("ascii", errors="replace")
    # The array is last: a label before it may say anything.
    start = text.rfind("_int8_tflite[")
    model = bytes(int(pair, 16) for pair in _BYTE.findall(text[start:])) if start >= 0 else b""
    if model[4:8] != IDENTIFIER:
        raise ModelFileError(
            "A C array must hold a .tflite file. Received: a header without one. Export it again."
        )
    return model
