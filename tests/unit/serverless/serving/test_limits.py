"""The numbers of ``snapship serve``."""

from __future__ import annotations

import math
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_runtime.common.errors import UsageError
from serverless.serving.admission import ambiguous, header_bytes
from serverless.serving.cli import serve
from serverless.serving.limits import ServerLimits, listen

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.parametrize(
    ("numbers", "name"),
    [
        ({"timeout_s": 0.0}, "timeout_s"),
        ({"timeout_s": -1.0}, "timeout_s"),
        ({"timeout_s": math.nan}, "timeout_s"),
        ({"timeout_s": math.inf}, "timeout_s"),
        ({"max_connections": 0}, "max_connections"),
        ({"max_connections": 10_001}, "max_connections"),
        ({"max_bytes": 0}, "max_bytes"),
    ],
)
def test_limits_out_of_range(numbers: dict[str, float], name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} must be .* Received: .*--") as caught:
        ServerLimits(**numbers)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_headers_have_no_more_time_than_the_request() -> None:
    assert ServerLimits(timeout_s=2.0).header_deadline_s == 2.0
    assert ServerLimits(timeout_s=60.0).header_deadline_s == 10.0


def test_there_is_room_for_two_bodies() -> None:
    assert ServerLimits().room == 256_000_000
    assert ServerLimits(max_bytes=500_000_000).room == 1_000_000_000


@pytest.mark.parametrize("words", [("--timeout-s", "0"), ("--max-connections", "0"), ("--max-bytes", "0")])
def test_serve_refuses_them_before_it_loads_anything(words: tuple[str, ...]) -> None:
    assert CliRunner().invoke(serve, ["gone.bundle", *words]).exit_code != 0


def test_listen_lets_asyncio_turn_delays_off() -> None:
    """Else each answer on a kept connection waits 40 ms for the client's acknowledgement."""
    with listen("127.0.0.1", 0) as sock:
        assert sock.proto == socket.IPPROTO_TCP


def test_header_bytes_counts_the_query_and_every_header() -> None:
    headers = [(b"host", b"x"), (b"x-a", b"a" * 100)]
    scope = {"raw_path": b"/classify", "query_string": b"top_k=1", "headers": headers}
    sent = b"/classify" + b"top_k=1" + b"host: x\r\n" + b"x-a: " + b"a" * 100 + b"\r\n"
    assert header_bytes(scope) == len(sent)


def test_ambiguous_is_a_request_with_two_lengths() -> None:
    length, chunked = (b"content-length", b"5"), (b"transfer-encoding", b"chunked")
    assert ambiguous({"headers": [length, chunked]})
    assert not ambiguous({"headers": [length]})
    assert not ambiguous({"headers": [chunked]})


FILES = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (50, 300))
from edge_runtime.common.errors import UsageError
from serverless.serving.server import allow_files
allow_files(40)
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (50, 300)
allow_files(200)
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (200, 300)
try:
    allow_files(301)
except UsageError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs the limits of POSIX")
def test_files_are_allowed_up_to_the_systems_limit() -> None:
    done = subprocess.run([sys.executable, "-c", FILES], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "must allow 301 open files" in done.stdout
    assert "Received: at most 300" in done.stdout
