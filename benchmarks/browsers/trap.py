"""A port that every foreign name leads to: it tells who was asked, whichever thread of the browser asked."""

from __future__ import annotations

import re
import socketserver
import threading

_HOST = re.compile(rb"^Host: ([^:\r\n]+)", re.IGNORECASE | re.MULTILINE)
_SERVER_NAME = re.compile(rb"\x00\x00(..)(..)\x00(..)([a-z0-9.-]+)", re.IGNORECASE | re.DOTALL)
"""TLS's extension server_name: three lengths, each inside the one before, and the name (RFC 6066)."""

GREETING_BYTES = 4096
"""A request line or a TLS greeting, which names the host in the clear."""


class Trap:
    """Accepts connections, reads the name that they are meant for, and closes them.

    Attributes:
        greetings: The first bytes of each connection.
        port: Where it listens.
    """

    def __init__(self) -> None:
        """Opens it."""
        self.greetings: list[bytes] = []
        trap = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                trap.greetings.append(self.request.recv(GREETING_BYTES))

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def flags(self) -> tuple[str, ...]:
        """Chromium's flags that lead every name but this machine's own here."""
        return (f"--host-resolver-rules=MAP * 127.0.0.1:{self.port}, EXCLUDE localhost, EXCLUDE 127.0.0.1",)

    @property
    def names(self) -> set[str]:
        """The hosts that were asked for."""
        found = set()
        for greeting in self.greetings:
            found |= {name.decode() for name in _HOST.findall(greeting)}
            for *lengths, name in _SERVER_NAME.findall(greeting):
                outer, inner, length = (int.from_bytes(one, "big") for one in lengths)
                if (outer, inner) == (length + 5, length + 3):
                    found.add(name[:length].decode())
        return found

    def close(self) -> None:
        """Closes it."""
        self._server.shutdown()
        self._server.server_close()
