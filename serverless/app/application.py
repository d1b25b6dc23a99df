"""Makes the ASGI app of a bundle."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from msgspec.structs import replace

from edge_runtime.classifier import Classifier
from edge_runtime.common.errors import EnvironmentMissingError, UsageError
from edge_runtime.image.preprocess import MAX_BYTES, MAX_PIXELS
from serverless.app.core.settings import MAX_IMAGES, AppConfig, Log

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from serverless.app.core.keys import KeySource
    from serverless.app.core.service import Service

_OPENING = ("artifact", "engine", "threads", "allow_failed", "max_image_bytes")
"""Options that apply only to opening a bundle."""


def create_app(
    bundle: str | os.PathLike[str] | Classifier | Service,
    *,
    artifact: str | None = None,
    engine: str = "auto",
    threads: int = 1,
    top_k: int = 5,
    max_bytes: int = MAX_BYTES,
    max_image_bytes: int | None = None,
    max_images: int = MAX_IMAGES,
    max_pixels: int | None = None,
    workers: int | None = None,
    inline: bool = False,
    allow_failed: bool = False,
    keys: str | KeySource | None = None,
    cors_origins: Iterable[str] = (),
    log: Log = "off",
    metrics_namespace: str = "snapship",
) -> Starlette:
    """Makes the ASGI app that classifies with a bundle; the model is loaded before it returns.

    The app's ``state`` holds its ``service`` and its ``config``, for events other than HTTP.

    Args:
        bundle: A folder or zip; an open classifier, which stays open when the app ends; or a
            service, such as :class:`serverless.serving.bundle_reload.ReloadingService`.
        artifact: Its kind, e.g. ``tflite-int8``; None takes the best that runs here.
        engine: ``auto``, ``litert`` or ``onnxruntime``.
        threads: Threads of one inference.
        top_k: Classes returned when a request does not say how many.
        max_bytes: Size limit of a request's body, and so of an image in it.
        max_image_bytes: Size limit of an image from elsewhere, such as an object in S3; None takes
            max_bytes.
        max_images: Maximum number of images in one request.
        max_pixels: Limit of an image's width times height; None takes 50 million.
        workers: Images classified at once; None takes the number of processors, at most 4.
        inline: For a function that handles one request at a time: classifies a request's only
            image without a thread. In a server all other requests would wait.
        allow_failed: Also serve an artifact whose verdict is ``fail``.
        keys: Entries made by ``snapship keys new``, or a source of them; None requires no key.
        cors_origins: Origins whose pages may call, e.g. ``https://example.org``.
        log: ``json`` writes one line per request to stdout.
        metrics_namespace: Namespace of the CloudWatch metrics in that line; empty for none.

    Raises:
        BundleError: The bundle or the model file is damaged or was changed after the export.
        GateFailedError: The artifact failed its check.
        UnknownNameError: There is no such artifact or engine.
        UsageError: A number is not positive, a key entry is invalid, an origin is not exact, or an
            open classifier or a service came with an option that applies only to opening one.
        EnvironmentMissingError: Starlette or an engine is not installed.
    """
    return app_of(
        AppConfig(
            bundle,
            artifact=artifact,
            engine=engine,
            threads=threads,
            top_k=top_k,
            max_bytes=max_bytes,
            max_image_bytes=max_image_bytes,
            max_images=max_images,
            max_pixels=max_pixels,
            workers=workers,
            inline=inline,
            allow_failed=allow_failed,
            keys=keys,
            cors_origins=tuple(cors_origins),
            log=log,
            metrics_namespace=metrics_namespace,
        )
    )


def app_of(config: AppConfig) -> Starlette:
    """Makes the app that a configuration describes.

    The app's ``state`` holds its ``config`` and the ``service`` behind it.

    Args:
        config: Such as :meth:`AppConfig.read` gives.

    Raises:
        SnapshipError: As :func:`create_app`, or the SSM parameter with the keys cannot be read.
    """
    for package, module in (("starlette", "starlette"), ("python-multipart", "python_multipart")):
        if find_spec(module) is None:
            raise EnvironmentMissingError.of_extra("Serving a bundle", package, "serverless")
    from serverless.app.http.routes import build

    config = replace(config, keys=config.key_source(), keys_parameter="")
    if isinstance(config.bundle, str | os.PathLike) and config.max_pixels is None:
        config = replace(config, max_pixels=MAX_PIXELS)
    return build(_service(config), config)


def _service(config: AppConfig) -> Service:
    """The service of the bundle, which is opened unless it already is."""
    from serverless.app.core.service import Service, describe, workers_of

    bundle, owns_model = config.bundle, False
    if isinstance(bundle, Classifier | Service):
        extra = ("workers", "inline") if isinstance(bundle, Service) else ("max_pixels",)
        default = AppConfig(bundle)
        given = [name for name in (*_OPENING, *extra) if getattr(config, name) != getattr(default, name)]
        if given:
            raise UsageError(
                "An open classifier or a service cannot take options for opening one. Received: "
                f"{', '.join(given)}. Pass them where it is opened, or pass the bundle's path."
            )
    if isinstance(bundle, Service):
        return bundle
    if not isinstance(bundle, Classifier):
        owns_model = True
        bundle = Classifier.open(
            bundle,
            config.artifact,
            config.engine,
            config.threads,
            allow_failed=config.allow_failed,
            max_bytes=max(config.max_bytes, config.max_image_bytes or 0),
            max_pixels=config.max_pixels or MAX_PIXELS,
        )
    workers = workers_of(config.workers)
    behind = describe(bundle, workers, config.threads)
    return Service(behind, workers=workers, owns_model=owns_model, inline=config.inline)
