"""What every request passes before its route.

::

    RequestMiddleware   outermost: a request id and a log line for each, and no exception escapes
    CorsMiddleware      cross-origin requests, off unless origins are configured
    KeyMiddleware       API keys: every path except OPEN_PATHS needs one
    limit_body          the size of a body, enforced while it is read and before anything is decoded
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_runtime.common.errors import ImageTooLargeError
from edge_runtime.common.text import quoted
from serverless.app.core.http_problems import (
    ForbiddenError,
    UnauthorizedError,
    problem_of,
    problem_response,
    refusal,
)
from serverless.app.core.settings import Log
from serverless.app.core.telemetry import (
    NAMESPACE,
    REQUEST_ID_HEADER,
    RequestRecord,
    ensure_id,
    log_event,
    record_of,
)

if TYPE_CHECKING:
    # Its module is not loaded in an app without keys.
    from serverless.app.core.keys import KeySource

CLIENT_LEFT = 499
"""Logged when the client closed the connection early; nothing is sent. As nginx does."""

KEY_HEADER = "x-api-key"

OPEN_PATHS = frozenset({"/", "/health", "/ready", "/openapi.json"})
"""These reveal nothing about the model except whether it is ready; any path not listed needs a key."""

REREAD_WAIT_SECONDS = 3.0
"""How long a request waits for keys being reread before the old ones decide."""

MAX_AGE_SECONDS = 600
"""How long a browser may cache the response to its preflight."""

_CURE = f"Send the key as header {KEY_HEADER}, or as Authorization: Bearer KEY."

_log = logging.getLogger("snapship.serverless")


class RequestMiddleware:
    """ASGI middleware; Starlette's own answers a crash in plain text and re-raises it."""

    def __init__(self, app: ASGIApp, log: Log = "off", metrics_namespace: str = NAMESPACE) -> None:
        """Wraps an app.

        Args:
            app: An ASGI app.
            log: ``json`` writes a line per request to stdout, including stack traces of failures;
                with ``off`` these go to the logger ``snapship.serverless``.
            metrics_namespace: Namespace of the metrics in the line; empty for none.
        """
        self._app = app
        self._log = log
        self._namespace = metrics_namespace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        # The server may have chosen one when it refused a request within its body.
        id = ensure_id(scope)
        record = record_of(scope)
        record.request_id, record.method, record.path = id, scope["method"], scope["path"]
        started = False

        async def with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                record.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID_HEADER] = id
                # Otherwise a browser may take JSON with a label in it for a page.
                headers["x-content-type-options"] = "nosniff"
                # Otherwise a cache may serve to everyone what was sent to a key's owner.
                headers.setdefault("cache-control", "no-store")
            elif scope["method"] == "HEAD":
                # A socket server omits the body by itself; Lambda would send it.
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._app(scope, receive, with_id)
        except ClientDisconnect:
            if self._log == "off":
                _log.info("request %s: the client left", id)
        except Exception as error:
            record.failed(error)
            if self._log == "off":
                _log.exception("request %s failed", id)
            if started:
                raise
            await problem_response(problem_of(error, id))(scope, receive, with_id)
        finally:
            record.status = record.status or CLIENT_LEFT
            record.total_ms = (time.perf_counter() - start) * 1000
            if self._log == "json":
                log_event(record, namespace=self._namespace)


class CorsMiddleware(CORSMiddleware):
    """Starlette's CORS middleware with refusals as problem details; a preflight needs no key."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        """Wraps an app.

        Args:
            app: An ASGI app.
            origins: Exact origins, see :mod:`serverless.app.core.settings`.
        """
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=(KEY_HEADER, "authorization", "content-type", REQUEST_ID_HEADER),
            expose_headers=(REQUEST_ID_HEADER, "retry-after"),
            max_age=MAX_AGE_SECONDS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a preflight, and adds CORS headers to any other response."""
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            headers = Headers(scope=scope)
            if "origin" in headers and "access-control-request-method" in headers:
                response = self._preflight(headers, scope)
                await response(scope, receive, send)
                return
        await super().__call__(scope, receive, send)

    def _preflight(self, headers: Headers, scope: Scope) -> Response:
        response = self.preflight_response(request_headers=headers)
        if response.status_code == 200:
            # Starlette's response is a plain-text OK, which some gateways would send as base64.
            plain = ("content-length", "content-type")
            kept = {name: value for name, value in response.headers.items() if name not in plain}
            return Response(status_code=204, headers=kept)
        error = ForbiddenError(
            "A page may call from an allowed origin, with GET or POST and the documented headers. "
            f"Received: origin {quoted(headers['origin'])}, method "
            f"{quoted(headers['access-control-request-method'])}. Have the origin added to the endpoint."
        )
        return refusal(scope, error, {"Vary": response.headers.get("vary", "Origin")})


class KeyMiddleware:
    """ASGI middleware that answers 401 to requests without a valid key."""

    def __init__(self, app: ASGIApp, source: KeySource) -> None:
        """Wraps an app.

        Args:
            app: An ASGI app.
            source: The keys.
        """
        self._app = app
        self._source = source
        # One thread: a flood of wrong keys costs one processor and 4 MiB. A valid key queues behind it
        # once per process and list of keys; after that it is recognized without the thread.
        self._checking = ThreadPoolExecutor(1, thread_name_prefix="snapship-keys")
        self._rereading = ThreadPoolExecutor(1, thread_name_prefix="snapship-keys")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or answers it."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        try:
            name = await self._name_of(scope)
        except UnauthorizedError as error:
            # RFC 6750 section 3: error is left out where no key was sent.
            challenge = 'Bearer realm="snapship"' + (', error="invalid_token"' if error.wrong else "")
            await refusal(scope, error, {"WWW-Authenticate": challenge})(scope, receive, send)
            return
        record_of(scope).key = name
        await self._app(scope, receive, send)

    async def _name_of(self, scope: Scope) -> str:
        secret = presented_key(scope)
        if secret is None:
            raise UnauthorizedError(f"A request must have an API key. Received: none. {_CURE}")
        loop = asyncio.get_running_loop()
        if self._source.stale:
            reread = loop.run_in_executor(self._rereading, self._source.refresh)
            # Not wait_for, which would cancel what other requests wait for too.
            await asyncio.wait([reread], timeout=REREAD_WAIT_SECONDS)
        keys = self._source.keys
        checked, name = keys.known(secret)
        if not checked:
            name = await loop.run_in_executor(self._checking, keys.check, secret)
        if name is None:
            raise UnauthorizedError(
                f"The API key must be valid. Received: an unknown key. {_CURE}", wrong=True
            )
        return name


def presented_key(scope: Scope) -> str | None:
    """The key sent with a request; ``x-api-key`` takes precedence over ``Authorization``.

    Args:
        scope: An ASGI scope.

    Returns:
        None if there is none.
    """
    bearer = None
    for name, value in scope["headers"]:
        lowered = name.lower()
        if lowered == b"x-api-key" and value:
            return str(value.decode("latin-1"))
        if lowered == b"authorization" and value[:7].lower() == b"bearer ":
            bearer = value[7:].strip().decode("latin-1") or None
    return bearer


def limit_body(request: Request, max_bytes: int, record: RequestRecord) -> Request:
    """Returns the request with a limit on its body.

    A ``Content-Length`` over the limit is refused before the first byte is read; a body without
    one, or one longer than declared, as soon as it exceeds the limit.

    Args:
        request: A request whose body has not been read.
        max_bytes: Size limit of the body.
        record: Receives the number of bytes read.

    Returns:
        A request whose body raises ImageTooLargeError (HTTP 413) on reading.
    """
    return Request(request.scope, _counting(request, max_bytes, record))


def _counting(request: Request, max_bytes: int, record: RequestRecord) -> Receive:
    receive = request.receive
    declared = request.headers.get("content-length", "")
    received = 0

    async def counted() -> Message:
        nonlocal received
        if declared.isascii() and declared.isdigit() and int(declared[:20]) > max_bytes:
            raise _too_large(f"Content-Length {int(declared[:20]):,}", max_bytes)
        message = await receive()
        received += len(message.get("body", b""))
        record.bytes = received
        if received > max_bytes:
            raise _too_large(f"{received:,} or more", max_bytes)
        return message

    return counted


def _too_large(size: str, max_bytes: int) -> ImageTooLargeError:
    return ImageTooLargeError(
        f"A request's body must have at most {max_bytes:,} bytes. Received: {size}. "
        "Send a smaller image, or fewer in one request."
    )
