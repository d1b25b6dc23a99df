"""``snapship serve`` as its own process, and clients that mean it well or not."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[4]

SERVE = [sys.executable, "-u", "-c", "from serverless.serving.cli import serve; serve()"]

START_SECONDS = 30


@dataclass
class Server:
    """A running server; its output lies in files, since nobody reads a pipe meanwhile."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path
    url: str = ""

    @property
    def lines(self) -> list[str]:
        return self.out.read_text(encoding="utf-8").splitlines()

    @property
    def log(self) -> list[dict[str, Any]]:
        """Its JSON lines."""
        return [json.loads(line) for line in self.lines[2:]]

    @property
    def memory(self) -> int:
        """Resident bytes."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def logged(self, most: int = 1_000_000) -> int:
        """Waits until so many lines are there, or no more come: an answer's line follows it."""
        count, same = len(self.lines), 0
        while count < most and same < 5:
            time.sleep(0.05)
            same = same + 1 if len(self.lines) == count else 0
            count = len(self.lines)
        return count

    def connect(self) -> socket.socket:
        host, port = self.url.removeprefix("http://").split(":")
        sock = socket.create_connection((host, int(port)))
        sock.settimeout(20)
        return sock

    def say(self, *parts: bytes) -> bytes:
        """Sends bytes on a connection of its own and reads to its end."""
        with self.connect() as sock:
            for part in parts:
                sock.sendall(part)
            return heard(sock)

    def well(self) -> bool:
        """Whether a good client is answered."""
        return httpx.get(f"{self.url}/health", timeout=10).status_code == 200


Start = Callable[..., Server]


def heard(sock: socket.socket) -> bytes:
    """Everything up to the end of the connection, also where it was reset."""
    parts = []
    try:
        while part := sock.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def launched(bundle: Path, place: Path, *options: str) -> Server:
    """Starts a server and waits until it serves."""
    place.mkdir(parents=True, exist_ok=True)
    server = Server(None, place / "out.txt", place / "err.txt")  # type: ignore[arg-type]
    with server.out.open("wb") as out, server.err.open("wb") as err:
        server.process = subprocess.Popen(
            [*SERVE, str(bundle), "--port", "0", *options],
            stdout=out,
            stderr=err,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    end = time.monotonic() + START_SECONDS
    while len(server.lines) < 2:
        assert server.process.poll() is None, server.err.read_text(encoding="utf-8")
        assert time.monotonic() < end, "the server did not start"
        time.sleep(0.02)
    found = re.search(r"http://\S+:\d+", server.lines[0])
    assert found, server.lines
    server.url = found[0]
    return server


@pytest.fixture
def start(digits_bundle: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts servers of the digits, or of another bundle."""
    started: list[Server] = []

    def run(*options: str, bundle: Path = digits_bundle) -> Server:
        server = launched(bundle, tmp_path / f"server-{len(started)}", *options)
        started.append(server)
        return server

    yield run
    for server in started:
        server.process.kill()
        server.process.wait()


@pytest.fixture(scope="module")
def server(digits_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of a file; a slow client has two seconds."""
    made = launched(digits_bundle, tmp_path_factory.mktemp("server"), "--timeout-s", "2")
    yield made
    assert made.process.poll() is None, made.err.read_text(encoding="utf-8")
    made.process.kill()
    made.process.wait()


@pytest.fixture(scope="session")
def digit(digits_bundle: Path) -> bytes:
    """A good image."""
    return (digits_bundle / "golden" / "0.png").read_bytes()
