"""API key authentication: every path except :data:`OPEN_PATHS` needs a key."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from starlette.types import ASGIApp, Receive, Scope, Send

from serverless.app.errors import UnauthorizedError
from serverless.app.key_source import KeySource
from serverless.app.problems import problem_of, problem_response
from serverless.app.request_id import request_id
from serverless.app.telemetry import record_of

KEY_HEADER = "x-api-key"

OPEN_PATHS = frozenset({"/", "/health", "/ready", "/openapi.json"})
"""These reveal nothing about the model except whether it is ready; any path not listed needs a key."""

REREAD_WAIT_SECONDS = 3.0
"""How long a request waits for keys being reread before the old ones decide."""

_CURE = f"Send the key as header {KEY_HEADER}, or as Authorization: Bearer KEY."


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
            record_of(scope).error = type(error).__name__
            problem = problem_of(error, request_id(scope))
            # RFC 6750 section 3: error is left out where no key was sent.
            challenge = 'Bearer realm="snapship"' + (', error="invalid_token"' if error.wrong else "")
            response = problem_response(problem, {"WWW-Authenticate": challenge})
            await response(scope, receive, send)
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
