"""The address that a server listens on."""

from __future__ import annotations

import ipaddress
import os
import socket

from edge_runtime.errors import UsageError

OPEN_TO_ALL = "Everyone who reaches this address can use it: there is no access control."
"""What is said of an address beyond this machine, where no key is asked for."""


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
    # The protocol said out loud: asyncio turns Nagle's delay of 40 ms off for these alone.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
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
