"""The model behind the routes: classifies in worker threads, off the event loop of a server."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import msgspec
from PIL import Image

from edge_runtime.bundle.cascade_entry import CascadeEntry
from edge_runtime.bundle.manifest import Artifact
from edge_runtime.classifier import Classifier
from edge_runtime.common.cores import cores
from edge_runtime.common.errors import SnapshipError
from edge_runtime.engines.result import Result
from edge_runtime.image.preprocess import FORMATS, ImageSource, UInt8Array
from edge_runtime.options import ResultOptions
from serverless.app.core.api_schema import (
    Answer,
    Answers,
    CascadeInfo,
    Failed,
    ModelInfo,
    Served,
    Timing,
    classified,
)
from serverless.app.core.http_problems import problem_of
from serverless.app.core.readiness import Readiness, make_selftest

if TYPE_CHECKING:
    from serverless.app.core.request_reading import ClassifyRequest
    from serverless.app.core.telemetry import RequestRecord

MAX_WORKERS = 4
"""Default limit of images classified at once; each may hold a decoded photo of 150 MB."""


class Model(Protocol):
    """What the service needs from a classifier."""

    @property
    def labels(self) -> Sequence[str]:
        """Class names in the order of the scores."""

    @property
    def engine(self) -> str:
        """Name of the interpreter."""

    def pixels(self, image: ImageSource) -> UInt8Array:
        """Decodes and resizes an image; safe to call from several threads."""

    def classify(self, image: ImageSource, top_k: int = 5, options: ResultOptions | None = None) -> Result:
        """Classifies an image; safe to call from several threads."""

    def close(self) -> None:
        """Releases the model."""


class TimedResult(msgspec.Struct, frozen=True):
    """One image's result, with what the log records about it.

    Attributes:
        result: The best classes.
        served: The bundle and artifact that found them.
        width: In pixels as stored, before EXIF orientation; None if unknown.
        height: As width.
        decode_ms: Milliseconds for decoding and resizing.
        classify_ms: Milliseconds for inference and ranking.
    """

    result: Result
    served: Served
    width: int | None
    height: int | None
    decode_ms: float
    classify_ms: float


class ServedModel(msgspec.Struct, frozen=True):
    """A model and its description.

    Attributes:
        model: The classifier.
        served: The bundle's name and the artifact's kind.
        info: The artifact as its bundle describes it; None for a model without a bundle.
        readiness: Whether the model reproduces its exported answers here.
    """

    model: Model
    served: Served
    info: ModelInfo | None = None
    readiness: Readiness = msgspec.field(default_factory=lambda: Readiness(None))


class Service:
    """Classifies images for requests."""

    def __init__(
        self,
        behind: ServedModel,
        *,
        workers: int,
        owns_model: bool = False,
        inline: bool = False,
    ) -> None:
        """Starts no thread yet.

        Args:
            behind: The model, and its description.
            workers: Images classified at once.
            owns_model: Whether :meth:`close` also closes the model.
            inline: Whether a request's only image is classified on the event loop, for a function that
                handles one request at a time; a round trip to a thread costs up to a few ms.
        """
        self._current = behind
        self._owns_model = owns_model
        self._inline = inline
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="snapship-serve")

    @contextmanager
    def lent(self) -> Iterator[ServedModel]:
        """Lends the model and its description for a request; it stays open meanwhile."""
        yield self._current

    @property
    def current(self) -> ServedModel:
        """The current model, for its description; use :meth:`lent` to classify with it."""
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
    def readiness(self) -> Readiness:
        """Whether the model reproduces its exported answers here."""
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
            options: Result options, e.g. a score threshold.
            behind: The model from :meth:`lent`; None takes the current one.

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
            options: Result options, e.g. a score threshold.
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
            options: Result options, e.g. a score threshold.

        Returns:
            In the order of the images; the error of each that cannot be used.
        """
        # All with one model: they share an answer, which names it.
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
        """Stops the threads, and closes the model if the service owns it."""
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
    """Makes the answer to a request and adds its results to the log record.

    Args:
        request: The request.
        found: The result or error of each of its images.
        served: The model to name if no image could be classified.
        record: The request's log record, with its ``read_ms``.
        start: When the request arrived, by ``time.perf_counter``.

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
        return Answer(**msgspec.structs.asdict(one), model=served, timing_ms=timing)
    each = tuple(
        Failed(problem_of(one)) if isinstance(one, SnapshipError) else classified(one.result) for one in found
    )
    return Answers(each, served, timing)


def workers_of(workers: int | None) -> int:
    """Number of images to classify at once.

    Args:
        workers: As configured; None takes the machine's processors, at most :data:`MAX_WORKERS`.
    """
    return min(cores(), MAX_WORKERS) if workers is None else workers


def describe(classifier: Classifier, workers: int, threads: int) -> ServedModel:
    """Prepares a classifier for its workers, and describes it.

    Args:
        classifier: An open classifier.
        workers: Images classified at once.
        threads: Threads of one inference, for the self-test.

    Raises:
        UsageError: workers is not positive.
    """
    # Classifies nothing: allows the classifier an interpreter for each, up to the cores; they are made on demand.
    classifier.classify_many((), workers=workers)
    entry = classifier.artifact
    info = ModelInfo(
        entry.precision, entry.sha256, entry.bytes, classifier.input, entry.verdict, entry.metrics,
        rules=msgspec.UNSET if entry.rules is None else entry.rules,
        cascade=_cascade_info(entry),
    )  # fmt: skip
    served = Served(classifier.bundle.manifest.name, entry.kind)
    return ServedModel(classifier, served, info, Readiness(make_selftest(classifier, threads)))


def _cascade_info(entry: Artifact) -> CascadeInfo | msgspec.UnsetType:
    if not isinstance(entry, CascadeEntry):
        return msgspec.UNSET
    first, second = entry.parts
    return CascadeInfo(
        (first.kind, second.kind), (first.file, second.file), (first.sha256, second.sha256),
        entry.margin, entry.passed_on,
    )  # fmt: skip


def _size(image: bytes) -> tuple[int | None, int | None]:
    """Width and height from the header of an image that was decoded before; for the log only."""
    try:
        with Image.open(io.BytesIO(image), formats=FORMATS) as picture:
            return picture.size
    except Exception:
        # Whatever Pillow's parsers raise: the image has been classified already.
        return None, None
