"""More clients than connections: the idle ones make way, the working ones stay."""

from __future__ import annotations

import select
import time
from contextlib import ExitStack, suppress

import httpx

POST = b"POST /classify HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\n"


def test_idle_connections_do_not_shut_a_good_client_out(start, digit: bytes) -> None:
    server = start("--max-connections", "100")
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(server.connect())
        time.sleep(1.2)
        for _ in range(5):
            answer = httpx.post(f"{server.url}/classify", content=digit)
            assert answer.status_code == 200
    assert server.well()


def test_busy_connections_are_not_given_away(start, digit: bytes) -> None:
    server = start("--max-connections", "2")
    head = POST + f"content-length: {len(digit)}\r\nconnection: close\r\n\r\n".encode()
    with ExitStack() as stack:
        busy = [stack.enter_context(server.connect()) for _ in range(2)]
        for sock in busy:
            sock.sendall(head + digit[:10])
        time.sleep(1.2)
        refused = httpx.get(f"{server.url}/health")
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["content-type"] == "application/problem+json"
        for sock in busy:
            sock.sendall(digit[10:])
            assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
    time.sleep(0.2)
    assert server.well()
    (line,) = [line for line in server.log if line.get("error") == "refused"]
    assert line["status"] == 503
    assert line["request_id"] == refused.headers["x-request-id"] == refused.json()["request_id"]


def test_many_uploads_at_once_have_bounded_memory(start) -> None:
    """Nothing is classified: bodies wait half sent, as many as memory takes; then HTTP 503."""
    server = start("--max-bytes", "30000000", "--timeout-s", "20")
    before = server.memory
    with ExitStack() as stack:
        socks = []
        for _ in range(14):
            sock = stack.enter_context(server.connect())
            sock.sendall(POST + b"content-length: 30000000\r\n\r\n")
            socks.append(sock)
            with suppress(ConnectionResetError, BrokenPipeError):
                sock.sendall(b"a" * 25_000_000)
        # Ten of these fit into 256 MB; who comes over it is refused, the others wait.
        refused = [sock for sock in select.select(socks, [], [], 2)[0] if b" 503 " in sock.recv(4096)]
        assert 1 <= len(refused) <= 4
        # A body lies in memory as pieces, not more than twice.
        assert server.memory - before < 2 * 256_000_000
        assert server.well()
