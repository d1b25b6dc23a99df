"""Clients that send or read slowly lose their connection, and nobody else notices."""

from __future__ import annotations

import socket
import time
from contextlib import suppress

# The server's --timeout-s of the fixture.
TIMEOUT = 2

# What a busy machine may add.
SLACK = 8

POST = b"POST /classify HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\n"


def trickled(sock: socket.socket, data: bytes) -> tuple[bytes, float]:
    """Sends a byte every tenth of a second until the server has enough; its answer, and the seconds."""
    begin = time.monotonic()
    sock.settimeout(0.1)
    answer = b""
    for place in range(len(data)):
        try:
            sock.sendall(data[place : place + 1])
            part = sock.recv(65536)
        except TimeoutError:
            continue
        except OSError:
            break
        if not part:
            break
        answer += part
    return answer, time.monotonic() - begin


def test_headers_that_trickle_in_are_cut_off(server) -> None:
    with server.connect() as sock:
        answer, seconds = trickled(sock, b"GET /health HTTP/1.1\r\nhost: x\r\nx-a: " + b"a" * 500)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer
    assert server.log[-1]["status"] == 408
    assert TIMEOUT - 0.5 < seconds < TIMEOUT + SLACK
    assert server.well()


def test_headers_that_trickle_in_after_a_good_request_are_cut_off(server) -> None:
    with server.connect() as sock:
        sock.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
        answer, seconds = trickled(sock, b"GET /health HTTP/1.1\r\nhost: x\r\nx-a: " + b"a" * 500)
    assert b"HTTP/1.1 408 " in answer
    assert seconds < TIMEOUT + SLACK


def test_a_body_that_trickles_in_is_cut_off_with_a_request_id(server) -> None:
    with server.connect() as sock:
        sock.sendall(POST + b"content-length: 1000\r\n\r\n")
        answer, seconds = trickled(sock, b"a" * 1000)
    assert TIMEOUT - 0.5 < seconds < TIMEOUT + SLACK
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"x-request-id: " in answer
    assert b"connection: close" in answer
    assert server.well()


def test_a_chunked_body_that_never_ends_is_cut_off(server) -> None:
    with server.connect() as sock:
        sock.sendall(POST + b"transfer-encoding: chunked\r\n\r\n")
        answer, _ = trickled(sock, b"1\r\na\r\n" * 200)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_client_that_says_nothing_is_let_go(server) -> None:
    begin = time.monotonic()
    assert not server.say()
    assert TIMEOUT - 0.5 < time.monotonic() - begin < TIMEOUT + SLACK


def test_a_client_that_reads_no_answer_is_cut_off(server) -> None:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    host, port = server.url.removeprefix("http://").split(":")
    sock.connect((host, int(port)))
    sock.settimeout(TIMEOUT + 2 * SLACK)
    begin = time.monotonic()
    with sock:
        end_of_asking(sock, b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n" * 1000)
    assert time.monotonic() - begin < TIMEOUT + 2 * SLACK
    assert server.well()


def end_of_asking(sock: socket.socket, data: bytes) -> None:
    """Sends again and again until the connection is cut; no end is a TimeoutError."""
    with suppress(ConnectionResetError, BrokenPipeError):
        while True:
            sock.sendall(data)
