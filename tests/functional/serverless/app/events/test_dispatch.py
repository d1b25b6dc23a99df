"""The Lambda entry on events as AWS documents them."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_runtime import Classifier
from serverless.app.entry import Handler, load_handler

EVENTS = Path(__file__).parents[2] / "events"

KINDS = ("apigateway_v1", "apigateway_v2", "function_url", "alb", "alb_multi_value")

CONTEXT = SimpleNamespace(aws_request_id="8476a536-e9f4-11e8-9739-2dfe598c3fcd")


def event(kind: str, body: bytes | str, content_type: str = "image/png") -> dict[str, Any]:
    content: dict[str, Any] = json.loads((EVENTS / f"{kind}.json").read_text())
    is_text = isinstance(body, str)
    content["body"] = body if isinstance(body, str) else base64.b64encode(body).decode()
    content["isBase64Encoded"] = not is_text
    for field in ("headers", "multiValueHeaders"):
        for name, value in content.get(field, {}).items():
            if name.lower() == "content-type":
                content[field][name] = [content_type] if isinstance(value, list) else content_type
    return content


def headers(answer: dict[str, Any]) -> dict[str, str]:
    several = {name: values[0] for name, values in answer.get("multiValueHeaders", {}).items()}
    return {name.lower(): value for name, value in {**several, **answer.get("headers", {})}.items()}


@pytest.fixture(scope="module")
def handler(digits_bundle: Path) -> Handler:
    return load_handler({"SNAPSHIP_BUNDLE": str(digits_bundle), "SNAPSHIP_ARTIFACT": "tflite-fp32"})


@pytest.mark.parametrize("kind", KINDS)
def test_a_binary_image(kind: str, handler: Handler, classifier: Classifier, images: list[bytes]) -> None:
    answer = handler(event(kind, images[0]), CONTEXT)
    assert answer["statusCode"] == 200
    assert answer["isBase64Encoded"] is False
    assert headers(answer)["content-type"] == "application/json"
    assert headers(answer)["x-request-id"] == CONTEXT.aws_request_id
    found = json.loads(answer["body"])
    expected = classifier.classify(images[0], 3).to_dict()
    assert found["label"] == expected["label"]
    scores = [entry["score"] for entry in expected["predictions"]]
    assert [entry["score"] for entry in found["predictions"]] == pytest.approx(scores)
    # AWS sends the answer on as JSON.
    json.dumps(answer)


@pytest.mark.parametrize("kind", KINDS)
def test_json_as_text(kind: str, handler: Handler, classifier: Classifier, images: list[bytes]) -> None:
    body = json.dumps({"image": base64.b64encode(images[1]).decode()})
    found = json.loads(handler(event(kind, body, "application/json"), CONTEXT)["body"])
    assert found["score"] == pytest.approx(classifier.classify(images[1]).top.score)


@pytest.mark.parametrize("kind", KINDS)
def test_multipart_in_base64(
    kind: str, handler: Handler, classifier: Classifier, images: list[bytes]
) -> None:
    parts = b"".join(
        b'--cut\r\nContent-Disposition: form-data; name="i"; filename="%d.png"\r\n\r\n%b\r\n' % (n, image)
        for n, image in enumerate(images[:2])
    )
    content = event(kind, parts + b"--cut--\r\n", "multipart/form-data; boundary=cut")
    results = json.loads(handler(content, CONTEXT)["body"])["results"]
    assert [result["score"] for result in results] == pytest.approx(
        [classifier.classify(image).top.score for image in images[:2]]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_image_is_a_problem_in_text(kind: str, handler: Handler) -> None:
    answer = handler(event(kind, b"I am a text"), CONTEXT)
    assert answer["statusCode"] == 415
    assert answer["isBase64Encoded"] is False
    assert headers(answer)["content-type"] == "application/problem+json"
    problem = json.loads(answer["body"])
    assert problem["request_id"] == CONTEXT.aws_request_id
    assert "I am a text" in problem["detail"]


@pytest.mark.parametrize("kind", KINDS)
def test_no_body_at_all(kind: str, handler: Handler) -> None:
    content = {**event(kind, ""), "body": None, "isBase64Encoded": False}
    assert handler(content, CONTEXT)["statusCode"] == 400


def test_the_clients_request_id_is_honoured(handler: Handler, images: list[bytes]) -> None:
    content = event("function_url", images[0])
    content["headers"]["x-request-id"] = "from-the-phone"
    assert headers(handler(content, CONTEXT))["x-request-id"] == "from-the-phone"


FORBIDDEN = ("tensorflow", "keras", "boto3", "botocore", "click", "rich", "uvicorn", "httpx")

SCRIPT = """
import json, sys
import serverless.app
assert "starlette" not in sys.modules
from serverless.app import handler
answer = handler(json.load(sys.stdin), None)
assert answer["statusCode"] == 200, answer
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def test_the_function_loads_nothing_that_the_cloud_does_not_need(
    digits_bundle: Path, images: list[bytes]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(event("function_url", images[0])),
        capture_output=True,
        text=True,
        env={**os.environ, "SNAPSHIP_BUNDLE": str(digits_bundle), "SNAPSHIP_ARTIFACT": "tflite-fp32"},
    )
    assert done.returncode == 0, done.stderr
    # Before it, the line of the log.
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert "ai_edge_litert" in loaded
    assert [name for name in FORBIDDEN if name in loaded] == []
