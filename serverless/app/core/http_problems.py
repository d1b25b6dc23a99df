"""Errors of the endpoint and their ``application/problem+json`` (RFC 9457); the path of a request.

Errors that only the endpoint raises; the others are in ``edge_runtime``::

    UsageError                 HTTP 400   the request is malformed: broken JSON, broken multipart
    └── UnprocessableError     HTTP 422   it is readable but breaks a rule
    SnapshipError
    ├── UnauthorizedError      HTTP 401   no key, or an invalid one
    ├── ForbiddenError         HTTP 403   a preflight from an origin that is not allowed
    └── UnavailableError       HTTP 503   temporarily unavailable; says why and when to retry
        └── NotReadyError                 the self-test is running, or failed

The path of an event's request, without what a gateway or a custom domain puts before it::

    REST API, payload 1.0   the path may begin with the base path of a custom domain, and with the
                            stage; ``resource`` and its parameters give the rest
    HTTP API, payload 2.0   the path begins with the stage unless that is ``$default``; a ``routeKey``
                            of a specific route gives the rest
    load balancer,          the path as the client sent it; SNAPSHIP_BASE_PATH is removed
    function URL

Nothing else is removed. Treating every path that ends in ``/classify`` as ``/classify`` would let
clients bypass a gateway that protects only ``/classify``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from edge_runtime.common.errors import SnapshipError, UsageError
from edge_runtime.common.text import quoted
from serverless.app.core.api_schema import Problem
from serverless.app.core.telemetry import record_of, request_id

PROBLEM_TYPE = "application/problem+json"


class UnprocessableError(UsageError):
    """A well-formed request whose content breaks a rule, e.g. ``top_k`` 0."""

    http_status = 422


class UnauthorizedError(SnapshipError):
    """A request without a valid key.

    Attributes:
        wrong: Whether it had an invalid one.
    """

    http_status = 401

    def __init__(self, message: str, *, wrong: bool = False) -> None:
        super().__init__(message)
        self.wrong = wrong


class ForbiddenError(SnapshipError):
    """A request that is not allowed with any key."""

    http_status = 403


class UnavailableError(SnapshipError):
    """A request that cannot be answered now, for a reason that needs no stack trace.

    Attributes:
        retry_after: Seconds after which to retry.
    """

    http_status = 503

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotReadyError(UnavailableError):
    """An endpoint that must not receive traffic, for now or for good."""


def problem_of(error: Exception, id: str = "") -> Problem:
    """Describes an error without revealing anything about the server.

    Args:
        error: Any exception. The message of a :class:`SnapshipError` below 500, and of an
            :class:`UnavailableError`, is meant for the client; everything else stays in the server's log.
        id: The request id; empty inside a list of results.
    """
    if isinstance(error, UnavailableError) or (isinstance(error, SnapshipError) and error.http_status < 500):
        words = re.sub("(?<!^)(?=[A-Z])", " ", type(error).__name__).lower()
        kind = f"urn:snapship:{words.replace(' ', '-')}"
        return Problem(kind, words.capitalize(), error.http_status, str(error), id)
    status = error.http_status if isinstance(error, SnapshipError) else 500
    detail = "The server could not answer this request; its log has the reason under the request id."
    return Problem("about:blank", HTTPStatus(status).phrase, status, detail, id)


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Turns problem details into a response."""
    body = msgspec.json.encode(problem)
    return Response(body, problem.status, dict(headers or {}), media_type=PROBLEM_TYPE)


def refusal(scope: Scope, error: SnapshipError, headers: Mapping[str, str] | None = None) -> Response:
    """Answers a request that is refused, and logs why.

    Args:
        scope: The request's ASGI scope.
        error: The reason. Only its class is logged, since its message may repeat what was sent.
        headers: Additional headers.
    """
    record_of(scope).error = type(error).__name__
    return problem_response(problem_of(error, request_id(scope)), headers)


async def on_snapship_error(request: Request, error: Exception) -> Response:
    """Answers an error that snapship raised on purpose."""
    assert isinstance(error, SnapshipError)
    if isinstance(error, UnavailableError):
        return refusal(request.scope, error, {"Retry-After": str(error.retry_after)})
    if error.http_status >= 500:
        # A failure of the server: the outermost middleware answers and logs it.
        raise error
    return refusal(request.scope, error)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answers what Starlette refuses: an unknown path, a wrong method."""
    assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code == 404:
        path = request.scope["path"]
        detail = f"The path must exist. Received: {quoted(path)}. See /openapi.json for the available paths."
        detail += base_path_hint(path)
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        detail = f"The method must be allowed here. Received: {quoted(request.method)}. Use {allowed}."
    title = HTTPStatus(error.status_code).phrase
    problem = Problem("about:blank", title, error.status_code, detail, request_id(request.scope))
    return problem_response(problem, error.headers)


PATHS = ("/", "/classify", "/health", "/ready", "/labels", "/info", "/openapi.json")
"""Paths of the app's routes."""

_PARAMETER = re.compile(r"\{([^{}]+?)\+?\}")

_OWN_DOMAIN = re.compile(r"\.execute-api\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$", re.ASCII)


def path_of(event: dict[str, Any], path: str, base_path: str) -> str:
    """Finds the app's path.

    Args:
        event: From API Gateway, a function URL or an ALB.
        path: As Mangum reads it.
        base_path: SNAPSHIP_BASE_PATH, e.g. ``/api``; empty for none.
    """
    # A load balancer sends neither; an HTTP API sends "$default" if no specific route matches.
    template = event.get("resource") or str(event.get("routeKey") or "").partition(" ")[2]
    filled = _filled(template, event.get("pathParameters"))
    if filled is not None and (filled == "/" or path.rstrip("/").endswith(filled.rstrip("/"))):
        path = filled
    elif event.get("resource") in (None, "$default"):
        path = _without_stage(path, event)
    if base_path and (path == base_path or path.startswith(f"{base_path}/")):
        return path[len(base_path) :] or "/"
    return path


def base_path_hint(path: str) -> str:
    """A hint for a path that is one of the app's with a prefix; empty for any other.

    Args:
        path: A path that the app does not have.
    """
    before, _, last = path.rpartition("/")
    if not before or f"/{last}" not in PATHS[1:]:
        return ""
    return f" Request /{last}; if this is a function behind a base path, set SNAPSHIP_BASE_PATH."


def _filled(template: Any, parameters: Any) -> str | None:
    """A route such as ``/{proxy+}`` with its parameters filled in; None if that does not give the path."""
    if not isinstance(template, str) or not template.startswith("/"):
        return None
    known = parameters if isinstance(parameters, dict) else {}
    filled = _PARAMETER.sub(lambda found: str(known.get(found[1], found[0])), template)
    return None if "{" in filled else filled


def _without_stage(path: str, event: dict[str, Any]) -> str:
    """Drops the stage from the path of an HTTP API; a REST API does so by itself."""
    context = event["requestContext"]
    stage, domain = context.get("stage", "$default"), context.get("domainName", "")
    if "version" not in event or stage == "$default":
        return path
    prefix = f"/{stage}"
    if path != prefix and not path.startswith(f"{prefix}/"):
        return path
    if path in PATHS and not _OWN_DOMAIN.search(str(domain)):
        # A custom domain may have a stage that is named like a path, and not show it.
        return path
    return path[len(prefix) :] or "/"
