"""A static host on this machine: files with their MIME types, no special headers, and it can go away."""

from __future__ import annotations

import mimetypes
import threading
import urllib.parse
from collections.abc import Mapping
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from phone.serving.server import TYPES


class Site:
    """Serves folders until it is closed.

    Attributes:
        port: Its port, which stays the same when it is opened again.
        seen: Paths that were asked for, in order, with their status.
        policy: If given, sent as a ``Content-Security-Policy-Report-Only`` header.
    """

    def __init__(self, folder: Path, mounts: Mapping[str, Path] | None = None) -> None:
        """Opens it.

        Args:
            folder: What ``/`` serves; it may be changed while the site runs.
            mounts: More folders by their first path segment.
        """
        self.folder = folder
        self.mounts = dict(mounts or {})
        self.seen: list[tuple[str, int]] = []
        self.port = 0
        self._server: _Server | None = None
        self.open()

    @property
    def url(self) -> str:
        """A secure context, as every page of this machine."""
        return f"http://localhost:{self.port}/"

    def url_at(self, host: str) -> str:
        """The same under another name of this machine."""
        return f"http://{host}:{self.port}/"

    def open(self) -> None:
        """Listens, again if it was closed."""
        if self._server is None:
            self._server = _Server(self, self.port)
            self.port = self._server.server_port
            threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stops listening: whoever asks is refused the connection. Open connections end too."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def file_of(self, path: str) -> Path | None:
        """The file of a URL's path; None if there is none."""
        parts = [part for part in urllib.parse.unquote(path).split("?")[0].split("/") if part]
        if ".." in parts:
            return None
        folder = self.folder
        if parts and parts[0] in self.mounts:
            folder = self.mounts[parts.pop(0)]
        file = folder.joinpath(*parts)
        file = file / "index.html" if file.is_dir() else file
        return file if file.is_file() else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A thread that serves a connection which the browser keeps open would be waited for.
    block_on_close = False

    def __init__(self, site: Site, port: int) -> None:
        self.site = site
        super().__init__(("127.0.0.1", port), _Handler)


class _Handler(SimpleHTTPRequestHandler):
    server: _Server
    # One request per connection, so that none outlives the server.
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        site = self.server.site
        file = site.file_of(self.path)
        site.seen.append((self.path, 200 if file else 404))
        if file is None:
            self.send_error(404)
            return
        content = file.read_bytes()
        kind = TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-cache")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *words: Any) -> None:
        """Nothing."""
