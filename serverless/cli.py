"""``snapship serve``: a bundle as an endpoint on this machine."""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
from importlib.util import find_spec
from pathlib import Path

import click

from edge_runtime.errors import EnvironmentMissingError, UsageError
from edge_runtime.native_output import quiet

GRACE_SECONDS = 5
"""How long requests in work may take to end after Ctrl-C."""


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one."
)
@click.option("--artifact", help="Such as tflite-int8; default: the best that runs here.")
@click.option("--engine", default="auto", show_default=True, help="auto, litert or onnxruntime.")
@click.option(
    "--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads of one inference."
)
@click.option("--allow-failed", is_flag=True, help="Also serve an artifact that failed its check.")
def serve(
    bundle: Path, host: str, port: int, artifact: str | None, engine: str, threads: int, allow_failed: bool
) -> None:
    """Serve BUNDLE over HTTP: POST /classify, GET /health, GET /labels.

    \b
    Example:
      snapship serve flowers.bundle --port 8000
      curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:8000/classify
    """
    if find_spec("uvicorn") is None:
        raise EnvironmentMissingError.of_extra("snapship serve", "uvicorn", "serverless")
    from serverless.app.application import create_app

    with listen(host, port) as sock:
        with quiet():
            app = create_app(
                bundle, artifact=artifact, engine=engine, threads=threads, allow_failed=allow_failed
            )
        url = address(host, sock.getsockname()[1])
        click.echo(f"Serving {bundle} at {url} (Ctrl-C ends it)")
        click.echo(f"Try: curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' {url}/classify")
        if not is_loopback(sock.getsockname()[0]):
            click.echo("Everyone who reaches this address can use it: there is no access control.", err=True)
        _run(app, sock)


def listen(host: str, port: int) -> socket.socket:
    """Takes the port, so that one in use is known before the server starts.

    Args:
        host: A name or an address of this machine.
        port: 0 takes a free one.

    Returns:
        A socket that accepts connections.

    Raises:
        UsageError: The port is taken or not allowed, or the host is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Else a port stays taken for a minute after the server on it ended.
        if os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen()
    except (OSError, UnicodeError) as error:
        sock.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"The address must be free and this machine's own. Received: {host}:{port} ({reason}). "
            "Pass another --port, --port 0 for a free one, or another --host."
        ) from error
    return sock


def address(host: str, port: int) -> str:
    """The URL under which a browser on this machine finds the server.

    Args:
        host: As given; the addresses that mean "all of them" become loopback.
        port: The real one.
    """
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address.

    Args:
        host: A numeric address.
    """
    return ipaddress.ip_address(host.partition("%")[0]).is_loopback


def _run(app: object, sock: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    # One line a request; of the server's own life only warnings.
    logging.getLogger("uvicorn.access").setLevel(logging.INFO)
    try:
        uvicorn.Server(config).run(sockets=[sock])
    except KeyboardInterrupt:
        # Uvicorn ended in order and then hands the Ctrl-C on.
        return
