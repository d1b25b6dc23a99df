"""How an exception reaches the user: one line on stderr and an exit code.

::

    SnapshipError        its message              its class's code: 1, 2, 3 or 4
    click's errors       the line and a hint      2
    a missing package    the pip command          4
    Ctrl-C               "Interrupted."           130, as a shell does
    a closed pipe        nothing                  141, as a shell does
    a full disk          the system's message     2
    anything else        "internal error"         70, EX_SOFTWARE of sysexits.h
"""

from __future__ import annotations

import errno
import os
import traceback
from dataclasses import dataclass

import click

from snapship.extras import Package, cure, missing_package

DEBUG_VARIABLE = "SNAPSHIP_DEBUG"
"""Environment variable; ``1`` shows tracebacks."""

_BAD_USAGE, _ENVIRONMENT, _INTERNAL, _INTERRUPTED, _CLOSED_PIPE = 2, 4, 70, 130, 141

_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""A full disk, a quota, a shell limit, a closed terminal, a closed stdout."""

_LONGEST_LINE = 2000
"""Characters; a file name alone may have thousands."""


@dataclass(frozen=True)
class Failure:
    """What to print and return.

    Attributes:
        line: For stderr; empty for none.
        exit_code: For the shell.
    """

    line: str
    exit_code: int


def failure_of(error: BaseException, command: str) -> Failure:
    """Describes an exception in one line.

    Args:
        error: Anything that a command raised.
        command: The command's name.
    """
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return Failure("Interrupted.", _INTERRUPTED)
    if isinstance(error, BrokenPipeError):
        return Failure("", _CLOSED_PIPE)
    if isinstance(error, OSError) and error.errno in _UNWRITABLE:
        where = error.filename or "standard output or a file"
        return Failure(
            f"Error: Output must be writable. Received: {one_line(f'{where} ({error.strerror})')}. "
            "Free space, or write elsewhere.",
            _BAD_USAGE,
        )
    if isinstance(error, click.ClickException):
        # Not click's own code 1, which means here that the gate failed.
        return Failure(f"Error: {one_line(_usage(error))}", _BAD_USAGE)
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        found = missing_package(error.name, command)
        if found is not None:
            return _missing(command, *found)
    return _own(error) or Failure(
        f"Error: internal error, {one_line(f'{type(error).__name__}: {error}')}. "
        f"Please report it; run with {DEBUG_VARIABLE}=1 for the traceback.",
        _INTERNAL,
    )


def debug_text(error: BaseException) -> str:
    """The traceback when :data:`DEBUG_VARIABLE` is set, else empty."""
    if os.environ.get(DEBUG_VARIABLE, "") in ("", "0"):
        return ""
    return "".join(traceback.format_exception(error))


def one_line(text: str) -> str:
    """Joins lines, escapes control characters, and cuts the middle out of a very long text."""
    joined = " ".join(text.split())
    shown = "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in joined
    )
    if len(shown) <= _LONGEST_LINE:
        return shown
    half = _LONGEST_LINE // 2
    return f"{shown[:half]} ... {shown[-half:]}"


def _usage(error: click.ClickException) -> str:
    message = error.format_message().strip()
    if not message.endswith((".", "?", "!")):
        message += "."
    context = getattr(error, "ctx", None)
    return f"{message} Run: {context.command_path} --help" if context is not None else message


def _own(error: BaseException) -> Failure | None:
    """Imports the runtime only here: ``--help`` and ``doctor`` work without numpy."""
    try:
        from edge_runtime.common.errors import SnapshipError
    except ImportError:
        return None
    if isinstance(error, SnapshipError):
        return Failure(f"Error: {one_line(str(error))}", error.exit_code)
    return None


def _missing(command: str, package: Package, extra: str) -> Failure:
    need = f"snapship {command}" if command else "snapship"
    try:
        from edge_runtime.common.errors import EnvironmentMissingError
    except ImportError:
        line = f"{need} needs the package {package.name}. Received: it is not installed. Run: {cure('')}"
        return Failure(f"Error: {line}", _ENVIRONMENT)
    error = EnvironmentMissingError.of_extra(need, package.name, extra)
    return Failure(f"Error: {error}", error.exit_code)
