"""A model behind the routes: classifies in worker threads, never on the event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from edge_runtime.classifier import Classifier
from edge_runtime.errors import SnapshipError
from edge_runtime.preprocess import ImageSource
from edge_runtime.result import Result
from serverless.app.schema import Served

MAX_WORKERS = 4
"""Default limit of images in work at once; each may hold a decoded photo of 150 MB."""


class Model(Protocol):
    """What the service needs of a classifier."""

    @property
    def labels(self) -> Sequence[str]:
        """Class names in the order of the scores."""

    @property
    def engine(self) -> str:
        """Name of the interpreter."""

    def classify(self, image: ImageSource, top_k: int = 5) -> Result:
        """Names what an image shows; safe to call from several threads."""

    def close(self) -> None:
        """Lets go of the model."""


class Service:
    """Classifies images for requests.

    Attributes:
        model: The classifier.
        served: The bundle's name and the artifact's kind.
    """

    def __init__(self, model: Model, served: Served, *, workers: int, owns_model: bool = False) -> None:
        """Starts no thread yet.

        Args:
            model: The classifier.
            served: What to call it.
            workers: Images in work at once.
            owns_model: Whether :meth:`close` also closes the model.
        """
        self.model = model
        self.served = served
        self._owns_model = owns_model
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="snapship-serve")

    async def classify(self, image: bytes, top_k: int) -> Result:
        """Classifies one image.

        Args:
            image: Encoded bytes.
            top_k: How many classes to return.

        Raises:
            ImageError: It cannot be used.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self.model.classify, image, top_k)

    async def classify_each(
        self, images: Iterable[bytes | SnapshipError], top_k: int
    ) -> list[Result | SnapshipError]:
        """Classifies several images side by side.

        Args:
            images: Encoded bytes; an error stays what it is.
            top_k: How many classes to return for each.

        Returns:
            In the order of the images, the error of each that cannot be used.
        """
        return list(await asyncio.gather(*(self._attempt(image, top_k) for image in images)))

    def close(self) -> None:
        """Ends the threads, and the model if it is the service's own."""
        self._threads.shutdown()
        if self._owns_model:
            self.model.close()

    async def _attempt(self, image: bytes | SnapshipError, top_k: int) -> Result | SnapshipError:
        if isinstance(image, SnapshipError):
            return image
        try:
            return await self.classify(image, top_k)
        except SnapshipError as error:
            if error.http_status >= 500:
                raise
            return error


def service_of(classifier: Classifier, *, workers: int | None, owns_model: bool) -> Service:
    """Puts a classifier behind a service.

    Args:
        classifier: Any open one.
        workers: Images in work at once; None takes the machine's processors, at most
            :data:`MAX_WORKERS`.
        owns_model: Whether the service closes it.

    Raises:
        UsageError: workers is not positive.
    """
    count = min(os.cpu_count() or 1, MAX_WORKERS) if workers is None else workers
    # Reads no image; allows the classifier that many interpreters, made when they are needed.
    classifier.classify_many((), workers=count)
    served = Served(classifier.bundle.manifest.name, classifier.artifact.kind)
    return Service(classifier, served, workers=count, owns_model=owns_model)
