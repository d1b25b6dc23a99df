"""Worker threads between the routes and the model."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from edge_runtime.common.errors import ImageError, ModelFileError
from edge_runtime.engines.result import Result
from edge_runtime.image.preprocess import ImageSource
from serverless.app.core.api_schema import Served
from serverless.app.core.service import ServedModel, Service


def test_the_model_never_runs_on_the_event_loop(service: Service, model: Any) -> None:
    asyncio.run(service.classify([b"x"], 5))
    assert model.threads
    assert threading.get_ident() not in model.threads


def test_a_function_classifies_where_it_is_and_several_images_side_by_side(model: Any) -> None:
    service = Service(ServedModel(model, Served("pets", "x")), workers=2, inline=True)
    asyncio.run(service.classify([b"x"], 5))
    assert model.threads == {threading.get_ident()}
    model.threads.clear()
    asyncio.run(service.classify([b"x", b"y"], 5))
    assert threading.get_ident() not in model.threads
    (found,) = asyncio.run(service.classify([b"bad"], 5))
    assert isinstance(found, ImageError)


def test_health_answers_while_an_image_is_in_work(
    app: Starlette, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    plain = model.classify

    def slow(image: ImageSource, top_k: int = 5, options: object = None) -> Result:
        begun.set()
        assert go_on.wait(10)
        return plain(image, top_k, options)  # type: ignore[no-any-return]

    monkeypatch.setattr(model, "classify", slow)

    async def both() -> tuple[int, int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            image = asyncio.create_task(client.post("/classify", content=b"x"))
            while not (begun.is_set() or image.done()):
                await asyncio.sleep(0.001)
            health = await asyncio.wait_for(client.get("/health"), 5)
            assert not image.done()
            go_on.set()
            return health.status_code, (await image).status_code

    assert asyncio.run(both()) == (200, 200)


def test_each_image_keeps_its_place(service: Service) -> None:
    given = ImageError("given")
    found = asyncio.run(service.classify([b"x", b"bad", given, b"y"], 1))
    assert [type(one).__name__ for one in found] == ["TimedResult", "ImageError", "ImageError", "TimedResult"]
    assert found[2] is given


def test_a_broken_model_is_not_the_images_fault(
    service: Service, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(image: ImageSource, top_k: int = 5, options: object = None) -> Result:
        raise ModelFileError("broken")

    monkeypatch.setattr(model, "classify", broken)
    with pytest.raises(ModelFileError):
        asyncio.run(service.classify([b"x"], 1))


def test_the_app_closes_a_model_of_its_own(app: Starlette, model: Any) -> None:
    async def live() -> None:
        async with app.router.lifespan_context(app):
            assert not model.closed

    asyncio.run(live())
    assert model.closed
