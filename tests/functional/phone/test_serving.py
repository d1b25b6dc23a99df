"""``snapship phone --serve`` as a process: what it says, what it serves, how it ends."""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_runtime.common.errors import UsageError
from phone.serving.server import AppServer
from snapship.cli import cli

STARTS_S = 60


@pytest.fixture
def server(digits_app: Path) -> Iterator[AppServer]:
    with AppServer(digits_app, "127.0.0.1", 0) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def get(port: int, path: str, method: str = "GET") -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    # As written: the client must not tidy up the path first.
    connection.putrequest(method, path, skip_host=False)
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers, content


def test_every_file_arrives_with_its_type(server: AppServer, digits_app: Path) -> None:
    types = {
        ".html": "text/html; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".mjs": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".wasm": "application/wasm",
        ".webmanifest": "application/manifest+json",
        ".png": "image/png",
        ".txt": "text/plain; charset=utf-8",
        ".tflite": "application/octet-stream",
    }
    seen = set()
    for file in digits_app.rglob("*"):
        if file.is_file():
            path = file.relative_to(digits_app).as_posix()
            status, headers, content = get(server.port, f"/{path}")
            assert (status, content) == (200, file.read_bytes()), path
            assert headers["Content-Type"] == types[file.suffix], path
            assert headers["Cache-Control"] == "no-cache"
            assert headers["X-Content-Type-Options"] == "nosniff"
            seen.add(file.suffix)
    assert seen == set(types)
    assert get(server.port, "/")[2] == (digits_app / "index.html").read_bytes()
    assert get(server.port, "/?from=qr")[0] == 200


def test_head_has_no_content(server: AppServer, digits_app: Path) -> None:
    status, headers, content = get(server.port, "/core.wasm", "HEAD")
    assert (status, content) == (200, b"")
    assert int(headers["Content-Length"]) == (digits_app / "core.wasm").stat().st_size


@pytest.mark.parametrize(
    "path",
    ["/engine", "/engine/", "/bundle/", "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "//etc/passwd",
     "/secret.txt", "/bundle/%00", "/v-1/index.html", "/%ff"],
)  # fmt: skip
def test_nothing_else_is_served_and_no_folder_is_listed(digits_app: Path, tmp_path: Path, path: str) -> None:
    own = tmp_path / "app"
    shutil.copytree(digits_app, own)
    for place in (own, tmp_path):
        (place / "secret.txt").write_text("a secret")
    with AppServer(own, "127.0.0.1", 0) as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        status, _, content = get(running.port, path)
        running.shutdown()
    assert status == 404
    assert b"secret" not in content


def test_other_methods_and_noise_do_not_stop_it(server: AppServer) -> None:
    assert get(server.port, "/index.html", "POST")[0] == 501
    for noise in (b"\x16\x03\x01\x00\xa5 TLS", b"GET / HTTP/9\r\n\r\n", b""):
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
            sock.sendall(noise)
    # No URL, so there is nothing to split.
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
        sock.sendall(b"GET http://[ HTTP/1.1\r\n\r\n")
        assert sock.recv(12) == b"HTTP/1.1 404"
    assert get(server.port, "/index.html")[0] == 200


def test_port_in_use_and_foreign_host(server: AppServer, digits_app: Path) -> None:
    with pytest.raises(UsageError, match=rf"must be free.*127\.0\.0\.1:{server.port}.*--port 0"):
        AppServer(digits_app, "127.0.0.1", server.port)
    # The last one as Python reads an argument whose bytes are no UTF-8.
    for host in ("192.0.2.1", "a b", "\udcff"):
        with pytest.raises(UsageError, match="belong to this machine"):
            AppServer(digits_app, host, 0)


def test_port_in_use_is_known_before_the_app_is_made(server: AppServer, tmp_path: Path) -> None:
    words = ["phone", "none.bundle", "--out", str(tmp_path / "app"), "--serve", "--host", "127.0.0.1"]
    found = CliRunner().invoke(cli, [*words, "--port", str(server.port)])
    assert found.exit_code == 2
    assert f"127.0.0.1:{server.port}" in found.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_serves_until_it_is_stopped(
    digits_bundle: Path, engine: Path, tmp_path: Path, number: signal.Signals
) -> None:
    words = ["phone", str(digits_bundle), "--out", str(tmp_path / "app"), "--engine", str(engine)]
    process = subprocess.Popen(
        [sys.executable, "-m", "snapship", *words, "--serve", "--host", "127.0.0.1", "--port", "0", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        said = _until(process, b"https:// host.")
        found = re.search(r"Serving on http://localhost:(\d+)/", said)
        assert found
        assert f"adb reverse tcp:{found[1]} tcp:{found[1]}" in said
        assert "Only this machine can open it" in said
        assert get(int(found[1]), "/app.json")[0] == 200
        process.send_signal(number)
        out, rest = process.communicate(timeout=STARTS_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert rest.decode().splitlines()[-1] == "Stopped."
    # Stdout is JSON alone.
    assert json.loads(out)["outputs"] == {"out": str(tmp_path / "app")}


def _until(process: subprocess.Popen[bytes], end: bytes) -> str:
    assert process.stderr is not None
    deadline, said = time.monotonic() + STARTS_S, b""
    while end not in said:
        assert process.poll() is None, said
        assert time.monotonic() < deadline, said
        if select.select([process.stderr], [], [], 0.2)[0]:
            said += os.read(process.stderr.fileno(), 4096)
    return said.decode()
