"""Text from file names, which may be any bytes on Linux."""

from __future__ import annotations


def as_utf8(text: str) -> str:
    """Escapes bytes that are not UTF-8, which Python holds as lone surrogates.

    Args:
        text: A file name, or text that contains some; ``"caf\\udce9"`` is ``"caf\\\\udce9"``.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def is_utf8(text: str) -> bool:
    """Whether a text can be written as UTF-8.

    Args:
        text: A file name.
    """
    return as_utf8(text) == text
