"""From an event's JSON to a struct of ours, with one line that says where it is not as it must be."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from edge_runtime.quoting import shortened
from serverless.app.errors import UnprocessableError

T = TypeVar("T")


def read(content: Any, kind: type[T], rule: str, cure: str = "Send it unchanged.") -> T:
    """Reads an event or a part of one.

    Args:
        content: As JSON was read; its texts may hold half characters.
        kind: A struct.
        rule: What it must be, as a sentence.
        cure: What to do, as a sentence.

    Raises:
        UnprocessableError: A field is missing or not what it must be; the message names it.
    """
    try:
        return msgspec.convert(content, kind)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise UnprocessableError(f"{rule} Received: {shortened(error, 200)}. {cure}") from error
