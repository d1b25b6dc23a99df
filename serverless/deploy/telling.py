"""Progress of the cloud's commands: lines on stderr and, on a terminal, a spinner with the current step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from edge_runtime.terminal import live_console, printable
from serverless.deploy.stack import Progress


@contextmanager
def console() -> Iterator[Progress]:
    """Yields a progress callback; each line starts with the seconds since the beginning."""
    begin = time.monotonic()
    with live_console() as terminal:
        if terminal is None:
            yield lambda line: click.echo(f"{time.monotonic() - begin:5.0f} s  {printable(line)}", err=True)
            return
        from rich.text import Text

        with terminal.status(Text("Starting")) as status:

            def progress(line: str) -> None:
                text = printable(line)
                terminal.print(Text(f"{time.monotonic() - begin:5.0f} s  {text}"), soft_wrap=True)
                status.update(Text(text))

            yield progress
