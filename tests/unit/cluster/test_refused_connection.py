"""What a cluster that refuses is told as, without Ray."""

from __future__ import annotations

import pytest

from cluster.connection import _refused


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
