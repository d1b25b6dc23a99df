"""The address a server listens on."""

from __future__ import annotations

import ipaddress
import os
import socket

from edge_runtime.errors import UsageError

OPEN_TO_ALL = "Anyone who can reach this address can use it: there is no access control."
"""Warning for an address reachable from other machines without API keys."""


def listen(host: str, port: int) -> socket.socket:
    """Binds the port, so that one in use is reported before the server starts.

    Args:
        host: A name or an address of this machine.
        port: 0 picks a free one.

    Returns:
        A socket that accepts connections.

    Raises:
        UsageError: The port is in use or not allowed, or the host is not this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Explicit protocol: only then does asyncio turn off Nagle's delay of 40 ms.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # Otherwise the port stays in use for a minute after a server on it has stopped.
        if os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen()
    except (OSError, UnicodeError) as error:
        sock.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"The address must be free and belong to this machine. Received: {host}:{port} ({reason}). "
            "Pass another --port, --port 0 for a free one, or another --host."
        ) from error
    return sock


def address(host: str, port: int) -> str:
    """The URL at which a browser on this machine reaches the server.

    Args:
        host: As given; wildcard addresses become loopback.
        port: The actual port.
    """
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def is_loopback(host: str) -> bool:
    """Whether an address is reachable only from this machine.

    Args:
        host: A numeric address.
    """
    return ipaddress.ip_address(host.partition("%")[0]).is_loopback
