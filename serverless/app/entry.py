"""The Lambda entry point: turns events of API Gateway v1 and v2, function URLs and ALBs into requests.

All other events go to :mod:`serverless.app.events`, which is imported when the first one arrives.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import msgspec

from edge_runtime.common.errors import EnvironmentMissingError
from edge_runtime.common.text import shortened
from serverless.app.application import app_of
from serverless.app.core.http_problems import PROBLEM_TYPE, UnprocessableError, path_of, problem_of
from serverless.app.core.settings import AppConfig
from serverless.app.core.telemetry import REQUEST_ID_HEADER, RequestRecord, choose_id, log_event

if TYPE_CHECKING:
    from mangum.protocols import HTTPCycle
    from mangum.types import LambdaHandler
    from starlette.applications import Starlette

TEXT_TYPES = ["application/json", "application/problem+json", "text/html"]
"""Content types of responses sent as text; API Gateway v1 passes base64 through undecoded."""

_thread = threading.local()


class Handler:
    """Called by Lambda once per event."""

    def __init__(self, app: Starlette) -> None:
        """Wraps an app.

        Args:
            app: What :func:`~serverless.app.create_app` made; its ``state`` has the service and the
                configuration for events other than HTTP.

        Raises:
            EnvironmentMissingError: Mangum is not installed.
        """
        if find_spec("mangum") is None:
            raise EnvironmentMissingError.of_extra("The Lambda entry", "mangum", "serverless")
        from mangum import Mangum
        from mangum.protocols import HTTPCycle

        _ensure_loop()
        self._mangum = Mangum(app, lifespan="off", text_mime_types=TEXT_TYPES)
        self._cycle_of = HTTPCycle
        self._app = app

    def __call__(self, event: Any, context: Any) -> Any:
        """Answers one event.

        Args:
            event: As AWS sends it.
            context: Lambda's context; its ``aws_request_id`` becomes the request id.

        Returns:
            What AWS expects for this kind of event, see :func:`serverless.app.events.handle`.

        Raises:
            UsageError: The event is of a service that is not supported.
            SnapshipError: An AWS call failed; raised so that Lambda tries again.
        """
        # Events of a Lambda destination have one too, but expect no HTTP response.
        if isinstance(event, dict) and "requestContext" in event and "requestPayload" not in event:
            return self._over_http(event, context)
        from serverless.app.events import handle

        return handle(event, context, self._app.state.service, self._app.state.config)

    def _over_http(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """As Mangum's own call, split into reading the event and answering it."""
        _ensure_loop()
        try:
            adapter, cycle = self._read(event, context)
        except Exception as error:
            # Whatever Mangum stumbles over: it assumes that a gateway made the event.
            return self._refused(error, context)
        answer: dict[str, Any] = adapter(cycle(self._app))
        return answer

    def _read(self, event: dict[str, Any], context: Any) -> tuple[LambdaHandler, HTTPCycle]:
        adapter = self._mangum.infer(event, context)
        scope = adapter.scope
        if not isinstance(scope["method"], str):
            raise TypeError("method")
        scope["path"] = path_of(event, scope["path"], self._app.state.config.base_path)
        return adapter, self._cycle_of(scope, adapter.body)

    def _refused(self, error: Exception, context: Any) -> dict[str, Any]:
        """Answers an event that is not a valid request, in a form that gateways and direct callers can read."""
        refusal = UnprocessableError(
            "An event with a requestContext must come from API Gateway, a function URL or an ALB. "
            f"Received: a malformed one ({type(error).__name__}: {shortened(error)}). "
            'Send it unchanged, or invoke the function with {"image": BASE64}.'
        )
        id = choose_id({"aws.context": context})
        record = RequestRecord("http", id, status=refusal.http_status, error=type(refusal).__name__)
        log_event(record, namespace=self._app.state.config.metrics_namespace)
        return {
            "statusCode": refusal.http_status,
            "headers": {"content-type": PROBLEM_TYPE, REQUEST_ID_HEADER: id},
            "body": msgspec.json.encode(problem_of(refusal, id)).decode(),
            "isBase64Encoded": False,
        }


def load_handler(environ: Mapping[str, str] | None = None) -> Handler:
    """Loads the model as configured by the environment, see :mod:`serverless.app.core.settings`.

    Args:
        environ: Variables; None takes the process's own.

    Raises:
        SnapshipError: A variable, the bundle or an installed package is invalid.
    """
    return Handler(app_of(AppConfig.read(os.environ if environ is None else environ)))


def _ensure_loop() -> None:
    """Gives this thread the event loop that Mangum runs the app on."""
    loop = getattr(_thread, "loop", None)
    if loop is None or loop.is_closed():
        loop = _thread.loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
