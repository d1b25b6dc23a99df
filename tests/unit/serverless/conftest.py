"""A model that needs no bundle, and a client that needs no port."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.applications import Starlette

from edge_runtime.common.errors import ImageError
from edge_runtime.engines.result import Prediction, Result
from edge_runtime.image.preprocess import ImageSource, UInt8Array
from edge_runtime.options import ResultOptions
from serverless.app import create_app
from serverless.app.core.api_schema import Served
from serverless.app.core.service import ServedModel, Service


class FakeModel:
    """Names an image by its bytes: ``b"bad"`` cannot be used, ``b"crash"`` finds a bug."""

    labels = ("cat", "dog")
    engine = "fake"

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self.closed = False

    def pixels(self, image: ImageSource) -> UInt8Array:
        if image == b"bad":
            raise ImageError("An image must be good. Received: bad. Send another.")
        if image == b"crash":
            raise ZeroDivisionError("secret of the server")
        return np.zeros((1, 1, 1), np.uint8)

    def classify(self, image: ImageSource, top_k: int = 5, options: ResultOptions | None = None) -> Result:
        self.threads.add(threading.get_ident())
        both = (Prediction("dog", 1, 0.75), Prediction("cat", 0, 0.25))
        lowest = options.score_threshold or 0.0 if options else 0.0
        return Result(tuple(entry for entry in both[:top_k] if entry.score >= lowest), 0.5)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


@pytest.fixture
def service(model: FakeModel) -> Service:
    return Service(ServedModel(model, Served("pets", "tflite-fp32")), workers=2, owns_model=True)


@pytest.fixture
def app(service: Service) -> Starlette:
    return create_app(service, max_bytes=1000, max_images=3)


@pytest.fixture
def ask(app: Starlette) -> Callable[..., httpx.Response]:
    def send(method: str, path: str, **options: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            # An exception that leaves the app fails the test.
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://test"
            ) as client:
                return await client.request(method, path, **options)

        return asyncio.run(once())

    return send
