"""The address of a port, written HOST:PORT."""

from __future__ import annotations


def host_and_port(address: str) -> tuple[str, int] | None:
    """Splits ``HOST:PORT``.

    Args:
        address: Anything, such as ``10.0.0.1:6379`` or ``[::1]:6379``.

    Returns:
        The host as it stands there, and the port; None for any other form.

    Raises:
        ValueError: No port has that number. Systems would take its last 16 bits, and find whatever listens there.
    """
    host, _, port = address.rpartition(":")
    if not (host and port.isascii() and port.isdecimal()):
        return None
    if not 1 <= int(port) <= 65535:
        raise ValueError(f"{port} is no port: they are 1 to 65535")
    return host, int(port)
