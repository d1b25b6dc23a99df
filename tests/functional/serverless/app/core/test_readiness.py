"""``GET /ready`` and ``GET /info`` on a real model."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from edge_runtime import Classifier
from edge_runtime.bundle.manifest import MANIFEST_FILE
from serverless.app import create_app

Ask = Callable[..., httpx.Response]


def get(app: Starlette, path: str) -> httpx.Response:
    async def once() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get(path)

    return asyncio.run(once())


def test_the_golden_examples_are_replayed(ask: Ask, classifier: Classifier) -> None:
    response = ask("GET", "/ready")
    assert response.status_code == 200
    assert response.json() == {"status": "ready", "selftest": "passed", "examples": 6}


def test_a_model_that_answers_otherwise_is_not_ready(
    own_digits_bundle: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Scores as of another model; every hash in the bundle is right."""
    index = own_digits_bundle / "golden" / "golden.json"
    golden = json.loads(index.read_text())
    for example in golden["examples"]:
        example["scores"]["tflite-int8"].reverse()
    index.write_text(json.dumps(golden))
    manifest = json.loads((own_digits_bundle / MANIFEST_FILE).read_text())
    manifest["golden"]["sha256"] = hashlib.sha256(index.read_bytes()).hexdigest()
    (own_digits_bundle / MANIFEST_FILE).write_text(json.dumps(manifest))

    app = create_app(own_digits_bundle, artifact="tflite-int8")
    with caplog.at_level(logging.ERROR):
        response = get(app, "/ready")
    assert response.status_code == 503
    assert response.headers["retry-after"]
    assert "golden" not in response.text
    assert "6 of 6 differ (golden/0.png at scores" in caplog.text
    # The other artifact of the same bundle is.
    assert get(create_app(own_digits_bundle, artifact="tflite-fp32"), "/ready").status_code == 200


def test_a_bundle_without_examples_is_ready_and_says_so(own_digits_bundle: Path) -> None:
    manifest = json.loads((own_digits_bundle / MANIFEST_FILE).read_text())
    manifest["golden"] = None
    (own_digits_bundle / MANIFEST_FILE).write_text(json.dumps(manifest))
    response = get(create_app(own_digits_bundle), "/ready")
    assert (response.status_code, response.json()["selftest"]) == (200, "none")


def test_the_selftest_does_not_disturb_the_model_in_use(digits_bundle: Path) -> None:
    with Classifier.open(digits_bundle, "tflite-fp32") as classifier:
        assert get(create_app(classifier), "/ready").status_code == 200
        assert classifier.classify(digits_bundle / "golden" / "0.png").top.label


def test_info(ask: Ask, classifier: Classifier, digits_bundle: Path) -> None:
    response = ask("GET", "/info")
    found = response.json()
    entry = classifier.artifact
    assert (found["bundle"], found["artifact"], found["engine"]) == ("digits", "tflite-fp32", "litert")
    assert (found["classes"], found["top_k"]) == (10, 5)
    # As the fixture makes the app.
    assert found["limits"] == {"max_bytes": 200_000, "max_images": 8, "max_pixels": 50_000_000}
    assert found["model"]["input"] == {"height": 16, "width": 16, "channels": 1, "fit": "stretch"}
    assert (found["model"]["precision"], found["model"]["sha256"]) == ("fp32", entry.sha256)
    assert (found["model"]["bytes"], found["model"]["verdict"]) == (entry.bytes, entry.verdict)
    assert found["model"]["metrics"] == msgspec.to_builtins(entry.metrics)
    # No paths: neither the bundle's place nor its files.
    assert str(digits_bundle.parent) not in response.text
    assert entry.file not in response.text


def test_the_pixel_limit_is_the_apps(digits_bundle: Path) -> None:
    app = create_app(digits_bundle, max_pixels=10)
    assert get(app, "/info").json()["limits"]["max_pixels"] == 10

    async def once() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.post("/classify", content=(digits_bundle / "golden" / "0.png").read_bytes())

    response = asyncio.run(once())
    assert response.status_code == 413
    assert "10 pixels" in response.json()["detail"]
