"""The outermost layer of the app: every answer has its request id, and no exception gets out."""

from __future__ import annotations

import logging

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serverless.app.problems import problem_of, problem_response
from serverless.app.request_id import REQUEST_ID_HEADER, choose_id, keep_id

_log = logging.getLogger("snapship.serverless")


class Boundary:
    """ASGI middleware; Starlette's own answer to a crash is plain text and lets it through."""

    def __init__(self, app: ASGIApp) -> None:
        """Wraps an app.

        Args:
            app: Anything that speaks ASGI.
        """
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        id = choose_id(scope)
        keep_id(scope, id)
        started = False

        async def with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = id
            await send(message)

        try:
            await self._app(scope, receive, with_id)
        except ClientDisconnect:
            _log.info("request %s: the client left", id)
        except Exception as error:
            _log.exception("request %s failed", id)
            if started:
                raise
            await problem_response(problem_of(error, id))(scope, receive, with_id)
