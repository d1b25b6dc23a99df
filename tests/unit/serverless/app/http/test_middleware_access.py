"""Who gets in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from edge_runtime.common.errors import SnapshipError
from serverless.app import create_app
from serverless.app.core.keys import REREAD_SECONDS, KeySource, from_text, new_key
from serverless.app.core.service import Service
from serverless.app.http.middleware import OPEN_PATHS, presented_key

PHONE, PHONE_ENTRY = new_key("phone")
CAMERA, CAMERA_ENTRY = new_key("camera")

Ask = Callable[..., httpx.Response]


def asking(app: Starlette) -> Ask:
    def send(method: str, path: str, **options: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **options)

        return asyncio.run(once())

    return send


@pytest.fixture
def locked(service: Service) -> Starlette:
    return create_app(service, max_bytes=1000, max_images=3, keys=from_text(f"{PHONE_ENTRY},{CAMERA_ENTRY}"))


def test_every_path_but_the_listed_ones_needs_a_key(locked: Starlette) -> None:
    ask = asking(locked)
    paths = [route.path for route in locked.routes if isinstance(route, Route)]
    assert set(paths) > OPEN_PATHS
    for path in [*paths, "/nowhere", "/classify/", "/health/", "//health", "/labels/../health", "/HEALTH"]:
        # As it is: the client would tidy the path up.
        status = status_of(locked, path)
        assert (status == 401) is (path not in OPEN_PATHS), (path, status)
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
        assert ask(method, "/classify").status_code == 401


def status_of(app: Starlette, path: str) -> int:
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "headers": []}
    scope |= {"query_string": b"", "http_version": "1.1", "scheme": "http", "server": ("test", 80)}
    asyncio.run(app(scope, receive, send))
    return statuses[0]


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": PHONE},
        {"X-API-KEY": CAMERA},
        {"authorization": f"Bearer {PHONE}"},
        {"authorization": f"bearer  {PHONE} "},
        {"x-api-key": PHONE, "authorization": "Basic eDp5"},
        {"x-api-key": PHONE, "authorization": "AWS4-HMAC-SHA256 Credential=x"},
    ],
)
def test_any_of_the_keys_opens(locked: Starlette, headers: dict[str, str]) -> None:
    response = asking(locked)("POST", "/classify", content=b"x", headers=headers)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    ("headers", "wrong"),
    [
        ({}, False),
        ({"x-api-key": ""}, False),
        ({"authorization": ""}, False),
        ({"authorization": "Bearer "}, False),
        ({"authorization": f"Basic {PHONE}"}, False),
        ({"authorization": PHONE}, False),
        ({"x-api-key": PHONE[:-1]}, True),
        ({"x-api-key": PHONE_ENTRY}, True),
        ({"x-api-key": "x" * 5000}, True),
        ({"x-api-key": f"Bearer {PHONE}"}, True),
        ({"x-api-key": "wrong", "authorization": f"Bearer {PHONE}"}, True),
    ],
)
def test_no_key_and_a_wrong_one_are_401(locked: Starlette, headers: dict[str, str], wrong: bool) -> None:
    response = asking(locked)("POST", "/classify", content=b"x" * 5000, headers=headers)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    challenge = response.headers["www-authenticate"]
    assert challenge == 'Bearer realm="snapship"' + (', error="invalid_token"' if wrong else "")
    problem = response.json()
    assert (problem["type"], problem["status"]) == ("urn:snapship:unauthorized-error", 401)
    assert problem["request_id"] == response.headers["x-request-id"]
    assert "x-api-key" in problem["detail"]
    assert PHONE[5:20] not in response.text


def test_the_body_of_a_stranger_is_not_read(locked: Starlette) -> None:
    reads = 0
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        nonlocal reads
        reads += 1
        return {"type": "http.request", "body": b"x" * 100, "more_body": True}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {"type": "http", "method": "POST", "path": "/classify", "raw_path": b"/classify", "headers": []}
    scope |= {"query_string": b"", "http_version": "1.1", "scheme": "http", "server": ("test", 80)}
    asyncio.run(locked(scope, receive, send))
    assert (statuses, reads) == ([401], 0)


def test_without_keys_everyone_gets_in(app: Starlette) -> None:
    assert asking(app)("GET", "/labels").status_code == 200


def test_health_tells_of_the_model_only_where_nobody_needs_a_key(locked: Starlette, app: Starlette) -> None:
    assert asking(locked)("GET", "/health").json() == {"status": "ok"}
    assert asking(app)("GET", "/health").json()["artifact"] == "tflite-fp32"
    for path in OPEN_PATHS - {"/"}:
        told = asking(locked)("GET", path).text
        assert not [word for word in ("pets", "tflite-fp32", "fake", "cat") if f'"{word}"' in told], path


def test_a_key_in_the_query_is_none(locked: Starlette) -> None:
    # Queries stand in logs and histories.
    assert asking(locked)("GET", "/labels", params={"x-api-key": PHONE}).status_code == 401


def test_the_first_header_counts() -> None:
    scope = {"headers": [(b"x-api-key", b"one"), (b"x-api-key", b"two")]}
    assert presented_key(scope) == "one"
    assert presented_key({"headers": []}) is None


def test_a_new_key_is_accepted_when_the_source_is_read_again(service: Service) -> None:
    text, now = [PHONE_ENTRY], [0.0]
    source = KeySource(lambda: text[0], "the parameter", rereads=True, clock=lambda: now[0])
    ask = asking(create_app(service, max_bytes=1000, max_images=3, keys=source))
    text[0] = CAMERA_ENTRY
    assert ask("GET", "/labels", headers={"x-api-key": CAMERA}).status_code == 401
    assert ask("GET", "/labels", headers={"x-api-key": PHONE}).status_code == 200
    now[0] = REREAD_SECONDS
    assert ask("GET", "/labels", headers={"x-api-key": CAMERA}).status_code == 200
    assert ask("GET", "/labels", headers={"x-api-key": PHONE}).status_code == 401


def test_a_source_that_fails_keeps_the_old_keys(service: Service) -> None:
    now = [0.0]

    def read() -> str:
        if now[0]:
            raise SnapshipError("AWS must answer. Received: nothing. Wait.")
        return PHONE_ENTRY

    source = KeySource(read, "the parameter", rereads=True, clock=lambda: now[0])
    ask = asking(create_app(service, max_bytes=1000, max_images=3, keys=source))
    now[0] = REREAD_SECONDS
    assert ask("GET", "/labels", headers={"x-api-key": PHONE}).status_code == 200
