"""``snapship serve`` as its own process, asked over a real port."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from edge_runtime import Classifier
from edge_runtime.golden import read_golden

ROOT = Path(__file__).resolve().parents[3]

SERVE = [sys.executable, "-u", "-c", "from serverless.cli import serve; serve()"]

Server = tuple[subprocess.Popen[str], str, list[str]]


@pytest.fixture
def start(digits_bundle: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers; gives the process, its URL and the lines that it printed up to then."""
    started: list[subprocess.Popen[str]] = []

    def run(*options: str) -> Server:
        process = subprocess.Popen(
            [*SERVE, str(digits_bundle), "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        started.append(process)
        assert process.stdout is not None
        lines = [process.stdout.readline().rstrip(), process.stdout.readline().rstrip()]
        found = re.search(r"http://\S+:\d+", lines[0])
        assert found, (lines, process.stderr and process.stderr.read())
        return process, found[0], lines

    yield run
    for process in started:
        process.kill()
        process.communicate()


def test_serve_gives_the_scores_of_the_classifier(start: Callable[..., Server], digits_bundle: Path) -> None:
    _, url, lines = start("--artifact", "tflite-fp32")
    assert not url.endswith(":0")
    assert lines[1] == f"Try: curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' {url}/classify"
    with Classifier.open(digits_bundle, "tflite-fp32") as classifier, httpx.Client(base_url=url) as client:
        assert client.get("/health").json()["artifact"] == "tflite-fp32"
        for example in read_golden(classifier.bundle).examples:
            data = classifier.bundle.read(example.file)
            answer = client.post(
                "/classify?top_k=10", content=data, headers={"content-type": "image/png"}
            ).json()
            scores = classifier.scores(data)
            for entry in answer["predictions"]:
                assert entry["score"] == pytest.approx(float(scores[entry["index"]]), abs=1e-6)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl, which is not installed")
def test_the_printed_curl_line_works(
    start: Callable[..., Server], digits_bundle: Path, tmp_path: Path
) -> None:
    _, _, lines = start()
    image = sorted((digits_bundle / "golden").glob("*.png"))[0]
    shutil.copy(image, tmp_path / "photo.jpg")
    command = lines[1].removeprefix("Try: ").replace("curl ", "curl --silent --fail ")
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"label":' in done.stdout


def test_an_upload_over_the_limit_is_answered_and_the_server_lives(start: Callable[..., Server]) -> None:
    _, url, _ = start()
    with httpx.Client(base_url=url) as client:
        refused = client.post("/classify", content=b"x" * 20_000_001)
        assert refused.status_code == 413
        assert refused.headers["content-type"] == "application/problem+json"
        assert client.get("/health").status_code == 200


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal to another process there")
def test_ctrl_c_ends_quietly(start: Callable[..., Server]) -> None:
    process, url, _ = start()
    # A connection that stays open must not hold it up.
    with httpx.Client(base_url=url) as client:
        assert client.get("/health").status_code == 200
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert time.monotonic() - begin < 5
    assert "Traceback" not in out + err
    assert "KeyboardInterrupt" not in out + err


def test_a_wide_open_address_is_said_out_loud(start: Callable[..., Server]) -> None:
    process, url, _ = start("--host", "0.0.0.0")
    assert url.startswith("http://127.0.0.1:")
    assert httpx.get(f"{url}/health").status_code == 200
    process.kill()
    assert "no access control" in process.communicate()[1]


def test_a_port_in_use_ends_with_its_message(digits_bundle: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*SERVE, str(digits_bundle), "--port", port],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1].startswith("edge_runtime.errors.UsageError: The address must be free")
