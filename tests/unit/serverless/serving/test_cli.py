"""``snapship serve`` up to the moment when it serves."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_runtime.common.errors import BundleError, UsageError
from serverless.serving.cli import serve
from serverless.serving.limits import address, is_loopback, listen


def test_help_has_an_example() -> None:
    result = CliRunner().invoke(serve, ["--help"])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert "  Example:" in lines
    assert "    snapship serve flowers.bundle --port 8000" in lines


def test_port_in_use_is_a_one_line_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"127.0.0.1:{port}.*in use.*--port 0") as caught:
            serve.main([str(tmp_path), "--port", str(port)], standalone_mode=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "a" * 300, "::zz"])
def test_a_host_that_is_not_ours(host: str) -> None:
    with pytest.raises(UsageError, match="address must be free") as caught:
        listen(host, 0)
    assert "\n" not in str(caught.value)


def test_missing_bundle_is_told_before_the_server_starts(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"gone\.bundle"):
        serve.main([str(tmp_path / "gone.bundle"), "--port", "0"], standalone_mode=False)


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_is_none(port: str) -> None:
    assert CliRunner().invoke(serve, ["x", "--port", port]).exit_code == 2


def test_address() -> None:
    assert address("127.0.0.1", 80) == "http://127.0.0.1:80"
    assert address("0.0.0.0", 80) == "http://127.0.0.1:80"
    assert address("::1", 80) == address("::", 80) == "http://[::1]:80"
    assert is_loopback("127.0.0.2")
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")
