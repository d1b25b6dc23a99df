"""The limits of a server, per client and for all of them, and the address it listens on."""

from __future__ import annotations

import ipaddress
import os
import socket
from dataclasses import dataclass

from edge_runtime.common.errors import UsageError
from edge_runtime.image.preprocess import MAX_BYTES

TIMEOUT_S = 30.0
"""Default time for a whole request to arrive: the largest one (20 MB) at 5.3 Mbit/s."""

HEADER_S = 10.0
"""Time for the headers to arrive, a few packets: half of Apache's and a sixth of nginx's default."""

MAX_CONNECTIONS = 100
"""Default maximum of simultaneous connections, a tenth of the usual 1,024 open files."""

MAX_HEADER_BYTES = 16 * 1024
"""Size limit of request line plus headers; Lambda's function URLs and most servers accept 8 to 16 KiB."""

KEEP_ALIVE_S = 5
"""How long a connection may wait for its next request."""

LINGER_S = 2.0
"""How long a refused client may keep sending before its connection is cut."""

BUFFERED_BYTES = 256_000_000
"""Total size limit of all request bodies in memory; at least two of the largest always fit."""

MOST_CONNECTIONS = 10_000

MOST_SECONDS = 3600.0

OPEN_TO_ALL = "Anyone who can reach this address can use it: there is no access control."
"""Warning for an address reachable from other machines without API keys."""


@dataclass(frozen=True)
class ServerLimits:
    """The limits of a server.

    Attributes:
        timeout_s: Seconds for a whole request to arrive, and for a response to be received.
        max_connections: Maximum simultaneous connections.
        max_bytes: Size limit of a body, enforced by the app itself; here, how much of a refused
            body is read before the connection is cut.
        header_s: Seconds for the headers; capped by timeout_s.
        max_header_bytes: Bytes of the request line and the headers together.
        linger_s: Seconds that a refused client may keep sending.
        buffered_bytes: Total bytes of all bodies in memory.
    """

    timeout_s: float = TIMEOUT_S
    max_connections: int = MAX_CONNECTIONS
    max_bytes: int = MAX_BYTES
    header_s: float = HEADER_S
    max_header_bytes: int = MAX_HEADER_BYTES
    linger_s: float = LINGER_S
    buffered_bytes: int = BUFFERED_BYTES

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            UsageError: One is out of its range.
        """
        if not 0.0 < self.timeout_s <= MOST_SECONDS:
            raise UsageError(
                f"timeout_s must be over 0 and at most {MOST_SECONDS:g} seconds. "
                f"Received: {self.timeout_s:g}. Pass --timeout-s {TIMEOUT_S:g}."
            )
        if not 1 <= self.max_connections <= MOST_CONNECTIONS:
            raise UsageError(
                f"max_connections must be from 1 to {MOST_CONNECTIONS:,}. "
                f"Received: {self.max_connections:,}. Pass --max-connections {MAX_CONNECTIONS}."
            )
        if self.max_bytes < 1:
            raise UsageError(
                f"max_bytes must be at least 1. Received: {self.max_bytes:,}. Pass --max-bytes {MAX_BYTES}."
            )

    @property
    def header_deadline_s(self) -> float:
        """Seconds for the headers."""
        return min(self.header_s, self.timeout_s)

    @property
    def room(self) -> int:
        """Total bytes of all bodies in memory; never less than two bodies."""
        return max(self.buffered_bytes, 2 * self.max_bytes)


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
