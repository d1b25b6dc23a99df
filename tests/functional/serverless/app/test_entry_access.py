"""Keys, CORS, readiness and the log through every HTTP door of the Lambda handler."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from PIL import Image

from serverless.app.application import app_of
from serverless.app.core.keys import new_key
from serverless.app.core.settings import AppConfig
from serverless.app.entry import Handler, load_handler

EVENTS = Path(__file__).parents[1] / "events"

KINDS = ("apigateway_v1", "apigateway_v2", "function_url", "alb", "alb_multi_value")

SECRET, ENTRY = new_key("phone")

PREFLIGHT = {"origin": "https://a.example", "access-control-request-method": "POST"}


@pytest.fixture(scope="module")
def handler(digits_bundle: Path) -> Handler:
    return load_handler(
        {
            "SNAPSHIP_BUNDLE": str(digits_bundle),
            "SNAPSHIP_AUTH": "api-key",
            "SNAPSHIP_API_KEYS": ENTRY,
            "SNAPSHIP_CORS_ORIGINS": "https://a.example",
            "SNAPSHIP_METRICS_NAMESPACE": "pets",
            "SNAPSHIP_MAX_BYTES": "1000",
        }
    )


def event(
    kind: str, method: str, path: str, headers: dict[str, str], body: str | None = None
) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((EVENTS / f"{kind}.json").read_text(encoding="utf-8"))
    content |= {"body": body, "isBase64Encoded": False}
    if "rawPath" in content:
        content["rawPath"] = path
        content["requestContext"]["stage"] = "$default"
        content["requestContext"]["http"] |= {"method": method, "path": path}
    else:
        content |= {"path": path, "httpMethod": method}
    if "headers" in content:
        content["headers"] = headers
    if "multiValueHeaders" in content:
        content["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
    return content


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("OPTIONS", "/classify", PREFLIGHT, 204),
        ("OPTIONS", "/classify", {**PREFLIGHT, "origin": "https://b.example"}, 403),
        ("GET", "/health", {}, 200),
        ("GET", "/ready", {}, 200),
        ("GET", "/openapi.json", {}, 200),
        ("GET", "/labels", {}, 401),
        ("GET", "/labels", {"x-api-key": "x"}, 401),
        ("GET", "/labels", {"x-api-key": SECRET}, 200),
        ("GET", "/info", {"authorization": f"Bearer {SECRET}"}, 200),
    ],
)
def test_every_door_has_the_same_rules(
    handler: Handler,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    method: str,
    path: str,
    headers: dict[str, str],
    status: int,
) -> None:
    answer = handler(event(kind, method, path, headers), None)
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (status, False)
    found = json.loads(capsys.readouterr().out)
    assert (found["status"], found["path"], found["method"]) == (status, path, method)
    assert found["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "pets"
    assert SECRET not in json.dumps(found)
    json.dumps(answer)


@pytest.mark.parametrize("kind", KINDS)
def test_the_limit_of_the_environment_holds(handler: Handler, kind: str) -> None:
    content = event(kind, "POST", "/classify", {"x-api-key": SECRET, "content-type": "image/png"}, "x" * 1001)
    answer = handler(content, None)
    assert answer["statusCode"] == 413
    assert "1,000 bytes" in json.loads(answer["body"])["detail"]


def test_in_lambda_a_request_has_what_lambda_brings_and_an_object_may_be_larger(digits_bundle: Path) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (1300, 1300)).save(buffer, "BMP")
    assert 4_500_000 < len(buffer.getvalue()) < 20_000_000
    environ = {"SNAPSHIP_BUNDLE": str(digits_bundle), "AWS_LAMBDA_FUNCTION_NAME": "digits"}
    app = app_of(replace(AppConfig.read(environ), log="off"))
    content = event("function_url", "GET", "/info", {})
    handler = Handler(app)
    assert json.loads(handler(content, None)["body"])["limits"]["max_bytes"] == 4_500_000
    content = event("function_url", "GET", "/openapi.json", {})
    assert "At most 4,500,000 bytes" in handler(content, None)["body"]
    content = event("function_url", "POST", "/classify", {"content-type": "image/bmp"}, "x" * 4_500_001)
    assert handler(content, None)["statusCode"] == 413
    # As what reads objects in S3 asks for it.
    assert app.state.service.classify_one(buffer.getvalue(), 1).result.top.label
