"""Opens a bundle and puts the routes before it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from edge_runtime.classifier import Classifier
from edge_runtime.errors import EnvironmentMissingError, UnknownNameError, UsageError
from edge_runtime.preprocess import MAX_BYTES, MAX_PIXELS
from serverless.app.origins import checked_origins
from serverless.app.settings import MAX_IMAGES, Settings

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from serverless.app.boundary import Log
    from serverless.app.key_source import KeySource
    from serverless.app.service import Service


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

    The app's ``state.service`` is the model behind it, for what is not HTTP.

    Args:
        bundle: A folder or zip; an open classifier, which stays open when the app ends; or a
            service, such as :class:`serverless.serving.following.FollowingService`.
        artifact: Its kind, such as ``tflite-int8``; None takes the best that runs here.
        engine: ``auto``, ``litert`` or ``onnxruntime``.
        threads: Threads of one inference.
        top_k: Classes returned when a request does not say how many.
        max_bytes: Limit of a request's body, and so of an image in it.
        max_image_bytes: Limit of an image that comes another way, such as an object in S3; None
            takes max_bytes.
        max_images: Limit of images in one request.
        max_pixels: Limit of an image's width times height; None takes 50 million.
        workers: Images in work at once; None takes the processors, at most 4.
        inline: For a function that takes one request at a time: classifies a request's only
            image without a thread. In a server everyone else would wait.
        allow_failed: Also serve an artifact whose verdict is ``fail``.
        keys: Entries of ``snapship keys new``, or a source of them; None lets everyone in.
        cors_origins: Origins whose pages may call, such as ``https://example.org``.
        log: ``json`` writes one line for each request to stdout.
        metrics_namespace: Of the CloudWatch metrics in that line; empty for none.

    Raises:
        BundleError: The bundle or the model file is damaged or not as exported.
        GateFailedError: The artifact failed its check.
        UnknownNameError: There is no such artifact or engine.
        UsageError: A number is not positive, the keys are no entries, an origin is not exact, or
            an open classifier or a service came with an option that only opening one can follow.
        EnvironmentMissingError: Starlette or an engine is not installed.
    """
    for package, module in (("starlette", "starlette"), ("python-multipart", "python_multipart")):
        if find_spec(module) is None:
            raise EnvironmentMissingError.of_extra("Serving a bundle", package, "serverless")
    from serverless.app.routes import build
    from serverless.app.service import Service, service_of

    limits = {"top_k": top_k, "max_bytes": max_bytes, "max_image_bytes": max_image_bytes}
    limits |= {"max_images": max_images, "max_pixels": max_pixels, "workers": workers}
    for name, value in limits.items():
        if value is not None and value < 1:
            raise UsageError(f"{name} must be at least 1. Received: {value}. Pass {name}=1 or more.")
    if log not in ("json", "off"):
        raise UnknownNameError.of("log", str(log), ("json", "off"))
    origins = checked_origins(cors_origins)
    if isinstance(keys, str):
        from serverless.app.key_source import from_text

        keys = from_text(keys)
    if isinstance(bundle, Classifier | Service):
        given = (artifact, engine, threads, allow_failed, max_image_bytes)
        if given != (None, "auto", 1, False, None) or (max_pixels and isinstance(bundle, Classifier)):
            raise UsageError(
                "An open classifier has its artifact, engine, threads and limits of an image. Received: one of "
                "these options. Pass them to Classifier.open, or pass the bundle's path."
            )
    if isinstance(bundle, Service):
        service = bundle
    elif isinstance(bundle, Classifier):
        service = service_of(bundle, workers=workers, owns_model=False, inline=inline)
    else:
        max_pixels = MAX_PIXELS if max_pixels is None else max_pixels
        classifier = Classifier.open(
            bundle,
            artifact,
            engine,
            threads,
            allow_failed=allow_failed,
            max_bytes=max(max_bytes, max_image_bytes or 0),
            max_pixels=max_pixels,
        )
        service = service_of(classifier, workers=workers, owns_model=True, threads=threads, inline=inline)
    return build(
        service,
        top_k,
        max_bytes,
        max_images,
        max_pixels=max_pixels,
        keys=keys,
        cors_origins=origins,
        log=log,
        metrics_namespace=metrics_namespace,
    )


def app_of(settings: Settings, *, log: Log = "json", inline: bool = True) -> Starlette:
    """Makes the app as the environment says.

    Args:
        settings: Checked variables.
        log: ``json`` writes one line for each request to stdout.
        inline: For a function that takes one request at a time, see :func:`create_app`.

    Raises:
        SnapshipError: As :func:`create_app`, or the SSM parameter with the keys cannot be read.
    """
    return create_app(
        settings.bundle,
        artifact=settings.artifact,
        engine=settings.engine,
        threads=settings.threads,
        top_k=settings.top_k,
        max_bytes=settings.max_bytes,
        max_image_bytes=settings.max_object_bytes,
        max_images=settings.max_images,
        max_pixels=settings.max_pixels,
        inline=inline,
        keys=keys_of(settings),
        cors_origins=settings.cors_origins,
        log=log,
        metrics_namespace=settings.metrics_namespace,
    )


def keys_of(settings: Settings) -> KeySource | None:
    """Reads the keys that the environment names.

    Args:
        settings: Checked variables.

    Returns:
        None where everyone may ask.

    Raises:
        SnapshipError: They cannot be read, or there are none.
    """
    if settings.auth == "none":
        return None
    from serverless.app.key_source import from_parameter, from_text

    if settings.api_keys_parameter:
        return from_parameter(settings.api_keys_parameter)
    return from_text(settings.api_keys)
