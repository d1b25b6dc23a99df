"""Cross-origin requests: off by default, allowed only for the configured origins."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from edge_runtime.quoting import quoted
from serverless.app.access import KEY_HEADER
from serverless.app.errors import ForbiddenError
from serverless.app.problems import problem_of, problem_response
from serverless.app.request_id import REQUEST_ID_HEADER, request_id
from serverless.app.telemetry import record_of

METHODS = ("GET", "POST")

MAX_AGE_SECONDS = 600
"""How long a browser may cache the response to its preflight."""


class CorsMiddleware(CORSMiddleware):
    """Starlette's CORS middleware with refusals as problem details; a preflight needs no key."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        """Wraps an app.

        Args:
            app: An ASGI app.
            origins: Exact origins, see :mod:`serverless.app.origins`.
        """
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
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
        record_of(scope).error = type(error).__name__
        return problem_response(
            problem_of(error, request_id(scope)), {"Vary": response.headers.get("vary", "Origin")}
        )
