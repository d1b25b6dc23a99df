"""Shares of 1 on the command line: ``5%`` and ``0.05`` are the same."""

from __future__ import annotations

import click

from edge_runtime.common.errors import UsageError


def check_share(share: float, option: str) -> float:
    """Returns a share if it is above 0 and below 1.

    Args:
        share: In fractions of 1.
        option: The option that gives it, for the message.

    Raises:
        UsageError: It is not.
    """
    if not 0.0 < share < 1.0:
        raise UsageError(_message(option, f"{share:g}"))
    return share


def parsed_share(context: click.Context, option: click.Parameter, value: str | None) -> float | None:
    """A callback of an option that takes ``5%``, ``5 %`` or ``0.05``.

    Args:
        context: Unused.
        option: The option.
        value: What was given; None for nothing.

    Returns:
        In fractions of 1.

    Raises:
        UsageError: It is not a share above 0 and below 1.
    """
    if value is None:
        return None
    text = value.strip()
    try:
        number = float(text.removesuffix("%"))
    except ValueError as error:
        raise UsageError(_message(option.opts[0], text)) from error
    # "5%" is the same number as "0.05", not one rounded twice.
    share = round(number / 100.0, 12) if text.endswith("%") else number
    if not 0.0 < share < 1.0:
        raise UsageError(_message(option.opts[0], text))
    return share


def _message(option: str, received: str) -> str:
    return f"{option} must be a share above 0 and below 1. Received: {received}. Write 5% or 0.05 for five per cent."
