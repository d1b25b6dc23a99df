"""Serves an app until Ctrl-C, and says how a phone opens it."""

from __future__ import annotations

import sys

import click

from phone.serving.addresses import ALL, on_localhost, qr_code, reachable, url
from phone.serving.server import AppServer


def serve_until_stopped(server: AppServer, host: str) -> None:
    """Serves an app; returns after Ctrl-C.

    Args:
        server: Bound to its port.
        host: The address as the user gave it.
    """
    # On stderr, where the other lines about the run are: stdout may be JSON.
    for line in introduction(host, server.port):
        click.echo(line, err=True)
    try:
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)


def introduction(host: str, port: int) -> list[str]:
    """What is printed when the server has started."""
    here = url("localhost" if on_localhost(host) else host, port)
    phone = reachable(host)
    lines = [f"Serving on {here} (Ctrl-C stops it)"]
    if phone is None:
        cure = "Connect it to a network." if host in ALL else "For the network pass --host 0.0.0.0."
        lines.append(f"Only this machine can open it. {cure}")
    else:
        there = url(phone, port)
        lines.append(f"On a phone in the same network: {there}")
        code = qr_code(there)
        if code is not None and _can_show(code):
            lines.append(code)
        elif code is None:
            lines.append("For a QR code of the address: pip install 'snapship[phone]'")
        lines.append(
            "Browsers allow camera, installation and offline use only on https:// and on localhost. At the address "
            "above the app classifies chosen photos."
        )
    cable = (
        f"For everything on an Android phone with a cable: adb reverse tcp:{port} tcp:{port}, then open {here} there. "
        "Or put the folder on any https:// host."
    )
    return [*lines, cable] if on_localhost(host) else lines


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stderr.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
