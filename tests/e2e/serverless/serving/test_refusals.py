"""What the server refuses by itself has a request id too, under which its log has it."""

from __future__ import annotations

import json

import pytest

from serverless.serving.limits import MAX_HEADER_BYTES

POST = b"POST /classify HTTP/1.1\r\nhost: x\r\n"
MINE = b"x-request-id: find-me\r\n"


@pytest.mark.parametrize(
    ("sent", "status", "id"),
    [
        (b"hello\r\n\r\n", 400, ""),
        (POST + MINE + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\nhello", 400, "find-me"),
        # Over the limit as a whole, and before its end is seen.
        (POST + MINE + b"x-a: " + b"a" * MAX_HEADER_BYTES + b"\r\n\r\n", 431, "find-me"),
        (POST + b"x-a: " + b"a" * 10 * MAX_HEADER_BYTES, 431, ""),
        # Never whole: after the server's two seconds.
        (POST, 408, ""),
        # The app has it already, and its line in the log says that the client left.
        (POST + MINE + b"transfer-encoding: chunked\r\n\r\nzz\r\n", 400, "find-me"),
        (POST + b"transfer-encoding: chunked\r\n\r\nzz\r\n", 400, ""),
    ],
    ids=["garbage", "ambiguous", "long", "endless", "late", "chunk", "chunk-without"],
)
def test_a_refusal_has_an_id_in_body_header_and_log(server, sent: bytes, status: int, id: str) -> None:
    begin = server.logged()
    head, _, body = server.say(sent).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    headers = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:])
    problem = json.loads(body)
    assert problem["status"] == status
    assert problem["request_id"] == headers[b"x-request-id"].decode()
    # A new one where the request has none, or none that could be read.
    assert problem["request_id"] == id or (not id and len(problem["request_id"]) == 32)
    server.logged(begin + 2)
    logged = [json.loads(line) for line in server.lines[begin:]]
    assert {line["request_id"] for line in logged} == {problem["request_id"]}
    assert [line["status"] for line in logged if line.get("error") == "refused"] == [status]
