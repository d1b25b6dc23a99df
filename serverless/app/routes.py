"""The routes: what each one reads and answers."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge_runtime.errors import SnapshipError
from edge_runtime.options import ResultOptions
from edge_runtime.preprocess import FORMATS
from edge_runtime.versions import own_version
from serverless.app.boundary import Boundary, Log
from serverless.app.intake import read_order
from serverless.app.limits import limited
from serverless.app.problems import on_http_exception, on_snapship_error, problem_of
from serverless.app.schema import (
    Answers,
    Failed,
    Health,
    Info,
    Labels,
    Limits,
    Timing,
    answer,
    classified,
)
from serverless.app.service import Examined, Service
from serverless.app.telemetry import NAMESPACE, record_of

if TYPE_CHECKING:
    from serverless.app.key_source import KeySource


def build(
    service: Service,
    top_k: int,
    max_bytes: int,
    max_images: int,
    *,
    max_pixels: int | None = None,
    keys: KeySource | None = None,
    cors_origins: tuple[str, ...] = (),
    log: Log = "off",
    metrics_namespace: str = NAMESPACE,
) -> Starlette:
    """Puts the routes before a service; ``create_app`` is the usual way.

    Args:
        service: Any model behind a service.
        top_k: Classes returned when a request does not say how many.
        max_bytes: Limit of a request's body.
        max_images: Limit of images in one request.
        max_pixels: Limit of an image, as the model holds it; None where that is not known.
        keys: Who may ask; None lets everyone.
        cors_origins: Origins whose pages may call.
        log: Whether each request has a line on stdout.
        metrics_namespace: Of the metrics in that line.
    """

    async def classify(request: Request) -> Response:
        start = time.perf_counter()
        record = record_of(request.scope)
        body = limited(request, max_bytes, record)
        order = await read_order(body, max_images)
        read = time.perf_counter()
        record.read_ms = (read - start) * 1000
        record.images = len(order.images)
        wanted = order.top_k or top_k
        options = None
        if order.score_threshold is not None:
            options = ResultOptions(score_threshold=order.score_threshold)
        if not order.several:
            (image,) = order.images
            assert isinstance(image, bytes)
            one = await service.classify(image, wanted, options)
            record.took([one])
            return _json(answer(one.result, one.served, _timing(start, read)))
        results = await service.classify_each(order.images, wanted, options)
        examined = [found for found in results if isinstance(found, Examined)]
        record.took(examined)
        each = tuple(
            Failed(problem_of(found)) if isinstance(found, SnapshipError) else classified(found.result)
            for found in results
        )
        served = examined[0].served if examined else service.served
        return _json(Answers(each, served, _timing(start, read)))

    async def health(request: Request) -> Response:
        if keys is not None:
            # Anyone may ask here; who has a key finds the rest in /info.
            return _json(Health("ok"))
        behind = service.behind
        served = behind.served
        return _json(Health("ok", served.name, served.artifact, behind.model.engine, own_version()))

    async def ready(request: Request) -> Response:
        return _json(await service.readiness.wait())

    async def labels(request: Request) -> Response:
        return _json(Labels(tuple(service.model.labels)))

    async def info(request: Request) -> Response:
        behind = service.behind
        return _json(
            Info(
                bundle=behind.served.name,
                artifact=behind.served.artifact,
                engine=behind.model.engine,
                classes=len(behind.model.labels),
                top_k=top_k,
                formats=FORMATS,
                limits=Limits(max_bytes, max_images, max_pixels),
                model=behind.info,
                version=own_version(),
            )
        )

    @cache
    def described() -> bytes:
        # Here, since few who start a function ask for it.
        from serverless.app.openapi import document

        limits = Limits(max_bytes, max_images, max_pixels)
        return msgspec.json.encode(document(limits, own_version(), top_k, keyed=keys is not None))

    async def openapi(request: Request) -> Response:
        return Response(described(), media_type="application/json")

    async def page(request: Request) -> Response:
        from serverless.app.page import page_response

        return page_response()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        service.readiness.start()
        yield
        service.close()

    middleware = [Middleware(Boundary, log=log, metrics_namespace=metrics_namespace)]
    if cors_origins:
        # This and the next here, since they are off by default.
        from serverless.app.cors import Cors

        middleware.append(Middleware(Cors, origins=cors_origins))
    if keys is not None:
        from serverless.app.access import Access

        middleware.append(Middleware(Access, source=keys))
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
    app.state.service = service
    return app


def _json(content: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")


def _timing(start: float, read: float) -> Timing:
    now = time.perf_counter()
    return Timing(round((read - start) * 1000, 3), round((now - read) * 1000, 3))
