"""What the container image starts: the same app, for many clients at once."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from serverless.app.core.keys import new_key
from serverless.deploy.package import container_script
from serverless.serving import server
from serverless.serving.limits import ServerLimits

Served = tuple[Any, str, ServerLimits]


@pytest.fixture
def served(digits_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> list[Served]:
    """What would be served; nothing is, so that the test goes on."""
    found: list[Served] = []

    def run(app: Any, sock: socket.socket, limits: ServerLimits) -> None:
        found.append((app, sock.getsockname()[0], limits))

    monkeypatch.setattr(server, "run", run)
    monkeypatch.setenv("PORT", "0")
    monkeypatch.setenv("SNAPSHIP_BUNDLE", str(digits_bundle))
    return found


def test_an_image_does_not_hold_the_others_up(served: list[Served], digits_bundle: Path) -> None:
    container_script.main()
    ((app, host, limits),) = served
    assert (host, limits.max_bytes) == ("0.0.0.0", 20_000_000)
    service = app.state.service
    examine, threads = service.classify_one, []

    def seen(*args: Any) -> Any:
        threads.append(threading.get_ident())
        return examine(*args)

    service.classify_one = seen

    async def once() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.post("/classify", content=(digits_bundle / "golden" / "3.png").read_bytes())

    assert asyncio.run(once()).json()["label"] == "3"
    assert len(threads) == 1
    # Not on the event loop, which everyone shares.
    assert threading.get_ident() not in threads


def test_an_open_door_is_said_out_loud(
    served: list[Served], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    container_script.main()
    assert "no access control. Set SNAPSHIP_AUTH=api-key" in capsys.readouterr().err
    monkeypatch.setenv("SNAPSHIP_AUTH", "api-key")
    monkeypatch.setenv("SNAPSHIP_API_KEYS", new_key("phone")[1])
    container_script.main()
    assert "access control" not in capsys.readouterr().err
    assert len(served) == 2
