"""Which path an event asks for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace
from starlette.applications import Starlette

from serverless.app.core.http_problems import PATHS
from serverless.app.core.settings import AppConfig
from serverless.app.entry import Handler

OWN = "id.execute-api.eu-west-1.amazonaws.com"


def http(method: str, path: str, stage: str = "$default", domain: str = OWN, **more: Any) -> dict[str, Any]:
    context = {"http": {"method": method, "path": path, "sourceIp": "192.0.2.1"}}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "headers": {"host": domain},
        "requestContext": {**context, "stage": stage, "domainName": domain},
        "body": "x" if method == "POST" else None,
        **more,
    }


def rest(method: str, path: str, resource: str, **parameters: str) -> dict[str, Any]:
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": {},
        "pathParameters": parameters or None,
        "requestContext": {"stage": "classify", "domainName": "api.example.com"},
        "body": "x" if method == "POST" else None,
    }


def alb(method: str, path: str) -> dict[str, Any]:
    return {
        "httpMethod": method,
        "path": path,
        "headers": {},
        "requestContext": {"elb": {"targetGroupArn": "arn"}},
        "body": "x" if method == "POST" else "",
    }


def status(app: Starlette, event: dict[str, Any], base_path: str = "") -> int:
    config = app.state.config
    app.state.config = replace(config, base_path=base_path)
    try:
        return int(Handler(app)(event, None)["statusCode"])
    finally:
        app.state.config = config


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        # A stage that is named like a path, at the API's own address and at another.
        (http("POST", "/classify/classify", "classify"), 200),
        (http("GET", "/classify/health", "classify"), 200),
        (http("GET", "/classify", "classify"), 200),
        (http("POST", "/classify", "classify", "api.example.com"), 200),
        (http("GET", "/health", "health", "api.example.com"), 200),
        (http("GET", "/health/health", "health", "api.example.com"), 200),
        (http("POST", "/health/classify", "health"), 200),
        (http("GET", "/prod/", "prod"), 200),
        # Routes of its own say what is behind everything else.
        (http("POST", "/api/classify", routeKey="POST /classify"), 200),
        (http("POST", "/api/classify", routeKey="ANY /{proxy+}", pathParameters={"proxy": "classify"}), 200),
        (
            http("POST", "/v1/classify", routeKey="ANY /v1/{proxy+}", pathParameters={"proxy": "classify"}),
            404,
        ),
        # A custom domain of a REST API.
        (rest("POST", "/api/classify", "/{proxy+}", proxy="classify"), 200),
        (rest("POST", "/api/prod/classify", "/classify"), 200),
        (rest("GET", "/api", "/"), 200),
        (rest("GET", "/api/", "/"), 200),
        (rest("POST", "/classify", "/{proxy+}", proxy="classify"), 200),
        (rest("GET", "/api/secret/labels", "/{proxy+}", proxy="secret/labels"), 404),
        # What guards /classify alone must not be walked around.
        (http("POST", "/x/classify"), 404),
        (http("POST", "/x/classify", domain="api.example.com"), 404),
        (alb("POST", "/x/classify"), 404),
        # Parameters that do not belong to the path.
        (rest("GET", "/api/nowhere", "/{proxy+}", proxy="labels"), 404),
    ],
)
def test_what_stands_before_the_path_is_dropped_where_the_gateway_says_it(
    app: Starlette, event: dict[str, Any], expected: int
) -> None:
    assert status(app, event) == expected


@pytest.mark.parametrize("make", [http, alb])
def test_a_base_path_is_dropped(app: Starlette, make: Any) -> None:
    for method, path in (
        ("POST", "/api/classify"),
        ("GET", "/api"),
        ("GET", "/api/"),
        ("GET", "/api/health"),
    ):
        assert status(app, make(method, path), "/api") == 200
    # Not only: a health check of a load balancer comes without it.
    assert status(app, make("GET", "/health"), "/api") == 200
    assert status(app, make("POST", "/apis/classify"), "/api") == 404
    assert status(app, make("POST", "/classify/api"), "/api") == 404
    answer = Handler(app)(make("POST", "/api/classify"), None)
    assert "SNAPSHIP_BASE_PATH" in json.loads(answer["body"])["detail"]


def test_stage_and_base_path_may_both_be_there(app: Starlette) -> None:
    assert status(app, http("POST", "/prod/api/classify", "prod"), "/api") == 200


def test_the_base_path_variable_is_a_path() -> None:
    environ = {"SNAPSHIP_BUNDLE": "b", "SNAPSHIP_BASE_PATH": "/api/v1/"}
    assert AppConfig.read(environ).base_path == "/api/v1"
    assert AppConfig.read({"SNAPSHIP_BUNDLE": "b"}).base_path == ""


def test_the_paths_are_the_routes(app: Starlette) -> None:
    assert {route.path for route in app.routes} == set(PATHS)  # type: ignore[attr-defined]


@pytest.mark.parametrize("event", [http("HEAD", "/health"), alb("HEAD", "/"), rest("HEAD", "/info", "/info")])
def test_head_has_no_body(app: Starlette, event: dict[str, Any]) -> None:
    answer = Handler(app)(event, None)
    assert (answer["statusCode"], answer["body"]) == (200, "")
    assert Handler(app)(http("HEAD", "/nowhere"), None)["body"] == ""
    assert Handler(app)(http("GET", "/health"), None)["body"]
