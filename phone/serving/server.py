"""Serves the files that ``app.json`` lists, and nothing else: no other file of the folder, no list of it."""

from __future__ import annotations

import os
import socket
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec

from edge_runtime.common.errors import UsageError
from phone.app.app_json import APP_FILE, UNLISTED, App

START_PAGE = "index.html"

READ_TIMEOUT_S = 30.0
"""How long a connection may stay silent."""

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
}
"""Not those of the system: a module of another type is refused by browsers."""


class AppServer(ThreadingHTTPServer):
    """An app's folder on a port.

    Attributes:
        app_folder: The folder.
    """

    daemon_threads = True
    # Elsewhere it would let two servers share a port.
    allow_reuse_address = os.name == "posix"

    def __init__(self, folder: Path, host: str, port: int) -> None:
        """Binds the port.

        Args:
            folder: An app made by snapship.
            host: Address to listen on.
            port: 0 picks a free one.

        Raises:
            UsageError: The port is in use or not allowed, or the host is not this machine.
        """
        self.app_folder = folder
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError, UnicodeError, TypeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(
                f"The address must be free and belong to this machine. Received: {host}:{port} ({reason}). "
                "Pass another --port, --port 0 for a free one, or another --host."
            ) from error

    @property
    def port(self) -> int:
        """The actual port."""
        return int(self.server_address[1])

    def read(self, path: str) -> bytes | None:
        """A file of the app; None for any other path.

        Args:
            path: Inside the app.
        """
        try:
            # Read for each request: the app may be made again while it is served.
            app = msgspec.json.decode((self.app_folder / APP_FILE).read_bytes(), type=App)
            if path not in app.files and path not in UNLISTED:
                return None
            return (self.app_folder / path).read_bytes()
        except (OSError, msgspec.MsgspecError):
            return None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing about a phone that goes away."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "snapship"
    sys_version = ""
    timeout = READ_TIMEOUT_S
    server: AppServer

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0]).lstrip("/") or START_PAGE
        data = self.server.read(path)
        if data is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", TYPES.get(Path(path).suffix.lower(), "application/octet-stream"))
        self.send_header("Content-Length", str(len(data)))
        # The service worker keeps the files; a stale app.json would hide a new version.
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Prints no line per request: a start has 30."""
