"""``snapship serve`` as its own process, asked over a real port."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from edge_runtime import Classifier
from edge_runtime.golden import read_golden
from serverless.app.core.keys import new_key

CODE = "from serverless.serving.cli import serve; serve()"


def test_serve_gives_the_scores_of_the_classifier(start, digits_bundle: Path) -> None:
    server = start("--artifact", "tflite-fp32")
    url, lines = server.url, server.lines
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
def test_the_printed_curl_line_works(start, digits_bundle: Path, tmp_path: Path) -> None:
    lines = start().lines
    image = sorted((digits_bundle / "golden").glob("*.png"))[0]
    shutil.copy(image, tmp_path / "photo.jpg")
    command = lines[1].removeprefix("Try: ").replace("curl ", "curl --silent --fail ")
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"label":' in done.stdout


def test_an_upload_over_the_limit_is_answered_and_the_server_lives(start) -> None:
    with httpx.Client(base_url=start().url) as client:
        refused = client.post("/classify", content=b"x" * 20_000_001)
        assert refused.status_code == 413
        assert refused.headers["content-type"] == "application/problem+json"
        assert client.get("/health").status_code == 200


@pytest.mark.skipif(sys.platform == "win32", reason="a signal to another process ends it at once there")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_quietly(start, ending: signal.Signals) -> None:
    server = start()
    # A connection that stays open must not hold it up.
    with httpx.Client(base_url=server.url) as client:
        assert client.get("/health").status_code == 200
        begin = time.monotonic()
        server.process.send_signal(ending)
        assert server.process.wait(timeout=10) == 0
    assert time.monotonic() - begin < 5
    assert not server.err.read_text()
    # Every line of the log is JSON.
    assert [line["path"] for line in server.log] == ["/health"]


@pytest.mark.skipif(sys.platform == "win32", reason="a signal to another process ends it at once there")
def test_a_request_in_work_is_answered_after_sigterm(start, digit: bytes) -> None:
    server = start()
    with server.connect() as working, server.connect() as slow:
        head = b"POST /classify HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(digit)
        for sock in (working, slow):
            sock.sendall(head + digit[:-5])
        assert server.well()
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        working.sendall(digit[-5:])
        assert working.recv(65536).startswith(b"HTTP/1.1 200 ")
        # The other one never ends its body, and the server ends all the same.
        assert server.process.wait(timeout=15) == 0
    assert server.err.read_text().splitlines() == [
        "ERROR:    Cancel 1 running task(s), timeout graceful shutdown exceeded"
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="a signal to another process ends it at once there")
def test_sigterm_while_refused_clients_leave(start) -> None:
    server = start()
    with server.connect() as large, server.connect() as junk, server.connect() as part:
        large.sendall(b"POST /classify HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\n")
        junk.sendall(b"hello\r\n\r\n")
        part.sendall(b"GET /health HTTP/1.1\r\n")
        assert large.recv(65536).startswith(b"HTTP/1.1 413 ")
        assert junk.recv(65536).startswith(b"HTTP/1.1 400 ")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=15) == 0
    assert "Traceback" not in server.err.read_text()


def test_a_wide_open_address_is_said_out_loud(start) -> None:
    server = start("--host", "0.0.0.0")
    assert server.url.startswith("http://127.0.0.1:")
    assert httpx.get(f"{server.url}/health").status_code == 200
    assert "no access control" in server.err.read_text()


def test_only_this_machine_reaches_it_unless_asked(start) -> None:
    port = int(start().url.rpartition(":")[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Sends nothing; tells which address of this machine faces others.
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("needs a network interface besides loopback")
        own = probe.getsockname()[0]
    with socket.socket() as sock:
        sock.settimeout(5)
        assert sock.connect_ex((own, port)) != 0


def test_with_keys_only_who_has_one_classifies(start, digit: bytes, tmp_path: Path) -> None:
    secret, entry = new_key("phone")
    file = tmp_path / "keys.txt"
    file.write_text(f"# who may call\n{entry}\n")
    server = start("--host", "0.0.0.0", "--api-keys", str(file))
    assert "no access control" not in server.err.read_text()
    assert "X-Api-Key" in server.lines[1]
    url = f"{server.url}/classify"
    assert httpx.post(url, content=digit).status_code == 401
    assert httpx.post(url, content=digit, headers={"x-api-key": f"{secret}x"}).status_code in (401, 403)
    assert httpx.post(url, content=digit, headers={"x-api-key": secret}).status_code == 200
    assert secret not in server.out.read_text() + server.err.read_text()


def test_a_page_of_another_origin_may_call_when_asked(start, digit: bytes) -> None:
    server = start("--cors-origin", "https://example.org")
    allowed = "access-control-allow-origin"
    for origin, answer in (("https://example.org", "https://example.org"), ("https://evil.example", None)):
        headers = httpx.post(f"{server.url}/classify", content=digit, headers={"origin": origin}).headers
        assert headers.get(allowed) == answer


def test_a_picture_over_the_asked_pixels_is_refused(start, digit: bytes) -> None:
    server = start("--max-pixels", "63")
    answer = httpx.post(f"{server.url}/classify", content=digit)
    assert answer.status_code == 413
    assert "63" in answer.json()["detail"]


def test_a_port_in_use_ends_with_its_message(digits_bundle: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-c", CODE, str(digits_bundle), "--port", port], capture_output=True, text=True
        )
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1].startswith(
        "edge_runtime.common.errors.UsageError: The address must be free"
    )
