"""The outermost layer of the app: every answer has its request id and its line, no exception gets out."""

from __future__ import annotations

import logging
import time

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serverless.app.problems import problem_of, problem_response
from serverless.app.request_id import REQUEST_ID_HEADER, choose_id, keep_id, request_id
from serverless.app.settings import Log
from serverless.app.telemetry import NAMESPACE, log_event, record_of

CLIENT_LEFT = 499
"""What the log says of a client that did not wait; nothing is answered. As nginx does."""

_log = logging.getLogger("snapship.serverless")


class RequestMiddleware:
    """ASGI middleware; Starlette's own answer to a crash is plain text and lets it through."""

    def __init__(self, app: ASGIApp, log: Log = "off", metrics_namespace: str = NAMESPACE) -> None:
        """Wraps an app.

        Args:
            app: Anything that speaks ASGI.
            log: ``json`` writes a line for each request to stdout, stack traces of failures
                included; with ``off`` these go to the logger ``snapship.serverless``.
            metrics_namespace: Of the metrics in the line; empty for none.
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
        # A server that refuses a request within its body may have chosen.
        id = request_id(scope) or choose_id(scope)
        keep_id(scope, id)
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
                # Else a browser may take JSON with a label in it for a page.
                headers["x-content-type-options"] = "nosniff"
                # Else a cache may hand to everyone what was answered to who has a key.
                headers.setdefault("cache-control", "no-store")
            elif scope["method"] == "HEAD":
                # A server on a socket leaves it out by itself; Lambda would send it.
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
