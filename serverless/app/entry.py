"""The Lambda entry: events of API Gateway v1 and v2, function URLs and ALBs become requests."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import EnvironmentMissingError, UsageError
from serverless.app.application import create_app
from serverless.app.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

TEXT_TYPES = ["application/json", "application/problem+json"]
"""Content types of answers that are sent as text; API Gateway v1 hands base64 on as it is."""

_thread = threading.local()


class Handler:
    """What Lambda calls, once for each event."""

    def __init__(self, app: ASGIApp) -> None:
        """Wraps an app.

        Args:
            app: A loaded ASGI app.

        Raises:
            EnvironmentMissingError: Mangum is not installed.
        """
        if find_spec("mangum") is None:
            raise EnvironmentMissingError.of_extra("The Lambda entry", "mangum", "serverless")
        from mangum import Mangum

        _ensure_loop()
        self._mangum = Mangum(_without_stage(app), lifespan="off", text_mime_types=TEXT_TYPES)

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Answers one event.

        Args:
            event: As AWS sends it.
            context: Lambda's context; its ``aws_request_id`` becomes the request id.

        Raises:
            UsageError: It is no HTTP event.
        """
        if not isinstance(event, dict) or "requestContext" not in event:
            received = ", ".join(sorted(event))[:100] if isinstance(event, dict) else type(event).__name__
            raise UsageError(
                "An event must come from API Gateway, a function URL or an ALB. "
                f"Received: {received or 'an empty event'}. Invoke the function through one of these."
            )
        _ensure_loop()
        answer: dict[str, Any] = self._mangum(event, context)
        return answer


def load_handler(environ: Mapping[str, str] | None = None) -> Handler:
    """Loads the model as the environment says, see :mod:`serverless.app.settings`.

    Args:
        environ: Variables; None takes the process's own.

    Raises:
        SnapshipError: A variable, the bundle or an installed package is not as it must be.
    """
    settings = Settings.read(os.environ if environ is None else environ)
    app = create_app(
        settings.bundle,
        artifact=settings.artifact,
        engine=settings.engine,
        threads=settings.threads,
        top_k=settings.top_k,
    )
    return Handler(app)


def _without_stage(app: ASGIApp) -> ASGIApp:
    """Drops the stage from the path of an HTTP API; only a REST API does so by itself."""

    async def staged(scope: Scope, receive: Receive, send: Send) -> None:
        event = scope.get("aws.event", {})
        stage = event.get("requestContext", {}).get("stage", "$default")
        prefix = f"/{stage}"
        if event.get("version") == "2.0" and stage != "$default":
            path = scope["path"]
            if path == prefix or path.startswith(f"{prefix}/"):
                scope = {**scope, "path": path[len(prefix) :] or "/"}
        await app(scope, receive, send)

    return staged


def _ensure_loop() -> None:
    """Gives this thread the event loop that Mangum runs the app on."""
    loop = getattr(_thread, "loop", None)
    if loop is None or loop.is_closed():
        loop = _thread.loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
