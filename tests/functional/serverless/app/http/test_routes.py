"""``POST /classify`` on a real model: every form of a request gives the runtime's own scores."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from edge_runtime import Classifier, SnapshipError
from edge_runtime.common.errors import BundleError, UnknownNameError, UsageError
from edge_runtime.golden import Golden
from serverless.app import create_app

Ask = Callable[..., httpx.Response]


def check(answer: dict[str, Any], classifier: Classifier, image: bytes, top_k: int = 5) -> None:
    expected = classifier.classify(image, top_k).to_dict()
    for found, own in zip(answer["predictions"], expected["predictions"], strict=True):
        assert (found["label"], found["index"]) == (own["label"], own["index"])
        assert found["score"] == pytest.approx(own["score"], abs=1e-6)
    assert answer["label"] == expected["label"]
    assert [answer["score"], answer["margin"]] == pytest.approx(
        [expected["score"], expected["margin"]], abs=1e-6
    )


def photo(width: int = 1200, height: int = 900) -> bytes:
    """Something smooth with noise, as a camera's JPEG is."""
    rng = np.random.default_rng(7)
    ramp = np.linspace(0, 200, width)[None, :, None] + np.linspace(0, 40, height)[:, None, None]
    noisy = (ramp + rng.normal(0, 4, (height, width, 3))).clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noisy).save(buffer, "JPEG", quality=60)
    return buffer.getvalue()


def test_raw_bytes(ask: Ask, classifier: Classifier, golden: Golden, images: list[bytes]) -> None:
    for example, image in zip(golden.examples, images, strict=True):
        response = ask("POST", "/classify", content=image, headers={"content-type": "image/png"})
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        answer = response.json()
        check(answer, classifier, image)
        scores = example.scores["tflite-fp32"]
        best = max(range(len(scores)), key=scores.__getitem__)
        assert answer["label"] == classifier.labels[best]
        assert answer["score"] == pytest.approx(scores[best], abs=1e-4)


def test_the_answer_names_its_model_and_times(ask: Ask, classifier: Classifier, images: list[bytes]) -> None:
    answer = ask("POST", "/classify", content=images[0]).json()
    assert answer["model"] == {"name": classifier.bundle.manifest.name, "artifact": "tflite-fp32"}
    assert 0 <= answer["timing_ms"]["read"] < 1000
    assert 0 < answer["timing_ms"]["classify"] < 1000


def test_a_photo(ask: Ask, classifier: Classifier) -> None:
    data = photo()
    check(
        ask("POST", "/classify", content=data, headers={"content-type": "image/jpeg"}).json(),
        classifier,
        data,
    )


def test_multipart(ask: Ask, classifier: Classifier, images: list[bytes]) -> None:
    check(ask("POST", "/classify", files={"image": ("a.png", images[0])}).json(), classifier, images[0])
    files = [("images", (f"{n}.png", image, "image/png")) for n, image in enumerate(images[:4])]
    answer = ask("POST", "/classify?top_k=2", files=files).json()
    assert len(answer["results"]) == 4
    for result, image in zip(answer["results"], images, strict=False):
        check(result, classifier, image, 2)


def test_json(ask: Ask, classifier: Classifier, images: list[bytes]) -> None:
    text = base64.b64encode(images[0]).decode()
    check(ask("POST", "/classify", json={"image": text, "top_k": 1}).json(), classifier, images[0], 1)
    url = f"data:image/png;base64,{text}"
    check(ask("POST", "/classify", json={"image": url}).json(), classifier, images[0])


def test_a_bad_image_among_several_gives_its_error_in_place(
    ask: Ask, classifier: Classifier, images: list[bytes]
) -> None:
    data = [images[0], b"I am a text", images[1][:-40], b"", images[1]]
    for response in (
        ask("POST", "/classify", files=[("i", ("x.png", one)) for one in data]),
        ask("POST", "/classify", json={"images": [base64.b64encode(one).decode() for one in data]}),
    ):
        assert response.status_code == 200
        results = response.json()["results"]
        check(results[0], classifier, images[0])
        check(results[4], classifier, images[1])
        assert [result["error"]["status"] for result in results[1:4]] == [415, 400, 400]
        assert "I am a text" in results[1]["error"]["detail"]


def test_top_k(ask: Ask, classifier: Classifier, images: list[bytes]) -> None:
    for asked, found in ((1, 1), (10, 10), (999, 10)):
        response = ask("POST", f"/classify?top_k={asked}", content=images[0])
        assert len(response.json()["predictions"]) == found
        check(response.json(), classifier, images[0], asked)


def test_score_threshold(ask: Ask, classifier: Classifier, images: list[bytes]) -> None:
    scores = classifier.scores(images[0])
    for threshold in (0.0, 0.001, 0.5, 1.0):
        params = {"score_threshold": str(threshold), "top_k": "10"}
        found = ask("POST", "/classify", content=images[0], params=params).json()["predictions"]
        assert {entry["index"] for entry in found} == {n for n in range(10) if scores[n] >= threshold}


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        ({"content": b""}, 400, "0 bytes"),
        ({"content": b"I am not a picture"}, 415, "text that starts"),
        ({"content": b"\x00\x01\x02\x03" * 50}, 415, "200 bytes"),
        ({"content": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"}, 415, "a HEIC photo. Convert it to JPEG"),
        ({"content": b"data:image/png;base64,iVBORw0KGgo="}, 415, "a data: URL of image/png"),
        ({"content": b"<svg/>", "headers": {"content-type": "image/svg+xml"}}, 415, "SVG"),
        ({"content": b"x", "headers": {"content-type": "text/plain"}}, 415, "Content-Type"),
        ({"content": b"x" * 200_001}, 413, "200,000 bytes"),
        ({"content": b"x", "headers": {"content-length": "200001"}}, 413, "Content-Length 200,001"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, "must be valid JSON"),
        ({"json": {"image": "%%%garbage"}}, 422, "base64"),
        ({"json": {"image": ""}}, 400, "0 bytes"),
        ({"json": {"images": ["AA"] * 9}}, 422, "1 to 8 images"),
        ({"json": {"picture": "AA"}}, 422, "picture"),
        ({"files": [("i", ("a", b"x"))] * 9}, 400, "at most 8 files"),
        ({"files": {"i": ("empty.png", b"")}}, 400, "0 bytes"),
        ({"content": b"x", "params": {"top_k": "0"}}, 422, "top_k"),
    ],
)
def test_bad_input_is_a_problem(ask: Ask, options: dict[str, Any], status: int, words: str) -> None:
    response = ask("POST", "/classify", **options)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert set(problem) == {"type", "title", "status", "detail", "request_id"}
    assert problem["status"] == status
    assert problem["request_id"] == response.headers["x-request-id"]
    assert words in problem["detail"]
    assert "Received:" in problem["detail"]
    assert "\n" not in problem["detail"]


def test_a_truncated_photo_is_400(ask: Ask) -> None:
    response = ask("POST", "/classify", content=photo()[:-2000])
    assert response.status_code == 400
    assert "last byte" in response.json()["detail"]


def test_too_many_pixels_is_413(ask: Ask) -> None:
    buffer = io.BytesIO()
    Image.new("1", (8000, 8000)).save(buffer, "PNG")
    response = ask("POST", "/classify", content=buffer.getvalue())
    assert response.status_code == 413
    assert "8000x8000" in response.json()["detail"]


def test_unknown_path_and_method(ask: Ask) -> None:
    assert ask("GET", "/nowhere").status_code == 404
    assert ask("GET", "/classify").status_code == 405
    assert ask("POST", "/health").status_code == 405
    assert ask("OPTIONS", "/labels").status_code == 405


def test_health_and_labels(ask: Ask, classifier: Classifier) -> None:
    health = ask("GET", "/health").json()
    version = health.pop("version")
    assert version
    name = classifier.bundle.manifest.name
    assert health == {"status": "ok", "bundle": name, "artifact": "tflite-fp32", "engine": "litert"}
    assert ask("GET", "/labels").json() == {"labels": list(classifier.labels)}
    assert ask("HEAD", "/health").status_code == 200


def test_concurrent_requests_do_not_mix_answers(classifier: Classifier, images: list[bytes]) -> None:
    app = create_app(classifier, workers=3)

    async def all_at_once() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            posts = [client.post("/classify", content=images[n % len(images)]) for n in range(60)]
            return await asyncio.gather(*posts)

    for n, response in enumerate(asyncio.run(all_at_once())):
        check(response.json(), classifier, images[n % len(images)])


def test_an_open_classifier_stays_open(classifier: Classifier, images: list[bytes]) -> None:
    app = create_app(classifier)

    async def live() -> None:
        async with app.router.lifespan_context(app):
            pass

    asyncio.run(live())
    assert classifier.classify(images[0]).top.label


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"artifact": "tflite-int4"}, UnknownNameError, "tflite-fp32"),
        ({"engine": "tensorrt"}, UnknownNameError, "litert"),
        ({"threads": 0}, UsageError, "threads"),
        ({"top_k": 0}, UsageError, "top_k"),
        ({"max_bytes": 0}, UsageError, "max_bytes"),
        ({"max_images": -1}, UsageError, "max_images"),
        ({"workers": 0}, UsageError, "workers"),
        ({"max_pixels": 0}, UsageError, "max_pixels"),
        ({"log": "xml"}, UnknownNameError, "json, off"),
        ({"keys": ""}, UsageError, "at least one key"),
        ({"keys": "snap_secret"}, UsageError, "entry 1"),
        ({"cors_origins": ["*"]}, UsageError, "exact origins"),
    ],
)
def test_bad_options_are_one_line_errors(
    digits_bundle: Path, options: dict[str, Any], kind: type[SnapshipError], words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        create_app(digits_bundle, **options)
    assert "\n" not in str(caught.value)


def test_a_missing_bundle_and_an_open_classifier_with_options(tmp_path: Path, classifier: Classifier) -> None:
    with pytest.raises(BundleError, match="nowhere"):
        create_app(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="open classifier"):
        create_app(classifier, artifact="tflite-fp32")
    with pytest.raises(UsageError, match="open classifier"):
        create_app(classifier, max_pixels=5)
    with pytest.raises(UsageError, match=r"a service.*workers"):
        create_app(create_app(classifier).state.service, workers=5)
