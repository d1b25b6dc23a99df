"""Runs an app under uvicorn until Ctrl-C or SIGTERM."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from edge_runtime.errors import UsageError
from serverless.serving.limits import KEEP_ALIVE_S, ServerLimits

if TYPE_CHECKING:
    from starlette.types import ASGIApp

GRACE_S = 5
"""How long requests in work may take to end after the signal."""

BACKLOG = 512
"""Connections that the system keeps until they are accepted; a full queue delays clients by a second."""


FURTHER_FILES = 100
"""Open files besides connections: the model, the log, libraries, and room."""


def run(app: ASGIApp, sock: socket.socket, limits: ServerLimits) -> None:
    """Serves until a signal; requests in work end first, for at most :data:`GRACE_S`.

    Args:
        app: Its own log has a line for each request.
        sock: Listens already.
        limits: What clients may take.

    Raises:
        UsageError: The system does not allow as many connections.
    """
    import uvicorn

    from serverless.serving.connection import limited_protocol

    allow_files(2 * limits.max_connections + FURTHER_FILES)
    config = uvicorn.Config(
        app,
        http=limited_protocol(app, limits),
        ws="none",
        # Of the server's own life only what is wrong.
        log_level="warning",
        access_log=False,
        server_header=False,
        # A client's word about whose client it is.
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        h11_max_incomplete_event_size=limits.max_header_bytes,
        backlog=BACKLOG,
    )
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    # It logs every broken form, which is answered and logged anyway.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    with _sigterm_is_an_end(), contextlib.suppress(KeyboardInterrupt):
        # Uvicorn ends in order and then hands the signal on.
        uvicorn.Server(config).run(sockets=[sock])


def allow_files(count: int) -> None:
    """Raises the limit of open files where it is too low: at the limit no connection is accepted at all.

    Args:
        count: Files and connections, those that are leaving included.

    Raises:
        UsageError: The system's own limit is lower.
    """
    try:
        import resource
    except ModuleNotFoundError:
        # Windows has no such limit.
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= count:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    except (ValueError, OSError) as error:
        raise UsageError(
            f"The system must allow {count:,} open files for so many connections. Received: at most {hard:,}. "
            "Pass a lower --max-connections, or raise the limit with: ulimit -n"
        ) from error


NO_NEWS = ("Invalid HTTP request", "Unsupported upgrade request", "No supported WebSocket library")
"""Uvicorn's lines about bad requests, which our own log has, and about what is left out on purpose."""


def _is_news(record: logging.LogRecord) -> bool:
    """Drops the lines that any client could fill the log with."""
    return not record.getMessage().startswith(NO_NEWS)


@contextlib.contextmanager
def _sigterm_is_an_end() -> Iterator[None]:
    """A container's stop is no failure: exit code 0 and not the signal's."""

    def done(number: int, frame: FrameType | None) -> None:
        return

    before = signal.signal(signal.SIGTERM, done)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
