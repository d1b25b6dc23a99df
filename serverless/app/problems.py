"""Errors as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from edge_runtime.errors import SnapshipError
from edge_runtime.quoting import quoted
from serverless.app.errors import UnavailableError
from serverless.app.paths import base_path_hint
from serverless.app.request_id import request_id
from serverless.app.schema import Problem
from serverless.app.telemetry import record_of

PROBLEM_TYPE = "application/problem+json"


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


async def on_snapship_error(request: Request, error: Exception) -> Response:
    """Answers an error that snapship raised on purpose."""
    problem = problem_of(error, request_id(request.scope))
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, UnavailableError) else {}
    if problem.status >= 500 and not headers:
        # A failure of the server: the outermost middleware answers and logs it.
        raise error
    # Only the class: the message may repeat what was sent.
    record_of(request.scope).error = type(error).__name__
    return problem_response(problem, headers)


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
