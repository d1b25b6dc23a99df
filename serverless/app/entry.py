"""The Lambda entry: events of API Gateway v1 and v2, function URLs and ALBs become requests.

All others go to :mod:`serverless.app.events`, which is imported when the first of them comes.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import EnvironmentMissingError
from serverless.app.application import app_of
from serverless.app.settings import Settings

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Receive, Scope, Send

TEXT_TYPES = ["application/json", "application/problem+json", "text/html"]
"""Content types of answers that are sent as text; API Gateway v1 hands base64 on as it is."""

_thread = threading.local()


class Handler:
    """What Lambda calls, once for each event."""

    def __init__(self, app: Starlette, settings: Settings | None = None) -> None:
        """Wraps an app.

        Args:
            app: What :func:`~serverless.app.create_app` made; its ``state.service`` answers what
                is not HTTP.
            settings: For what is not HTTP; None allows no bucket.

        Raises:
            EnvironmentMissingError: Mangum is not installed.
        """
        if find_spec("mangum") is None:
            raise EnvironmentMissingError.of_extra("The Lambda entry", "mangum", "serverless")
        from mangum import Mangum

        _ensure_loop()
        self._mangum = Mangum(_without_stage(app), lifespan="off", text_mime_types=TEXT_TYPES)
        self._app = app
        self._settings = settings or Settings(bundle=Path())

    def __call__(self, event: Any, context: Any) -> Any:
        """Answers one event.

        Args:
            event: As AWS sends it.
            context: Lambda's context; its ``aws_request_id`` becomes the request id.

        Returns:
            What AWS expects of this kind of event, see :func:`serverless.app.events.handle`.

        Raises:
            UsageError: It is an event of a service that the function has nothing to do with.
            SnapshipError: AWS did not do what was asked of it, so that Lambda tries again.
        """
        if isinstance(event, dict) and "requestContext" in event:
            _ensure_loop()
            return self._mangum(event, context)
        from serverless.app.events import handle

        return handle(event, context, self._app.state.service, self._settings)


def load_handler(environ: Mapping[str, str] | None = None) -> Handler:
    """Loads the model as the environment says, see :mod:`serverless.app.settings`.

    Args:
        environ: Variables; None takes the process's own.

    Raises:
        SnapshipError: A variable, the bundle or an installed package is not as it must be.
    """
    settings = Settings.read(os.environ if environ is None else environ)
    return Handler(app_of(settings), settings)


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
