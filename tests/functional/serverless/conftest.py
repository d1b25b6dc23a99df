"""The app on a real bundle, asked without a port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge_runtime import Classifier
from edge_runtime.golden import Golden, read_golden
from serverless.app import create_app

MAX_BYTES = 200_000


@pytest.fixture(scope="package")
def classifier(digits_bundle: Path) -> Iterator[Classifier]:
    with Classifier.open(digits_bundle, "tflite-fp32") as opened:
        yield opened


@pytest.fixture(scope="package")
def golden(classifier: Classifier) -> Golden:
    return read_golden(classifier.bundle)


@pytest.fixture(scope="package")
def images(classifier: Classifier, golden: Golden) -> list[bytes]:
    """The golden images, encoded."""
    return [classifier.bundle.read(example.file, example.sha256) for example in golden.examples]


@pytest.fixture(scope="package")
def ask(digits_bundle: Path) -> Callable[..., httpx.Response]:
    app = create_app(digits_bundle, artifact="tflite-fp32", max_bytes=MAX_BYTES, max_images=8)

    def send(method: str, path: str, **options: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://test"
            ) as client:
                return await client.request(method, path, **options)

        return asyncio.run(once())

    return send
