"""Joins a Ray cluster: the only file that imports Ray when a command runs, with its code for the workers."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from cluster.addresses import host_and_port
from edge_runtime.common.errors import EnvironmentMissingError, first_line
from edge_runtime.common.native_output import quiet

_ROOT = Path(__file__).resolve().parent.parent

SENT = ("edge_runtime", "cluster")
"""Packages that a worker runs. They are sent along, so that every machine has the driver's version."""

CHECK_SENT = (*SENT, "exporter", "trainer")
"""The same for a worker of a check."""

_SECONDS = 10.0
"""How long an address may take to answer; Ray itself would try for two minutes."""


def ray_module() -> Any:
    """The module ``ray``.

    Raises:
        EnvironmentMissingError: It is not installed.
    """
    # Read when it is imported: this program asks nobody for updates and reports nothing.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("A Ray cluster", "ray", "ray") from error
    return ray


@contextmanager
def joined(address: str, sent: Sequence[str] = SENT) -> Iterator[Any]:
    """Joins a cluster, and leaves it when the block ends.

    Args:
        address: ``auto`` for the cluster of this machine or of RAY_ADDRESS, ``HOST:PORT`` of its head from one of
            its machines, or ``ray://HOST:PORT`` from anywhere.
        sent: Packages of ours that the workers need.

    Yields:
        The module ``ray``, joined.

    Raises:
        EnvironmentMissingError: Ray is not installed, no cluster answers, it has another version of Ray or of
            Python, or it wants another token.
    """
    ray = ray_module()
    host = _answering(address)
    # A cluster on loopback, of this machine alone: Ray would look for the node at the machine's address in its
    # network. It takes 127.0.0.1 for that one, too, so that such a cluster has another, such as 127.0.0.2.
    own = {"_node_ip_address": host} if host.startswith("127.") and "://" not in address else {}
    environment = {"py_modules": [str(_ROOT / name) for name in sent], "excludes": ["__pycache__"]}
    try:
        with quiet():
            ray.init(address, runtime_env=environment, log_to_driver=False, logging_level="ERROR", **own)
    except Exception as error:
        raise _refused(address, error) from error
    # Ray 2.60 prints what a machine reports to stdout, log_to_driver or not: there are our own answers.
    with redirect_stdout(sys.stderr):
        try:
            yield ray
        finally:
            ray.shutdown()


def _answering(address: str) -> str:
    """The host of an address at which something answers; empty where it names none, as ``auto``."""
    try:
        found = host_and_port(address.removeprefix("ray://"))
        if found is None:
            return ""
        socket.create_connection(found, _SECONDS).close()
    except (OSError, ValueError) as error:
        raise _no_cluster(address, first_line(error)) from error
    return found[0]


def _refused(address: str, error: Exception) -> EnvironmentMissingError:
    text = _reason(error)
    if "ersion" in text and "mismatch" in str(error).lower():
        # Ray names the versions in further lines.
        text = " ".join(str(error).split())[:300]
        return EnvironmentMissingError(
            f"The cluster and this machine must have one version of Ray and of Python. Received: {text}. "
            "Install the cluster's version here."
        )
    if isinstance(error, ConnectionError) and host_and_port(address.removeprefix("ray://")):
        # Ray does not say it when a token is refused.
        return EnvironmentMissingError(
            f"A cluster must accept this machine. Received: {address}, where something answers, then: {text}. "
            "Check that it is a Ray cluster, and that its token is here, in ~/.ray/auth_token or RAY_AUTH_TOKEN."
        )
    return _no_cluster(address, text)


def _reason(error: Exception) -> str:
    """What an error says in one line; Ray Client puts a server's traceback below a headline."""
    text = first_line(error, 300)
    if text.endswith(":"):
        last = next(line.strip() for line in reversed(str(error).splitlines()) if line.strip())
        text = f"{text} {last}"[:300]
    return text


def _no_cluster(address: str, reason: str) -> EnvironmentMissingError:
    return EnvironmentMissingError(
        f"The address must be that of a running Ray cluster. Received: {address} ({reason}). "
        "Start one with: ray start --head"
    )
