"""Pages of other origins."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from edge_runtime.common.errors import UsageError
from serverless.app import create_app
from serverless.app.core.keys import from_text, new_key
from serverless.app.core.service import Service
from serverless.app.core.settings import checked_origins

SECRET, ENTRY = new_key("page")

PAGE = "https://app.example.org"

PREFLIGHT = {"origin": PAGE, "access-control-request-method": "POST"}


def ask(app: Starlette, method: str, path: str, **options: Any) -> httpx.Response:
    async def once() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.request(method, path, **options)

    return asyncio.run(once())


@pytest.fixture
def shared_app(service: Service) -> Starlette:
    return create_app(
        service,
        max_bytes=1000,
        max_images=3,
        keys=from_text(ENTRY),
        cors_origins=(PAGE, "http://localhost:3000"),
    )


def test_it_is_off_by_default(app: Starlette) -> None:
    answer = ask(app, "GET", "/labels", headers={"origin": PAGE})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert ask(app, "OPTIONS", "/classify", headers=PREFLIGHT).status_code == 405


def test_a_preflight_needs_no_key_and_names_what_is_allowed(shared_app: Starlette) -> None:
    wanted = {"access-control-request-headers": "x-api-key, Content-Type, authorization, x-request-id"}
    answer = ask(shared_app, "OPTIONS", "/classify", headers={**PREFLIGHT, **wanted})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-methods"] == "GET, POST"
    assert "access-control-allow-credentials" not in answer.headers
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "https://app.example.org.evil.example"},
        {"origin": "http://app.example.org"},
        {"origin": "null"},
        {"access-control-request-method": "DELETE"},
        {"access-control-request-headers": "x-other"},
        {"origin": "https://evil.example\u00e4" + "x" * 5000},
    ],
)
def test_any_other_preflight_is_403(shared_app: Starlette, headers: dict[str, str]) -> None:
    encoded = {name: value.encode() for name, value in {**PREFLIGHT, **headers}.items()}
    answer = ask(shared_app, "OPTIONS", "/classify", headers=encoded)
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert "access-control-allow-origin" not in answer.headers
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert len(answer.json()["detail"]) < 500


def test_answers_and_refusals_can_be_read_by_the_page(shared_app: Starlette) -> None:
    for headers, status in (({"x-api-key": SECRET}, 200), ({}, 401)):
        answer = ask(shared_app, "POST", "/classify", content=b"x", headers={"origin": PAGE, **headers})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert "x-request-id" in answer.headers["access-control-expose-headers"]


def test_another_origin_gets_no_permission(shared_app: Starlette) -> None:
    headers = {"x-api-key": SECRET, "origin": "https://evil.example"}
    answer = ask(shared_app, "POST", "/classify", content=b"x", headers=headers)
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "example.org",
        "https://example.org/",
        "https://example.org/page",
        "https://Example.org",
        "https://*.example.org",
        "https://a b",
        "https://a\nb",
        "ftp://example.org",
        "https://user@example.org",
        "",
    ],
)
def test_only_exact_origins_are_taken(origin: str) -> None:
    with pytest.raises(UsageError, match="SNAPSHIP_CORS_ORIGINS") as caught:
        checked_origins([PAGE, origin], "SNAPSHIP_CORS_ORIGINS")
    assert "\n" not in str(caught.value)


def test_exact_origins() -> None:
    origins = (PAGE, "http://localhost:3000", "http://127.0.0.1", "http://[::1]:8000")
    assert checked_origins(origins) == origins
