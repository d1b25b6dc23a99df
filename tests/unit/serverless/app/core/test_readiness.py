"""The self-test behind ``GET /ready``."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from serverless.app import create_app
from serverless.app.core.api_schema import Ready, Served
from serverless.app.core.http_problems import NotReadyError
from serverless.app.core.readiness import Readiness
from serverless.app.core.service import ServedModel, Service

Ask = Callable[..., httpx.Response]


def get(app: Starlette, path: str) -> httpx.Response:
    async def once() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get(path)

    return asyncio.run(once())


def app_with(model: Any, selftest: Callable[[], int] | None) -> Starlette:
    service = Service(
        ServedModel(model, Served("pets", "tflite-fp32"), readiness=Readiness(selftest)), workers=1
    )
    return create_app(service, max_bytes=1000, max_images=3)


def test_it_runs_once_and_only_when_it_is_asked_for(model: Any) -> None:
    runs = []

    def selftest() -> int:
        runs.append(1)
        return 7

    app = app_with(model, selftest)
    assert get(app, "/health").status_code == 200
    assert runs == []
    for _ in range(3):
        response = get(app, "/ready")
        assert response.status_code == 200
        assert response.json() == {"status": "ready", "selftest": "passed", "examples": 7}
    assert runs == [1]


def test_a_server_that_starts_runs_it_at_once(model: Any) -> None:
    ran = threading.Event()

    def selftest() -> int:
        ran.set()
        return 1

    app = app_with(model, selftest)

    async def live() -> None:
        async with app.router.lifespan_context(app):
            assert await asyncio.get_running_loop().run_in_executor(None, ran.wait, 5)

    asyncio.run(live())


def test_while_it_runs_the_answer_is_503_with_the_time_to_wait() -> None:
    go_on = threading.Event()
    readiness = Readiness(lambda: int(go_on.wait(10)))
    with pytest.raises(NotReadyError, match="still running") as caught:
        asyncio.run(readiness.wait(0.05))
    assert (caught.value.http_status, caught.value.retry_after) == (503, 1)
    go_on.set()
    assert asyncio.run(readiness.wait(10)) == Ready("ready", "passed", 1)


def test_a_failure_is_503_for_good_and_its_reason_is_only_in_the_log(
    model: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def selftest() -> int:
        raise ValueError("golden/3.png at scores: /srv/secret\nforged line")

    app = app_with(model, selftest)
    with caplog.at_level(logging.ERROR):
        responses = [get(app, "/ready") for _ in range(2)]
    for response in responses:
        assert response.status_code == 503
        assert response.headers["content-type"] == "application/problem+json"
        assert int(response.headers["retry-after"]) >= 1
        assert response.json()["type"] == "urn:snapship:not-ready-error"
        assert response.json()["request_id"] == response.headers["x-request-id"]
        assert "golden" not in response.text
        assert "/srv" not in response.text
    assert caplog.text.count("golden/3.png at scores") == 1
    assert "forged" not in caplog.text
    assert get(app, "/health").status_code == 200


def test_a_model_without_examples_is_ready(model: Any) -> None:
    response = get(app_with(model, None), "/ready")
    assert (response.status_code, response.json()["selftest"]) == (200, "none")


def test_health_answers_while_it_runs(model: Any) -> None:
    go_on = threading.Event()
    app = app_with(model, lambda: int(go_on.wait(10)))

    async def both() -> tuple[int, int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            ready = asyncio.create_task(client.get("/ready"))
            await asyncio.sleep(0.05)
            health = await asyncio.wait_for(client.get("/health"), 5)
            assert not ready.done()
            go_on.set()
            return health.status_code, (await ready).status_code

    assert asyncio.run(both()) == (200, 200)


def test_many_who_ask_hold_up_nobody(model: Any) -> None:
    go_on = threading.Event()
    app = app_with(model, lambda: int(go_on.wait(10)))

    async def crowd() -> list[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            ready = [asyncio.create_task(client.get("/ready")) for _ in range(50)]
            await asyncio.sleep(0.02)
            # JSON is read in a thread.
            image = await asyncio.wait_for(client.post("/classify", json={"image": "YWJj"}), 5)
            assert image.status_code == 200
            go_on.set()
            return [response.status_code for response in await asyncio.gather(*ready)]

    assert asyncio.run(crowd()) == [200] * 50
