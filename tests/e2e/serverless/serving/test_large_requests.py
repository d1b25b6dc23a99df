"""Uploads over the limit are refused before they are read, and the connection ends."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from itertools import repeat

import httpx
import pytest

LIMIT = 100_000

BLOCK = 65_536

# Buffers of both ends of the connection.
IN_FLIGHT = 16_000_000

POST = b"POST /classify HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\n"


@pytest.fixture
def small(start):
    return start("--max-bytes", str(LIMIT))


def poured(sock: socket.socket, blocks: Iterator[bytes], most: int) -> int:
    """Sends until the server ends it; the bytes that it took."""
    sent = 0
    try:
        for block in blocks:
            sock.sendall(block)
            sent += len(block)
            if sent >= most:
                break
    except (ConnectionResetError, BrokenPipeError):
        pass
    return sent


def test_a_length_over_the_limit_is_answered_before_the_body(small) -> None:
    with small.connect() as sock:
        sock.sendall(POST + b"content-length: 10000000000\r\n\r\n")
        answer = sock.recv(65536)
        while not answer.endswith(b"}"):
            answer += sock.recv(65536)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in answer
        assert f"{LIMIT:,}".encode() in answer
        sent = poured(sock, repeat(b"a" * BLOCK), 10 * IN_FLIGHT)
    assert sent < LIMIT + IN_FLIGHT
    assert small.well()


def test_a_body_without_a_length_is_cut_at_the_limit(small) -> None:
    with small.connect() as sock:
        sock.sendall(POST + b"transfer-encoding: chunked\r\n\r\n")
        sent = poured(sock, repeat(b"10000\r\n" + b"a" * BLOCK + b"\r\n"), 10 * IN_FLIGHT)
    assert sent < LIMIT + IN_FLIGHT
    assert small.well()


def test_curl_is_told_before_it_sends(small) -> None:
    answer = small.say(POST + b"content-length: 200000\r\nexpect: 100-continue\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"100 Continue" not in answer


@pytest.mark.parametrize("chunked", [False, True])
def test_an_ordinary_client_reads_the_refusal(small, chunked: bool) -> None:
    blocks = [b"a" * 1000] * 150
    answer = httpx.post(f"{small.url}/classify", content=iter(blocks) if chunked else b"".join(blocks))
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]


def test_a_client_that_sends_on_first_still_reads_the_refusal(small) -> None:
    """Most clients do; a connection that is closed at once breaks their sending, and they never read."""
    with small.connect() as sock:
        sock.sendall(POST + b"content-length: 150000\r\n\r\n")
        for _ in range(4):
            time.sleep(0.1)
            sock.sendall(b"a" * 20_000)
        assert sock.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_memory_stays_flat_under_large_uploads(small) -> None:
    sizes = []
    for _ in range(12):
        with small.connect() as sock:
            sock.sendall(POST + b"transfer-encoding: chunked\r\n\r\n")
            poured(sock, repeat(b"10000\r\n" + b"a" * BLOCK + b"\r\n"), IN_FLIGHT)
        sizes.append(small.memory)
    # The first ones fill the allocator.
    assert sizes[-1] - sizes[2] < 10_000_000


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /health HTTP/1.1\r\nhost: x\r\nx-a: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: x\r\nx-a: " + b"a" * 100_000,
        b"GET /health?" + b"a" * 20_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: x\r\n" + b"x: y\r\n" * 4_000 + b"\r\n",
    ],
    ids=["one-long", "endless", "query", "many"],
)
def test_headers_over_the_limit_are_refused(small, request_bytes: bytes) -> None:
    answer = small.say(request_bytes)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"16,384" in answer
    assert b"connection: close" in answer
