"""A model behind the routes: classifies in worker threads, not on the event loop of a server."""

from __future__ import annotations

import asyncio
import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from PIL import Image

from edge_runtime.classifier import Classifier
from edge_runtime.errors import SnapshipError
from edge_runtime.options import ResultOptions
from edge_runtime.preprocess import FORMATS, ImageSource, UInt8Array
from edge_runtime.result import Result
from serverless.app.problems import problem_of
from serverless.app.readiness import Readiness
from serverless.app.schema import Answer, Answers, Failed, ModelInfo, Served, Timing, classified

if TYPE_CHECKING:
    from serverless.app.intake import ClassifyRequest
    from serverless.app.telemetry import RequestRecord

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

    def pixels(self, image: ImageSource) -> UInt8Array:
        """Decodes and resizes an image; safe to call from several threads."""

    def classify(self, image: ImageSource, top_k: int = 5, options: ResultOptions | None = None) -> Result:
        """Names what an image shows; safe to call from several threads."""

    def close(self) -> None:
        """Lets go of the model."""


@dataclass(frozen=True)
class TimedResult:
    """One image's result, and what the log says of it.

    Attributes:
        result: The best classes.
        served: The bundle and artifact that found them.
        width: Pixels as stored, before any orientation; None where that is not known.
        height: As width.
        decode_ms: Decoding and resizing.
        classify_ms: Inference and ranking.
    """

    result: Result
    served: Served
    width: int | None
    height: int | None
    decode_ms: float
    classify_ms: float


@dataclass(frozen=True)
class ServedModel:
    """A model, and what is said of it.

    Attributes:
        model: The classifier.
        served: The bundle's name and the artifact's kind.
        info: What the bundle says of the artifact; None for a model without a bundle.
        readiness: Whether the model gives the answers of its export here.
    """

    model: Model
    served: Served
    info: ModelInfo | None
    readiness: Readiness


class Service:
    """Classifies images for requests."""

    def __init__(
        self,
        model: Model,
        served: Served,
        *,
        workers: int,
        owns_model: bool = False,
        inline: bool = False,
        info: ModelInfo | None = None,
        selftest: Callable[[], int] | None = None,
    ) -> None:
        """Starts no thread yet.

        Args:
            model: The classifier.
            served: What to call it.
            workers: Images in work at once.
            owns_model: Whether :meth:`close` also closes the model.
            inline: Whether a request's only image is classified on the event loop, for a function
                that takes one request at a time; handing it to a thread and back costs up to some ms.
            info: What the bundle says of the artifact.
            selftest: Replays golden examples, see :class:`~serverless.app.readiness.Readiness`.
        """
        self._current = ServedModel(model, served, info, Readiness(selftest))
        self._owns_model = owns_model
        self._inline = inline
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="snapship-serve")

    @contextmanager
    def lent(self) -> Iterator[ServedModel]:
        """Lends the model for a request, and with it what is said of it; it stays open meanwhile."""
        yield self._current

    @property
    def current(self) -> ServedModel:
        """The model of now, for what is said of it; :meth:`lent` gives one to classify with."""
        with self.lent() as behind:
            return behind

    @property
    def model(self) -> Model:
        """The classifier."""
        return self.current.model

    @property
    def served(self) -> Served:
        """The bundle's name and the artifact's kind."""
        return self.current.served

    @property
    def info(self) -> ModelInfo | None:
        """What the bundle says of the artifact; None for a model without a bundle."""
        return self.current.info

    @property
    def readiness(self) -> Readiness:
        """Whether the model gives the answers of its export here."""
        return self.current.readiness

    def classify_one(
        self,
        image: bytes,
        top_k: int,
        options: ResultOptions | None = None,
        behind: ServedModel | None = None,
    ) -> TimedResult:
        """Classifies one image on the calling thread.

        Args:
            image: Encoded bytes.
            top_k: How many classes to return.
            options: Such as a threshold.
            behind: What :meth:`lent` gave; None takes the model of now.

        Raises:
            ImageError: It cannot be used.
        """
        if behind is None:
            with self.lent() as now:
                return self.classify_one(image, top_k, options, now)
        start = time.perf_counter()
        array = behind.model.pixels(image)
        decoded = time.perf_counter()
        result = behind.model.classify(array, top_k, options)
        end = time.perf_counter()
        width, height = _size(image)
        return TimedResult(
            result, behind.served, width, height, (decoded - start) * 1000, (end - decoded) * 1000
        )

    def try_one(
        self,
        image: bytes | SnapshipError,
        top_k: int,
        options: ResultOptions | None = None,
        behind: ServedModel | None = None,
    ) -> TimedResult | SnapshipError:
        """As :meth:`classify_one`, but returns the error of an image that cannot be used.

        Args:
            image: Encoded bytes; an error is returned as it is.
            top_k: How many classes to return.
            options: Such as a threshold.
            behind: As in :meth:`classify_one`.

        Raises:
            SnapshipError: The server failed (HTTP 5xx).
        """
        if isinstance(image, SnapshipError):
            return image
        try:
            return self.classify_one(image, top_k, options, behind)
        except SnapshipError as error:
            if error.http_status >= 500:
                raise
            return error

    async def classify(
        self, images: Sequence[bytes | SnapshipError], top_k: int, options: ResultOptions | None = None
    ) -> list[TimedResult | SnapshipError]:
        """Classifies images side by side in worker threads; an inline service's only image without.

        Args:
            images: Encoded bytes; an error is returned as it is.
            top_k: How many classes to return for each.
            options: Such as a threshold.

        Returns:
            In the order of the images; the error of each that cannot be used.
        """
        # All by one model: they share an answer, which names it.
        with self.lent() as behind:
            if self._inline and len(images) == 1:
                return [self.try_one(images[0], top_k, options, behind)]
            loop = asyncio.get_running_loop()
            attempts = (
                loop.run_in_executor(self._threads, self.try_one, image, top_k, options, behind)
                for image in images
            )
            return list(await asyncio.gather(*attempts))

    def close(self) -> None:
        """Ends the threads, and the model if it is the service's own."""
        self.readiness.close()
        self._threads.shutdown()
        if self._owns_model:
            self.model.close()


def answer_to(
    request: ClassifyRequest,
    found: Sequence[TimedResult | SnapshipError],
    served: Served,
    record: RequestRecord,
    start: float,
) -> Answer | Answers:
    """Makes the answer to a request, and notes it in its line of the log.

    Args:
        request: What was asked.
        found: For each of its images the result or the error.
        served: The model, where no image says which one classified it.
        record: The request's, with its ``read_ms``.
        start: When the request came, by ``time.perf_counter``.

    Raises:
        SnapshipError: The only image cannot be used.
    """
    total_ms = (time.perf_counter() - start) * 1000
    timing = Timing(round(record.read_ms or 0.0, 3), round(total_ms - (record.read_ms or 0.0), 3))
    if not request.several and isinstance(found[0], SnapshipError):
        raise found[0]
    examined = [one for one in found if isinstance(one, TimedResult)]
    record.add_results(examined)
    served = examined[0].served if examined else served
    if not request.several:
        one = classified(examined[0].result)
        return Answer(one.label, one.score, one.margin, one.predictions, served, timing)
    each = tuple(
        Failed(problem_of(one)) if isinstance(one, SnapshipError) else classified(one.result) for one in found
    )
    return Answers(each, served, timing)


def workers_of(workers: int | None) -> int:
    """Images in work at once.

    Args:
        workers: As asked for; None takes the machine's processors, at most :data:`MAX_WORKERS`.
    """
    return min(os.cpu_count() or 1, MAX_WORKERS) if workers is None else workers


def describe(classifier: Classifier, workers: int) -> tuple[Served, ModelInfo]:
    """Prepares a classifier for its workers; returns what it is called and what its bundle says of it.

    Args:
        classifier: Any open one.
        workers: Images in work at once.

    Raises:
        UsageError: workers is not positive.
    """
    # Reads no image; allows the classifier that many interpreters, made when they are needed.
    classifier.classify_many((), workers=workers)
    entry = classifier.artifact
    info = ModelInfo(
        entry.precision, entry.sha256, entry.bytes, classifier.input, entry.verdict, entry.metrics
    )
    return Served(classifier.bundle.manifest.name, entry.kind), info


def _size(image: bytes) -> tuple[int | None, int | None]:
    """Width and height from the header of an image that was decoded before; for the log alone."""
    try:
        with Image.open(io.BytesIO(image), formats=FORMATS) as picture:
            return picture.size
    except Exception:
        # Whatever Pillow's parsers say of strange bytes: the image has its answer.
        return None, None
