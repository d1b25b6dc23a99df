"""The routes: what each one reads and returns, and the page of ``GET /``."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge_runtime.common.errors import SnapshipError
from edge_runtime.common.versions import own_version
from edge_runtime.image.preprocess import FORMATS
from serverless.app.core.api_schema import Health, Info, Labels, Limits
from serverless.app.core.http_problems import on_http_exception, on_snapship_error
from serverless.app.core.request_reading import read_classify_request
from serverless.app.core.service import Service, answer_to
from serverless.app.core.settings import AppConfig
from serverless.app.core.telemetry import record_of
from serverless.app.http.middleware import CorsMiddleware, KeyMiddleware, RequestMiddleware, limit_body

PAGE = Path(__file__).with_name("page.html")
"""One file, which sends requests only to this endpoint."""


def build(service: Service, config: AppConfig) -> Starlette:
    """Puts the routes before a service.

    Args:
        service: The model.
        config: The app's configuration.
    """
    keys = config.key_source()
    limits = Limits(config.max_bytes, config.max_images, config.max_pixels)

    async def classify(request: Request) -> Response:
        start, record = time.perf_counter(), record_of(request.scope)
        body = limit_body(request, config.max_bytes, record)
        parsed = await read_classify_request(body, config.max_images)
        record.add_request(len(parsed.images), start)
        found = await service.classify(parsed.images, parsed.top_k or config.top_k, parsed.options)
        return _json(answer_to(parsed, found, service.served, record, start))

    async def health(request: Request) -> Response:
        if keys is not None:
            # Open to everyone; the details are in /info, behind the key.
            return _json(Health("ok"))
        behind = service.current
        served = behind.served
        return _json(Health("ok", served.name, served.artifact, behind.model.engine, own_version()))

    async def ready(request: Request) -> Response:
        return _json(await service.readiness.wait())

    async def labels(request: Request) -> Response:
        return _json(Labels(tuple(service.model.labels)))

    async def info(request: Request) -> Response:
        behind = service.current
        return _json(
            Info(
                bundle=behind.served.name,
                artifact=behind.served.artifact,
                engine=behind.model.engine,
                classes=len(behind.model.labels),
                top_k=config.top_k,
                formats=FORMATS,
                limits=limits,
                model=behind.info,
                version=own_version(),
            )
        )

    @cache
    def described() -> bytes:
        # Imported here, since few requests need it.
        from serverless.app.http.openapi import document

        return msgspec.json.encode(document(limits, own_version(), config.top_k, keyed=keys is not None))

    async def openapi(request: Request) -> Response:
        return Response(described(), media_type="application/json")

    async def page(request: Request) -> Response:
        html, headers = _page()
        return Response(html, headers=headers, media_type="text/html")

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        service.readiness.start()
        yield
        service.close()

    middleware = [Middleware(RequestMiddleware, log=config.log, metrics_namespace=config.metrics_namespace)]
    if config.cors_origins:
        middleware.append(Middleware(CorsMiddleware, origins=config.cors_origins))
    if keys is not None:
        middleware.append(Middleware(KeyMiddleware, source=keys))
    app = Starlette(
        routes=[
            Route("/", page, methods=["GET"]),
            Route("/classify", classify, methods=["POST"]),
            Route("/health", health, methods=["GET"]),
            Route("/ready", ready, methods=["GET"]),
            Route("/labels", labels, methods=["GET"]),
            Route("/info", info, methods=["GET"]),
            Route("/openapi.json", openapi, methods=["GET"]),
        ],
        middleware=middleware,
        exception_handlers={SnapshipError: on_snapship_error, HTTPException: on_http_exception},
        lifespan=lifespan,
    )
    # A redirect from /classify/ would name the server's own idea of its address.
    app.router.redirect_slashes = False
    app.state.service, app.state.config = service, config
    return app


def _json(content: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")


@cache
def _page() -> tuple[bytes, dict[str, str]]:
    """The file and its headers; read at the first request, since most functions never serve it."""
    html = PAGE.read_bytes()
    return html, {
        "Content-Security-Policy": policy(html),
        "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache",
    }


def policy(html: bytes) -> str:
    """The Content-Security-Policy of a page with one script and one style inside.

    Both are allowed by hash, so that nothing injected into the page can run, and Trusted Types
    keep the script itself from turning text into HTML.

    Args:
        html: The page.
    """
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hash_of(b'script', html)}",
            f"style-src {_hash_of(b'style', html)}",
            # Thumbnails are object URLs; the icon is a data URL.
            "img-src blob: data:",
            "media-src blob:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ]
    )


def _hash_of(tag: bytes, html: bytes) -> str:
    (content,) = re.findall(rb"<%b>(.*?)</%b>" % (tag, tag), html, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}'"
