"""One id per request, in its response and in the log.

The client's ``x-request-id`` if it is well-formed, so that a trace spans several services;
otherwise Lambda's own id, which its log lines carry anyway; otherwise a random one.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable

from starlette.types import Scope

REQUEST_ID_HEADER = "x-request-id"

_SANE = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""Excludes anything that could break a log line or a header."""


def choose_id(scope: Scope) -> str:
    """Chooses the id of a request.

    Args:
        scope: An ASGI scope; Mangum's has the Lambda context under ``aws.context``.
    """
    candidates = (_header(scope.get("headers", ())), getattr(scope.get("aws.context"), "aws_request_id", ""))
    for candidate in candidates:
        if isinstance(candidate, str) and _SANE.fullmatch(candidate):
            return candidate
    return uuid.uuid4().hex


def ensure_id(scope: Scope) -> str:
    """The id of a request, chosen at the first call and stored in its scope."""
    id = request_id(scope) or choose_id(scope)
    scope.setdefault("state", {})["request_id"] = id
    return id


def request_id(scope: Scope) -> str:
    """The id of the request being answered; empty before it has one."""
    return str(scope.get("state", {}).get("request_id", ""))


def _header(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The header's value if it was sent exactly once."""
    values = [value for name, value in headers if name.lower() == REQUEST_ID_HEADER.encode()]
    return values[0].decode("latin-1") if len(values) == 1 else ""
