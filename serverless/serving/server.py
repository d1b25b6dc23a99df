"""Runs an app under uvicorn until Ctrl-C or SIGTERM."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from edge_runtime.common.errors import UsageError
from serverless.serving.limits import KEEP_ALIVE_S, ServerLimits

if TYPE_CHECKING:
    from starlette.types import ASGIApp

GRACE_S = 5
"""How long running requests may take to finish after the signal."""

BACKLOG = 512
"""Connections that the system queues until they are accepted; a full queue delays clients by a second."""

FURTHER_FILES = 100
"""Open files besides connections: the model, the log, libraries, and a margin."""


def run(app: ASGIApp, sock: socket.socket, limits: ServerLimits) -> None:
    """Serves until a signal; running requests may finish within :data:`GRACE_S`.

    Args:
        app: The app, which logs its requests itself.
        sock: A listening socket.
        limits: The server's limits.

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
        # Only problems of the server itself.
        log_level="warning",
        access_log=False,
        server_header=False,
        # Forwarded headers are claims of the client.
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        h11_max_incomplete_event_size=limits.max_header_bytes,
        backlog=BACKLOG,
    )
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    # It logs every malformed form, which is answered and logged anyway.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    with _sigterm_is_an_end(), contextlib.suppress(KeyboardInterrupt):
        # Uvicorn shuts down and then re-raises the signal.
        uvicorn.Server(config).run(sockets=[sock])


def allow_files(count: int) -> None:
    """Raises the limit of open files if it is too low: at the limit no connection is accepted.

    Args:
        count: Files and connections, including closing ones.

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
            f"The system must allow {count:,} open files for this many connections. Received: at most {hard:,}. "
            "Pass a lower --max-connections, or raise the limit with: ulimit -n"
        ) from error


NO_NEWS = ("Invalid HTTP request", "Unsupported upgrade request", "No supported WebSocket library")
"""Uvicorn's lines about bad requests, which are logged anyway, and about what is omitted on purpose."""


def _is_news(record: logging.LogRecord) -> bool:
    """Filters lines with which any client could flood the log."""
    return not record.getMessage().startswith(NO_NEWS)


@contextlib.contextmanager
def _sigterm_is_an_end() -> Iterator[None]:
    """Stopping a container is not a failure: exit code 0 instead of the signal's."""

    def done(number: int, frame: FrameType | None) -> None:
        return

    before = signal.signal(signal.SIGTERM, done)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
