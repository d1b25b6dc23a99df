"""What commands say while AWS works: lines on stderr, and on a terminal what is going on right now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from edge_runtime.terminal import live_console, printable
from serverless.deploy.stack import Say


@contextmanager
def telling() -> Iterator[Say]:
    """Yields what to call with each line; every one has the seconds since the beginning."""
    begin = time.monotonic()
    with live_console() as console:
        if console is None:
            yield lambda line: click.echo(f"{time.monotonic() - begin:5.0f} s  {printable(line)}", err=True)
            return
        from rich.text import Text

        with console.status(Text("Beginning")) as status:

            def say(line: str) -> None:
                text = printable(line)
                console.print(Text(f"{time.monotonic() - begin:5.0f} s  {text}"), soft_wrap=True)
                status.update(Text(text))

            yield say
