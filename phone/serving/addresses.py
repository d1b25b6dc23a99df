"""Under which address a phone reaches this machine, and the address as a QR code."""

from __future__ import annotations

import io
import ipaddress
import socket

_ELSEWHERE = ("192.0.2.1", 9)
"""An address for documentation (RFC 5737): it chooses the network card, and nothing is sent."""


def network_address() -> str | None:
    """This machine's address in the local network; None without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(_ELSEWHERE)
        except OSError:
            return None
        found = str(sock.getsockname()[0])
    return None if ipaddress.ip_address(found).is_loopback else found


def url(host: str, port: int) -> str:
    """The URL of a server.

    Args:
        host: A name or address.
        port: Its port.
    """
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


ALL = ("0.0.0.0", "::", "")
"""Hosts that stand for every address of this machine."""


def on_localhost(host: str) -> bool:
    """Whether a server is found at ``localhost``, where browsers allow everything.

    Args:
        host: What it listens on.
    """
    return host in (*ALL, "localhost", "127.0.0.1")


def reachable(host: str) -> str | None:
    """The address to give to a phone; None if only this machine is reached.

    Args:
        host: What the server listens on; a wildcard address stands for the network's.
    """
    if host in ALL:
        return network_address()
    try:
        return None if ipaddress.ip_address(host.partition("%")[0]).is_loopback else host
    except ValueError:
        return None if host == "localhost" else host


def qr_code(text: str) -> str | None:
    """Draws a QR code with block characters; None where segno is not installed.

    Args:
        text: What it says.
    """
    try:
        import segno
    except ImportError:
        return None
    drawn = io.StringIO()
    segno.make(text, micro=False).terminal(out=drawn, compact=True, border=2)
    return drawn.getvalue()
