"""``snapship serve``: a bundle as an endpoint on this machine."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_runtime.errors import EnvironmentMissingError, UsageError
from edge_runtime.native_output import quiet
from edge_runtime.option_groups import GroupedCommand
from edge_runtime.preprocess import MAX_BYTES, MAX_PIXELS
from serverless.serving.limits import MAX_CONNECTIONS, TIMEOUT_S, Limits
from serverless.serving.listening import OPEN_TO_ALL, address, is_loopback, listen

if TYPE_CHECKING:
    from edge_runtime.updates import Swap
    from serverless.app.key_source import KeySource

MAX_KEYS_BYTES = 100_000
"""Of a file of API keys; 32 entries are 8 kB."""


@click.command(
    cls=GroupedCommand,
    groups={
        "Network": "--host --port",
        "Inference": "--artifact --allow-failed --engine --threads",
        "Access": "--api-keys --cors-origin",
        "Limits": "--max-bytes --max-pixels --timeout-s --max-connections",
    },
)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all of them."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one."
)
@click.option("--artifact", help="Such as tflite-int8; default: the best that runs here.")
@click.option("--engine", default="auto", show_default=True, help="auto, litert or onnxruntime.")
@click.option(
    "--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads of one inference."
)
@click.option("--allow-failed", is_flag=True, help="Also serve an artifact that failed its check.")
@click.option(
    "--api-keys",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Entries of snapship keys new, one a line; who has no key cannot classify.",
)
@click.option(
    "--cors-origin",
    "cors_origins",
    multiple=True,
    metavar="ORIGIN",
    help="Web pages from there may call, such as https://example.org; repeatable.",
)
@click.option(
    "--max-bytes",
    type=click.IntRange(1),
    default=MAX_BYTES,
    show_default=True,
    help="Limit of a request's body.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=MAX_PIXELS,
    show_default=True,
    help="Limit of an image's width times height.",
)
@click.option(
    "--timeout-s",
    type=float,
    default=TIMEOUT_S,
    show_default=True,
    help="Seconds in which a whole request must arrive.",
)
@click.option(
    "--max-connections",
    type=int,
    default=MAX_CONNECTIONS,
    show_default=True,
    help="Clients at once; one more is told to come again.",
)
def serve(
    bundle: Path,
    host: str,
    port: int,
    artifact: str | None,
    engine: str,
    threads: int,
    allow_failed: bool,
    api_keys: Path | None,
    cors_origins: tuple[str, ...],
    max_bytes: int,
    max_pixels: int,
    timeout_s: float,
    max_connections: int,
) -> None:
    """Serve BUNDLE over HTTP: a page at /, POST /classify, GET /health and more, see /openapi.json.

    BUNDLE is a bundle, or a folder that snapship pull fills; another bundle that comes there is
    served without a restart, and one that does not open leaves the old one in use.

    Prints one JSON line for each request. Ends on Ctrl-C or SIGTERM, when the requests in
    work are answered.

    \b
    Example:
      snapship serve flowers.bundle --port 8000
      curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:8000/classify
      snapship serve flowers.bundle --host 0.0.0.0 --api-keys keys.txt
    """
    limits = Limits(timeout_s=timeout_s, max_connections=max_connections, max_bytes=max_bytes)
    keys = keys_in(api_keys) if api_keys is not None else None
    if find_spec("uvicorn") is None:
        raise EnvironmentMissingError.of_extra("snapship serve", "uvicorn", "serverless")
    from serverless.app.application import create_app
    from serverless.serving.following import FollowingService
    from serverless.serving.server import run

    with listen(host, port) as sock:
        with quiet():
            service = FollowingService(
                bundle,
                artifact=artifact,
                engine=engine,
                threads=threads,
                allow_failed=allow_failed,
                max_bytes=max_bytes,
                max_pixels=max_pixels,
                on_swap=_tell_swap,
            )
            app = create_app(
                service,
                max_bytes=max_bytes,
                max_pixels=max_pixels,
                keys=keys,
                cors_origins=cors_origins,
                log="json",
                # CloudWatch reads no log of this machine.
                metrics_namespace="",
            )
        url = address(host, sock.getsockname()[1])
        key = " -H 'X-Api-Key: SECRET'" if keys is not None else ""
        click.echo(f"Serving {bundle} at {url} (follows snapship pull; Ctrl-C ends it)")
        click.echo(f"Try: curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg'{key} {url}/classify")
        if keys is None and not is_loopback(sock.getsockname()[0]):
            click.echo(f"{OPEN_TO_ALL} Pass --api-keys FILE for one.", err=True)
        run(app, sock, limits)


def _tell_swap(swap: Swap) -> None:
    # Of a bundle that was refused, the log tells.
    if swap.error is None:
        click.echo(f"Now serving {swap.location}", err=True)


def keys_in(path: Path) -> KeySource:
    """API keys of a file, which is read again every few minutes.

    Args:
        path: Entries, one a line; a line that starts with ``#`` is a comment.

    Raises:
        UsageError: It cannot be read, is too large, or an entry is none.
    """
    from serverless.app.key_source import KeySource

    return KeySource(lambda: _entries(path), f"--api-keys {path}", rereads=True)


def _entries(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_KEYS_BYTES + 1)
        lines = data.decode("utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(
            f"--api-keys must be a readable text file. Received: {path} ({reason}). "
            "Make an entry with: snapship keys new NAME"
        ) from error
    if len(data) > MAX_KEYS_BYTES:
        raise UsageError(
            f"--api-keys must be a file of at most {MAX_KEYS_BYTES:,} bytes. Received: {path}, more. "
            "Pass the file of entries."
        )
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))
