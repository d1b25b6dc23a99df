"""Text that came from a file name, which on Linux may be any bytes."""

from __future__ import annotations


def as_utf8(text: str) -> str:
    """The text with escapes for bytes that are no UTF-8, which Python holds as lone surrogates.

    Args:
        text: A file name, or a page or report that shows some; ``"caf\\udce9"`` is ``"caf\\\\udce9"``.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def is_utf8(text: str) -> bool:
    """Whether a text can be written as UTF-8.

    Args:
        text: A file name.
    """
    return as_utf8(text) == text
