"""Foreign text in messages and files: on one line, without control characters, bounded, writable.

Text from clients has no limit of its own, so messages quote it only through these functions; file
names may be any bytes on Linux, so whatever shows one goes through :func:`as_utf8`.
"""

from __future__ import annotations

import re

MAX_QUOTED = 100
"""Maximum characters quoted of one text."""

MAX_MESSAGE = 4_000
"""Maximum characters of a whole message."""

# Line breaks and tabs stay, as a message may have lines. Surrogates cannot be written anywhere.
# Compiled at use, as errors are rare and a start is not.
_UNWRITABLE = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]"


def cut(text: str, most: int) -> str:
    """Cuts the middle out of a long text and says how much is missing; all other functions use it.

    Args:
        text: Any.
        most: Maximum characters to return, at least 60.
    """
    if len(text) <= most:
        return text
    kept = most - len(f"... ({len(text):,} characters left out) ...")
    end = kept // 2
    return f"{text[: kept - end]}... ({len(text) - kept:,} characters left out) ...{text[len(text) - end :]}"


def shortened(text: object, most: int = MAX_QUOTED) -> str:
    """Puts text that may be foreign, such as a message of another library, on one short line.

    Args:
        text: Anything; its ``str`` is used.
        most: Maximum characters of it; an unprintable one becomes an escape of up to ten.

    Returns:
        One line of printable characters; a cut says how many are missing.
    """
    return printable(" ".join(cut(str(text), most).split()))


def quoted(value: object, most: int = MAX_QUOTED) -> str:
    """Quotes a value as ``repr`` does, shortened to fit a message.

    Args:
        value: Text is quoted; anything else becomes its ``repr``.
        most: Maximum characters of it; an unprintable one becomes an escape of up to ten.

    Returns:
        One line of printable characters; a cut says how many are missing.
    """
    return repr(cut(value, most)) if isinstance(value, str) else shortened(repr(value), most)


def bounded(message: str, most: int = MAX_MESSAGE) -> str:
    """Bounds a whole message, in case a text was not quoted.

    Args:
        message: Rule, received value, cure; both ends and line breaks are kept.
        most: Maximum characters.

    Returns:
        The message without unwritable characters.
    """
    return re.sub(_UNWRITABLE, lambda found: _escaped(found[0]), cut(message, most))


def printable(text: str) -> str:
    """Escapes control characters; file names and labels may contain any.

    Args:
        text: Any text; it is not shortened.
    """
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


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
