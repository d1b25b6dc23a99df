"""The browser recipes of docs/apps.md in headless Chromium, without leaving this machine.

LiteRT.js and onnxruntime-web run the artifacts on the kit's pixels, and a page of one's own runs the app that
``snapship phone`` makes.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image, ImageCms

from edge_runtime import InputSpec, pixels

ROOT = Path(__file__).resolve().parents[3]
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

    def __init__(
        self, folders: dict[str, Path], images: list[Path], photos: list[tuple[Path, InputSpec]]
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folders = folders
        self.images = [*images, *(path for path, _ in photos)]
        urls = [f"/images/{index}" for index in range(len(self.images))]
        taken = [
            {"url": url, "input": msgspec.to_builtins(spec)}
            for url, (_, spec) in zip(urls[len(images) :], photos, strict=True)
        ]
        self.job = {"kinds": tuple(TOLERANCES), "images": urls[: len(images)], "photos": taken}
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
            file = self.server.images[int(rest)]
            return self._send(file.read_bytes(), mimetypes.guess_type(file.name)[0] or "")
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
def kit() -> Path:
    """The static part of the app that ``snapship phone`` makes."""
    return ROOT / "phone" / "web"


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, InputSpec]]:
    """Files of other sizes than the model's, and what they become: JPEGs, one turned by EXIF, one of Display P3."""
    place = tmp_path_factory.mktemp("sizes")
    rng = np.random.default_rng(3)
    made: list[tuple[Path, InputSpec]] = []
    inputs = (InputSpec(48, 48), InputSpec(48, 48, fit="crop"), InputSpec(33, 57, resize="plain"))
    for number, (width, height) in enumerate([(320, 240), (101, 333), (31, 20)]):
        smooth = rng.integers(0, 256, (height // 9 + 1, width // 9 + 1, 3), dtype=np.uint8)
        picture = Image.fromarray(smooth).resize((width, height), Image.Resampling.BICUBIC)
        exif = Image.Exif()
        exif[274] = (1, 6, 8)[number]
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes() if number == 2 else None
        picture.save(place / f"{number}.jpg", quality=88, exif=exif, icc_profile=profile)
        picture.save(place / f"{number}.png")
        made += [(place / f"{number}{ending}", spec) for ending in (".jpg", ".png") for spec in inputs]
    return made


@pytest.fixture(scope="session")
def made_app(bundle: Path, web_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle as an app."""
    folder = tmp_path_factory.mktemp("phone") / "app"
    command = [sys.executable, "-m", "snapship", "phone", str(bundle), "--out", str(folder)]
    command += ["--artifact", "tflite-int8", "--engine", str(web_packages)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def answered(
    browser: str, web_packages: Path, bundle: Path, images: list[Path], kit: Path,
    photos: list[tuple[Path, InputSpec]], made_app: Path,
) -> dict[str, Any]:  # fmt: skip
    """What the page posted: answers by kind, requests that the browser refused, and all it loaded."""
    folders = {"node_modules": web_packages, "bundle": bundle, "app": kit, "made": made_app}
    site = Site(folders, images, photos)
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


def test_browser_makes_our_pixels_of_every_size(
    answered: dict[str, Any], photos: list[tuple[Path, InputSpec]]
) -> None:
    made = answered["photos"]
    assert isinstance(made, list), made
    assert made == [
        hashlib.sha256(pixels(file.read_bytes(), spec).tobytes()).hexdigest() for file, spec in photos
    ]


def test_app_answers_in_a_page_of_its_users_own(answered: dict[str, Any], expected: Callable) -> None:
    assert isinstance(answered["apps"], list), answered["apps"]
    for best, scores in zip(answered["apps"], expected("tflite-int8"), strict=True):
        second, first = np.sort(scores)[-2:]
        assert {entry["label"] for entry in best} == set(LABELS)
        if first - second > 0.8:
            assert best[0]["label"] == LABELS[scores.argmax()]
            assert best[0]["score"] == pytest.approx(float(scores.max()), abs=TOLERANCES["tflite-int8"])


def test_browser_asks_nobody_else(answered: dict[str, Any]) -> None:
    assert answered["external"] == []
    assert any("litert_wasm" in name for name in answered["loaded"])
    assert all(name.startswith((answered["url"], "blob:")) for name in answered["loaded"])
