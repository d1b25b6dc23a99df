"""Strict JSON: reading rejects unknown, missing and mistyped fields and names them; writing gives the same bytes."""

# No "from __future__ import annotations": msgspec would compile each again when a bundle is first read (1 ms).
import math
from typing import Any

import msgspec

from edge_runtime.common.errors import BundleError
from edge_runtime.common.text import as_utf8, shortened


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A struct that rejects unknown fields."""


def decode_json(data: bytes, kind: type[Any], name: str) -> Any:
    """Decodes JSON strictly.

    Args:
        data: The file's bytes.
        kind: The struct to decode into.
        name: The file's name, for messages.

    Raises:
        BundleError: It is not JSON, or a field is unknown, missing or mistyped.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BundleError(
            f"{name} must follow its schema. Received: {shortened(error, 200)}. "
            "Restore the file or export the bundle again."
        ) from error


def encode_json(record: msgspec.Struct | dict[str, Any]) -> bytes:
    """Encodes a struct, or the plain data of one, as indented JSON that ends with a line break.

    Paths that are not UTF-8 are escaped.

    Args:
        record: What to encode.
    """
    try:
        text = msgspec.json.encode(record)
    except UnicodeEncodeError:
        text = msgspec.json.encode(_as_utf8(msgspec.to_builtins(record)))
    return msgspec.json.format(text, indent=2) + b"\n"


def _as_utf8(value: Any) -> Any:
    """Plain values with every text in them as UTF-8."""
    if isinstance(value, str):
        return as_utf8(value)
    if isinstance(value, dict):
        return {_as_utf8(key): _as_utf8(entry) for key, entry in value.items()}
    return [_as_utf8(entry) for entry in value] if isinstance(value, list | tuple) else value


def check_fraction(name: str, value: float) -> None:
    """Checks a field in ``__post_init__``.

    Args:
        name: The field.
        value: Its value.

    Raises:
        ValueError: It is not 0..1.
    """
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must be 0..1. Received: {value}")


def check_positive(name: str, value: float) -> None:
    """As :func:`check_fraction`, of a field that must be above 0 and finite."""
    if not 0.0 < value < math.inf:
        raise ValueError(f"{name} must be a positive number. Received: {value}")
