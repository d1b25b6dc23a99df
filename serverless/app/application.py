"""Opens a bundle and puts the routes before it."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

from edge_runtime.classifier import Classifier
from edge_runtime.errors import EnvironmentMissingError, UsageError
from edge_runtime.preprocess import MAX_BYTES

if TYPE_CHECKING:
    from starlette.applications import Starlette

MAX_IMAGES = 16
"""Default limit of images in one request."""


def create_app(
    bundle: str | os.PathLike[str] | Classifier,
    *,
    artifact: str | None = None,
    engine: str = "auto",
    threads: int = 1,
    top_k: int = 5,
    max_bytes: int = MAX_BYTES,
    max_images: int = MAX_IMAGES,
    workers: int | None = None,
    allow_failed: bool = False,
) -> Starlette:
    """Makes the ASGI app that classifies with a bundle; the model is loaded before it returns.

    Args:
        bundle: A folder or zip, or an open classifier, which stays open when the app ends.
        artifact: Its kind, such as ``tflite-int8``; None takes the best that runs here.
        engine: ``auto``, ``litert`` or ``onnxruntime``.
        threads: Threads of one inference.
        top_k: Classes returned when a request does not say how many.
        max_bytes: Limit of a request's body, and so of an image.
        max_images: Limit of images in one request.
        workers: Images in work at once; None takes the processors, at most 4.
        allow_failed: Also serve an artifact whose verdict is ``fail``.

    Raises:
        BundleError: The bundle or the model file is damaged or not as exported.
        GateFailedError: The artifact failed its check.
        UnknownNameError: There is no such artifact or engine.
        UsageError: A number is not positive, or an open classifier came with an option
            that only :meth:`Classifier.open` can follow.
        EnvironmentMissingError: Starlette or an engine is not installed.
    """
    for package, module in (("starlette", "starlette"), ("python-multipart", "python_multipart")):
        if find_spec(module) is None:
            raise EnvironmentMissingError.of_extra("Serving a bundle", package, "serverless")
    from serverless.app.routes import build
    from serverless.app.service import service_of

    for name, value in (("top_k", top_k), ("max_bytes", max_bytes), ("max_images", max_images)):
        if value < 1:
            raise UsageError(f"{name} must be at least 1. Received: {value}. Pass {name}=1 or more.")
    if workers is not None and workers < 1:
        raise UsageError(f"workers must be at least 1. Received: {workers}. Pass workers=1 or more.")
    if isinstance(bundle, Classifier):
        if (artifact, engine, threads, allow_failed) != (None, "auto", 1, False):
            raise UsageError(
                "An open classifier has its artifact, engine and threads. Received: one of these options. "
                "Pass them to Classifier.open, or pass the bundle's path."
            )
        return build(service_of(bundle, workers=workers, owns_model=False), top_k, max_bytes, max_images)
    classifier = Classifier.open(
        bundle, artifact, engine, threads, allow_failed=allow_failed, max_bytes=max_bytes
    )
    return build(service_of(classifier, workers=workers, owns_model=True), top_k, max_bytes, max_images)
