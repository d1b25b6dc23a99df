"""What a cluster that refuses is told as, without Ray."""

from __future__ import annotations

import socket

import pytest

from cluster.connection import _answering, _refused
from edge_runtime.common.errors import EnvironmentMissingError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ConnectionError("Initialization failure from server:\nTraceback:\nTimeoutError: slow\n"),
            "then: Initialization failure from server: TimeoutError: slow. Check that",
        ),
        (ConnectionError("ray client connection timeout"), "then: ray client connection timeout. Check that"),
        (ConnectionError(), "then: ConnectionError. Check that"),
        (
            RuntimeError("Version mismatch: The cluster has:\n    Ray: 2.60\nThis process has:\n    Ray: 2.50"),
            "Received: Version mismatch: The cluster has: Ray: 2.60 This process has: Ray: 2.50. Install",
        ),
        (OSError("no route"), "Received: ray://here:10001 (no route). Start one with"),
    ],
)  # fmt: skip
def test_the_reason_is_in_one_line(error: Exception, said: str) -> None:
    text = str(_refused("ray://here:10001", error))
    assert said in text
    assert "\n" not in text


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_port_is_not_cut_to_16_bits(form: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert _answering(form.format(port)) == "127.0.0.1"
        server.accept()[0].close()
        with pytest.raises(
            EnvironmentMissingError, match=rf"{port + 65536} is no port: they are 1 to 65535\)"
        ):
            _answering(form.format(port + 65536))
