"""What others wrote, repeated in a message: on one line, without control characters, of bounded length.

A client's text has no limit of its own, so no message repeats it but through these functions.
"""

from __future__ import annotations

import re

MAX_QUOTED = 100
"""Characters that a message repeats of one text."""

MAX_MESSAGE = 4_000
"""Characters of a whole message, whatever it repeats."""

# Not line breaks and tabs: a long message may have lines. Half characters cannot be written anywhere.
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def cut(text: str, most: int) -> str:
    """Leaves out the middle of a long text and says how much that is; all other functions use this one.

    Args:
        text: Any.
        most: Characters to return at most, from 60.
    """
    if len(text) <= most:
        return text
    kept = most - len(f"... ({len(text):,} characters left out) ...")
    end = kept // 2
    return f"{text[: kept - end]}... ({len(text) - kept:,} characters left out) ...{text[len(text) - end :]}"


def shortened(text: object, most: int = MAX_QUOTED) -> str:
    """Puts text that may hold someone else's, such as another library's message, on one short line.

    Args:
        text: Anything; its ``str`` is taken.
        most: Characters of it at most; an unprintable one becomes an escape of up to ten.

    Returns:
        One line of printable characters; where the middle is left out, how many characters that is.
    """
    return printable(" ".join(cut(str(text), most).split()))


def quoted(value: object, most: int = MAX_QUOTED) -> str:
    """Quotes a value as ``repr`` does, and no more of it than fits a message.

    Args:
        value: A text, in quotes then; of anything else its ``repr``.
        most: Characters of it at most; an unprintable one becomes an escape of up to ten.

    Returns:
        One line of printable characters; where the middle is left out, how many characters that is.
    """
    return repr(cut(value, most)) if isinstance(value, str) else shortened(repr(value), most)


def bounded(message: str, most: int = MAX_MESSAGE) -> str:
    """Holds a whole message within its limit, so that a text that was forgotten does no harm.

    Args:
        message: Rule, what was received, cure: both ends are kept. Its lines stay lines.
        most: Characters of it at most.

    Returns:
        The message without characters that cannot be written anywhere.
    """
    return _UNWRITABLE.sub(lambda found: _escaped(found[0]), cut(message, most))


def printable(text: str) -> str:
    """Escapes what a terminal would act on; file names and labels may hold anything.

    Args:
        text: Any; its length is left as it is.
    """
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()
