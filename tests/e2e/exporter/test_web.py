"""LiteRT.js and onnxruntime-web in headless Chromium run the artifacts, without leaving this machine."""

from __future__ import annotations

import json
import mimetypes
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import numpy as np
import pytest

LABELS = ("blobs", "café crème", "stripes", "zebra checks")
PAGE = Path(__file__).with_name("web")
TOLERANCES = {"tflite-fp32": 1e-4, "onnx-fp32": 1e-4, "tflite-int8": 0.05, "onnx-int8": 0.05}
"""For float files on every image. For int8 files where the answer is clear: WebAssembly's kernels round
to the other side now and then, as ONNX Runtime's own do with and without graph optimisation."""

TYPES = {".mjs": "text/javascript", ".wasm": "application/wasm"}
ONLY_HERE = "default-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob: data:"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip

pytestmark = pytest.mark.slow


class Site(ThreadingHTTPServer):
    """A local server of a few folders and of the job, which waits for the page's result."""

    daemon_threads = True

    def __init__(self, folders: dict[str, Path], kinds: tuple[str, ...], images: list[Path]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folders = folders
        self.images = images
        self.job = {"kinds": kinds, "images": [f"/images/{index}" for index in range(len(images))]}
        self.result: Queue[dict[str, Any]] = Queue()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        top, _, rest = self.path.lstrip("/").partition("/")
        if self.path == "/job.json":
            return self._send(json.dumps(self.server.job).encode(), "application/json")
        if top == "images":
            return self._send(self.server.images[int(rest)].read_bytes(), "image/png")
        folder = self.server.folders.get(top)
        file = folder / rest if folder else PAGE / (top or "index.html")
        if not file.is_file():
            return self.send_error(404)
        kind = TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        return self._send(file.read_bytes(), kind)

    def do_POST(self) -> None:
        self.server.result.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._send(b"", "text/plain")

    def log_message(self, *words: object) -> None:
        """Nothing."""

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", ONLY_HERE)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="session")
def browser() -> str:
    """Chromium or its like."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("needs chromium, which is not installed")
    return found


@pytest.fixture(scope="session")
def answered(browser: str, web_packages: Path, bundle: Path, images: list[Path]) -> dict[str, Any]:
    """What the page posted: answers by kind, requests that the browser refused, and all it loaded."""
    site = Site({"node_modules": web_packages, "bundle": bundle}, tuple(TOLERANCES), images)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [browser, *FLAGS, f"--user-data-dir={profile}", site.url],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            found = site.result.get(timeout=120)
        except Empty:
            found = {}
        # Its renderers too.
        os.killpg(process.pid, signal.SIGKILL)
        said = process.communicate()[1]
        site.shutdown()
        site.server_close()
    assert found, f"the page posted nothing in 120 s: {said[-3000:]}"
    return {**found, "url": site.url}


@pytest.mark.parametrize("kind", TOLERANCES)
def test_browser_gives_our_labels_and_scores(answered: dict[str, Any], expected: Callable, kind: str) -> None:
    answers = answered["answers"][kind]
    assert isinstance(answers, list), answers
    tolerance, clear = TOLERANCES[kind], set()
    for answer, scores in zip(answers, expected(kind), strict=True):
        second, best = np.sort(scores)[-2:]
        if best - second > 0.8:
            assert answer["label"] == LABELS[scores.argmax()]
            clear.add(answer["label"])
        if best - second > 0.8 or kind.endswith("fp32"):
            assert np.abs(np.array(answer["scores"]) - scores).max() <= tolerance
    assert clear == set(LABELS)


def test_browser_asks_nobody_else(answered: dict[str, Any]) -> None:
    assert answered["external"] == []
    assert any("litert_wasm" in name for name in answered["loaded"])
    assert all(name.startswith((answered["url"], "blob:")) for name in answered["loaded"])
