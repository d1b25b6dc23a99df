"""``snapship serve``, an HTTP endpoint on this machine; ``snapship keys``, the API keys of an endpoint."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_runtime.common.errors import EnvironmentMissingError, GateFailedError, UsageError
from edge_runtime.common.native_output import quiet
from edge_runtime.common.terminal import GroupedCommand
from edge_runtime.image.preprocess import MAX_BYTES, MAX_PIXELS
from serverless.app.core.keys import MAX_SECRET, KeySource, new_key, parse
from serverless.serving.limits import (
    MAX_CONNECTIONS,
    OPEN_TO_ALL,
    TIMEOUT_S,
    ServerLimits,
    address,
    is_loopback,
    listen,
)

if TYPE_CHECKING:
    from edge_runtime.updates import Swap

MAX_KEYS_BYTES = 100_000
"""Maximum size of a file of API keys; 32 entries are 8 kB."""


# The options of opening a bundle are passed on by name.
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
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all interfaces."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 picks a free one.",
)
@click.option("--artifact", help="Artifact to serve, e.g. tflite-int8; default: the best that runs here.")
@click.option(
    "--engine", default="auto", show_default=True, help="Inference engine: auto, litert or onnxruntime."
)
@click.option(
    "--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads per inference."
)
@click.option("--allow-failed", is_flag=True, help="Also serve an artifact that failed its check.")
@click.option(
    "--api-keys",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File of key entries (see snapship keys new), one per line; requests without a key are rejected.",
)
@click.option(
    "--cors-origin",
    "cors_origins",
    multiple=True,
    metavar="ORIGIN",
    help="Origin whose pages may call, e.g. https://example.org; repeatable.",
)
@click.option(
    "--max-bytes",
    type=click.IntRange(1),
    default=MAX_BYTES,
    show_default=True,
    help="Maximum size of a request body.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=MAX_PIXELS,
    show_default=True,
    help="Maximum width times height of an image.",
)
@click.option(
    "--timeout-s",
    type=float,
    default=TIMEOUT_S,
    show_default=True,
    help="Seconds within which a whole request must arrive.",
)
@click.option(
    "--max-connections",
    type=int,
    default=MAX_CONNECTIONS,
    show_default=True,
    help="Maximum simultaneous connections; further ones get HTTP 503.",
)
def serve(
    bundle: Path,
    host: str,
    port: int,
    api_keys: Path | None,
    cors_origins: tuple[str, ...],
    max_bytes: int,
    max_pixels: int,
    timeout_s: float,
    max_connections: int,
    **opening: Any,
) -> None:
    """Serve BUNDLE over HTTP: a page at /, POST /classify, GET /health and more, see /openapi.json.

    BUNDLE is a bundle, or a folder that snapship pull writes to. A new bundle that arrives there is
    served without a restart; if it does not open, the old one stays in use.

    Prints one JSON line per request. Stops on Ctrl-C or SIGTERM once running requests are answered.

    \b
    Example:
      snapship serve flowers.bundle --port 8000
      curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:8000/classify
      snapship serve flowers.bundle --host 0.0.0.0 --api-keys keys.txt
    """
    limits = ServerLimits(timeout_s=timeout_s, max_connections=max_connections, max_bytes=max_bytes)
    keys = keys_in(api_keys) if api_keys is not None else None
    if find_spec("uvicorn") is None:
        raise EnvironmentMissingError.of_extra("snapship serve", "uvicorn", "serverless")
    from serverless.app.application import create_app
    from serverless.serving.bundle_reload import ReloadingService
    from serverless.serving.server import run

    with listen(host, port) as sock:
        with quiet():
            service = ReloadingService(
                bundle, max_bytes=max_bytes, max_pixels=max_pixels, on_swap=_echo_swap, **opening
            )
            app = create_app(
                service,
                max_bytes=max_bytes,
                max_pixels=max_pixels,
                keys=keys,
                cors_origins=cors_origins,
                log="json",
                # CloudWatch does not read the log of this machine.
                metrics_namespace="",
            )
        url = address(host, sock.getsockname()[1])
        key = " -H 'X-Api-Key: SECRET'" if keys is not None else ""
        click.echo(f"Serving {bundle} at {url} (follows snapship pull; Ctrl-C stops it)")
        click.echo(f"Try: curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg'{key} {url}/classify")
        if keys is None and not is_loopback(sock.getsockname()[0]):
            click.echo(f"{OPEN_TO_ALL} Pass --api-keys FILE to require keys.", err=True)
        run(app, sock, limits)


def _echo_swap(swap: Swap) -> None:
    # A bundle that was refused is in the log.
    if swap.error is None:
        click.echo(f"Now serving {swap.location}", err=True)


def keys_in(path: Path) -> KeySource:
    """API keys from a file that is read again every few minutes.

    Args:
        path: One entry per line; a line that starts with ``#`` is a comment.

    Raises:
        UsageError: It cannot be read, is too large, or contains an invalid entry.
    """
    return KeySource(lambda: _entries(path), f"--api-keys {path}", rereads=True)


def _entries(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_KEYS_BYTES + 1)
        lines = data.decode("utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise UsageError(
            f"--api-keys must be a readable text file. Received: {path} ({reason}). "
            "Make an entry with: snapship keys new NAME"
        ) from error
    if len(data) > MAX_KEYS_BYTES:
        raise UsageError(
            f"--api-keys must be a file of at most {MAX_KEYS_BYTES:,} bytes. Received: {path}, which is larger. "
            "Pass the file of entries."
        )
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


@click.group()
def keys() -> None:
    """Make API keys for an endpoint, and check them.

    \b
    Example:
      snapship keys new phone-app
    """


@keys.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: name, secret, entry.")
def new(name: str, as_json: bool) -> None:
    """Make a key for NAME: a secret for the client and its entry for the endpoint.

    The secret is shown only once and stored nowhere. The entry goes into SNAPSHIP_API_KEYS or
    the endpoint's SSM parameter; separate several with commas. To rotate, add the new entry,
    hand out its secret, then remove the old entry; an endpoint rereads its parameter every 5
    minutes.

    \b
    Example:
      snapship keys new phone-app
    """
    secret, entry = new_key(name)
    if as_json:
        click.echo(json.dumps({"name": name, "secret": secret, "entry": entry}))
        return
    click.echo(f"Secret, for the client, shown once:  {secret}")
    click.echo(f"Entry, for the endpoint:             {entry}")
    # On stderr, so that the two lines can be piped.
    click.echo("The client sends the secret as header x-api-key. See: snapship keys new --help", err=True)


@keys.command()
@click.argument("entry")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: name.")
def check(entry: str, as_json: bool) -> None:
    """Find the key in ENTRY that a secret belongs to; the secret is read from stdin.

    ENTRY is what `snapship keys new` printed; separate several with commas. Exit code 1 if the
    secret matches none of them.

    \b
    Example:
      printf %s "$SECRET" | snapship keys check "$SNAPSHIP_API_KEYS"
    """
    opened = parse(entry, "ENTRY")
    # Never an argument: everyone can see those in the list of processes.
    secret = sys.stdin.read(MAX_SECRET + 2).strip()
    name = opened.check(secret)
    if name is None:
        raise GateFailedError(
            f"The secret must match one of the keys. Received: one that matches none of {', '.join(opened.names)}. "
            "Make one with: snapship keys new NAME"
        )
    click.echo(json.dumps({"name": name}) if as_json else f"The secret belongs to the key {name}.")
