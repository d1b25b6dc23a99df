"""The routes: what each one reads and answers."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge_runtime.errors import SnapshipError
from serverless.app.boundary import Boundary
from serverless.app.intake import read_order
from serverless.app.limits import limited
from serverless.app.problems import on_http_exception, on_snapship_error, problem_of
from serverless.app.schema import Answers, Failed, Health, Labels, Timing, answer, classified
from serverless.app.service import Service


def build(service: Service, top_k: int, max_bytes: int, max_images: int) -> Starlette:
    """Puts the routes before a service; ``create_app`` is the usual way.

    Args:
        service: Any model behind a service.
        top_k: Classes returned when a request does not say how many.
        max_bytes: Limit of a request's body.
        max_images: Limit of images in one request.
    """

    async def classify(request: Request) -> Response:
        start = time.perf_counter()
        order = await read_order(limited(request, max_bytes), max_images)
        read = time.perf_counter()
        wanted = order.top_k or top_k
        if not order.several:
            (image,) = order.images
            assert isinstance(image, bytes)
            result = await service.classify(image, wanted)
            return _json(answer(result, service.served, _timing(start, read)))
        results = await service.classify_each(order.images, wanted)
        each = tuple(
            Failed(problem_of(one)) if isinstance(one, SnapshipError) else classified(one) for one in results
        )
        return _json(Answers(each, service.served, _timing(start, read)))

    async def health(request: Request) -> Response:
        served = service.served
        return _json(Health("ok", served.name, served.artifact, service.model.engine, _version()))

    async def labels(request: Request) -> Response:
        return _json(Labels(tuple(service.model.labels)))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        service.close()

    app = Starlette(
        routes=[
            Route("/classify", classify, methods=["POST"]),
            Route("/health", health, methods=["GET"]),
            Route("/labels", labels, methods=["GET"]),
        ],
        middleware=[Middleware(Boundary)],
        exception_handlers={SnapshipError: on_snapship_error, HTTPException: on_http_exception},
        lifespan=lifespan,
    )
    # A redirect from /classify/ would name the server's own idea of its address.
    app.router.redirect_slashes = False
    return app


def _json(content: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")


def _timing(start: float, read: float) -> Timing:
    now = time.perf_counter()
    return Timing(round((read - start) * 1000, 3), round((now - read) * 1000, 3))


@cache
def _version() -> str:
    """The version of snapship; a pruned package in the cloud may hold no metadata."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("snapship")
    except PackageNotFoundError:
        return "0+unknown"
