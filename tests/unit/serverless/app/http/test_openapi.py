"""The OpenAPI document against the routes and what they answer.

That it is valid OpenAPI 3.1 is tested with other people's validator, in tests/e2e.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from serverless.app.core import api_schema
from serverless.app.http.openapi import document

Ask = Callable[..., httpx.Response]

LIMITS = api_schema.Limits(1000, 3, 50_000)


@pytest.fixture
def described() -> dict[str, Any]:
    return document(LIMITS, "1.2.3", 4, keyed=True)


def operations(found: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_route_and_no_other_is_described(app: Starlette, described: dict[str, Any]) -> None:
    routes = {
        (route.path, method)
        for route in app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert {(path, method) for path, method, _ in operations(described)} == routes


def test_every_reference_leads_somewhere_and_every_schema_is_used(described: dict[str, Any]) -> None:
    found = set(references(described))
    assert found == {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}


def test_every_answer_says_its_form(described: dict[str, Any]) -> None:
    for path, _, operation in operations(described):
        for status, answer in operation["responses"].items():
            assert "x-request-id" in answer["headers"], (path, status)
            kind = "application/problem+json" if int(status) >= 400 else None
            assert kind in (None, *answer["content"])


def test_keys_are_asked_for_where_they_are_needed(described: dict[str, Any]) -> None:
    for path, _, operation in operations(described):
        needed = path in ("/classify", "/labels", "/info")
        assert ("security" in operation) is needed
        assert ("401" in operation["responses"]) is needed
    assert set(described["components"]["securitySchemes"]) == {"key", "bearer"}
    text = json.dumps(document(LIMITS, "1", 5, keyed=False))
    assert "security" not in text
    assert '"401"' not in text


def test_the_structs_and_the_document_agree(described: dict[str, Any]) -> None:
    """Of those that are written out by hand; msgspec makes the others."""
    schemas = described["components"]["schemas"]
    assert tuple(schemas["Answers"]["properties"]) == api_schema.Answers.__struct_fields__
    assert tuple(schemas["Classified"]["properties"]) == api_schema.Classified.__struct_fields__
    for form in schemas["ImageRequest"]["oneOf"]:
        assert set(form["properties"]) == set(api_schema.ImageRequest.__struct_fields__)
    assert schemas["Scored"]["required"] == list(api_schema.Scored.__struct_fields__)


def test_it_carries_the_apps_own_limits() -> None:
    found = json.dumps(document(LIMITS, "1.2.3", 4, keyed=False))
    assert "1,000 bytes" in found
    parts = json.loads(found)["paths"]["/classify"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert parts["schema"]["properties"]["image"]["maxItems"] == 3
    assert parts["schema"]["properties"]["top_k"]["default"] == 4


def test_its_example_is_a_real_image(described: dict[str, Any]) -> None:
    body = described["paths"]["/classify"]["post"]["requestBody"]["content"]["application/json"]
    assert base64.b64decode(body["example"]["image"], validate=True).startswith(b"\x89PNG")


def test_the_app_answers_it(ask: Ask) -> None:
    response = ask("GET", "/openapi.json")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    found = response.json()
    assert found["openapi"].startswith("3.1.")
    assert found["info"]["version"] == ask("GET", "/info").json()["version"]
    assert "securitySchemes" not in found["components"]


STATUSES: list[tuple[str, str, dict[str, Any], int]] = [
    ("GET", "/", {}, 200),
    ("GET", "/health", {}, 200),
    ("GET", "/ready", {}, 200),
    ("GET", "/labels", {}, 200),
    ("GET", "/info", {}, 200),
    ("POST", "/classify", {"content": b"x"}, 200),
    ("POST", "/classify", {"content": b"bad"}, 400),
    ("POST", "/classify", {"content": b"x" * 1001}, 413),
    ("POST", "/classify", {"content": b"x", "headers": {"content-type": "text/plain"}}, 415),
    ("POST", "/classify", {"json": {}}, 422),
    ("POST", "/classify", {"content": b"crash"}, 500),
]


@pytest.mark.parametrize(("method", "path", "options", "status"), STATUSES)
def test_what_is_answered_is_described(
    ask: Ask, described: dict[str, Any], method: str, path: str, options: dict[str, Any], status: int
) -> None:
    response = ask(method, path, **options)
    assert response.status_code == status
    answers = described["paths"][path][method.lower()]["responses"]
    assert response.headers["content-type"].partition(";")[0] in answers[str(status)]["content"]


def test_every_status_that_is_described_has_its_example_here(described: dict[str, Any]) -> None:
    told = {(path, int(status)) for path, _, entry in operations(described) for status in entry["responses"]}
    shown = {(path, status) for _, path, _, status in STATUSES}
    # 401, 503 have tests of their own; 500 is the same layer for every route.
    left = {(path, status) for path, status in told - shown if status not in (401, 500, 503)}
    assert left == {("/openapi.json", 200)}
