"""The outermost middleware: every response has a request id and a log line; no exception escapes."""

from __future__ import annotations

import logging
import time

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serverless.app.problems import problem_of, problem_response
from serverless.app.request_id import REQUEST_ID_HEADER, ensure_id
from serverless.app.settings import Log
from serverless.app.telemetry import NAMESPACE, log_event, record_of

CLIENT_LEFT = 499
"""Logged when the client closed the connection early; nothing is sent. As nginx does."""

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
