"""A real load client for a few seconds: every answer is right, and memory stays."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.cloud_load import load, modules

SECONDS = 3


def test_a_few_seconds_of_load_leave_no_error_and_no_memory(start, digits_bundle: Path) -> None:
    if shutil.which("node") is None or not (modules() / "autocannon").is_dir():
        pytest.skip("needs node, and autocannon of make acceptance")
    server = start()
    images = sorted((digits_bundle / "golden").glob("*.png"))
    found = load(
        server.url, server.process.pid, images, modules=modules(), seconds=SECONDS, connections=2,
        content_type="image/png",
    )  # fmt: skip
    assert found.failed == 0
    assert found.answers > 50
    assert found.memory_after - found.memory_before < 10_000_000
    server.logged()
    # One line a request, none lost and none broken; the client leaves with requests under way.
    statuses = [line["status"] for line in server.log]
    assert found.answers <= statuses.count(200) <= found.answers + 2
    assert set(statuses) <= {200, 499}
