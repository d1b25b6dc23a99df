"""Where a process can listen for others."""

from __future__ import annotations

import socket


def free_address(host: str) -> str:
    """A port that nobody listens on now, as ``HOST:PORT``.

    Args:
        host: An address of this machine.
    """
    with socket.socket() as found:
        found.bind((host, 0))
        return f"{host}:{found.getsockname()[1]}"
