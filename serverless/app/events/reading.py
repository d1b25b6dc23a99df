"""Converts an event's JSON to a struct; a one-line error names the invalid field."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from edge_runtime.quoting import shortened
from serverless.app.errors import UnprocessableError

T = TypeVar("T")


def read(content: Any, kind: type[T], rule: str, cure: str = "Send it unchanged.") -> T:
    """Reads an event or a part of one.

    Args:
        content: Decoded JSON; its texts may contain lone surrogates.
        kind: A struct type.
        rule: What it must be, as a sentence.
        cure: What to do, as a sentence.

    Raises:
        UnprocessableError: A field is missing or invalid; the message names it.
    """
    try:
        return msgspec.convert(content, kind)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise UnprocessableError(f"{rule} Received: {shortened(error, 200)}. {cure}") from error
