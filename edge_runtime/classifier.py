"""The classifier: an artifact of a bundle, its preprocessing, and an engine."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.manifest import Artifact
from edge_runtime.common.cores import cores
from edge_runtime.common.errors import ImageError, UsageError
from edge_runtime.engine_pool import EnginePool
from edge_runtime.engines import Engine
from edge_runtime.engines.cascade import CascadeEngine
from edge_runtime.engines.opening import engine_maker
from edge_runtime.engines.result import Float32Array, Result, rank
from edge_runtime.engines.selection import choose
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import MAX_BYTES, MAX_PIXELS, ImageSource, UInt8Array, pixels
from edge_runtime.rules.applying import ArtifactRules

if TYPE_CHECKING:
    from concurrent.futures import Future

    from edge_runtime.options import BoundOptions, ResultOptions


MAX_WORKERS = 256
"""Each worker is a thread with a model in memory; more make no sense on any machine."""


class Classifier:
    """An artifact of a bundle, ready to classify. Safe to use from several threads.

    Attributes:
        bundle: The open bundle.
        artifact: The manifest's entry of the artifact in use.
        labels: Class names in the order of the scores.
        input: Size and channels of the pixels.
        engine: Name of the interpreter in use.
    """

    def __init__(
        self,
        bundle: Bundle,
        artifact: Artifact,
        *,
        engine: str = "auto",
        threads: int = 1,
        max_bytes: int = MAX_BYTES,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        """Loads an artifact; :meth:`open` is the usual way.

        Args:
            bundle: An open bundle.
            artifact: One of its entries.
            engine: ``auto`` or an engine's name.
            threads: Threads per inference.
            max_bytes: Limit of an encoded image.
            max_pixels: Limit of an image's width times height.
        """
        load = engine_maker(bundle, artifact, engine=engine, threads=threads)
        self._made: list[Engine] = []

        def make() -> Engine:
            made = load()
            self._made.append(made)
            return made

        self._pool = EnginePool(make)
        self.engine = self._pool.first.name
        self.bundle = bundle
        self.artifact = artifact
        self.labels: tuple[str, ...] = bundle.manifest.labels
        self.input: InputSpec = bundle.manifest.input
        self._max_bytes, self._max_pixels = max_bytes, max_pixels
        self._last: tuple[ResultOptions, BoundOptions] | None = None
        self._rules = ArtifactRules.of(bundle, artifact, self._pool.first)

    @classmethod
    def open(
        cls,
        bundle: str | os.PathLike[str] | Bundle,
        artifact: str | None = None,
        engine: str = "auto",
        threads: int = 1,
        *,
        allow_failed: bool = False,
        max_bytes: int = MAX_BYTES,
        max_pixels: int = MAX_PIXELS,
    ) -> Classifier:
        """Opens a bundle, verifies it, and loads one artifact.

        Args:
            bundle: A folder, a zip, or an open bundle.
            artifact: Its kind, such as ``tflite-int8`` or ``tflite-cascade``; None takes the fastest
                that passed its check and that an installed engine runs.
            engine: ``auto``, or a name in :data:`edge_runtime.engines.ENGINES`.
            threads: Threads per inference; more than one is slower on a busy machine.
            allow_failed: Also use an artifact whose verdict is ``fail``.
            max_bytes: Limit of an encoded image.
            max_pixels: Limit of an image's width times height.

        Raises:
            BundleError: The bundle or the model file is damaged or not as exported.
            GateFailedError: The artifact failed its check.
            UnknownNameError: The artifact or engine does not exist.
            EnvironmentMissingError: No installed engine runs it.
        """
        opened = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
        chosen = choose(opened, artifact, engine=engine, allow_failed=allow_failed)
        return cls(opened, chosen, engine=engine, threads=threads, max_bytes=max_bytes, max_pixels=max_pixels)

    def classify(self, image: ImageSource, top_k: int = 5, options: ResultOptions | None = None) -> Result:
        """Classifies an image.

        Args:
            image: A path, encoded bytes, a binary file, a PIL image, or a uint8 array
                ``[height, width, channels]``.
            top_k: Number of classes to return, best first.
            options: Threshold, lists of classes, temperature; None for the scores as they are.
                Reuse the object: its labels are resolved once.

        Returns:
            The best classes. Where the artifact has rules, also what they say, in ``known``, ``answered``
            and ``candidates``. They judge the scores as the model gives them, before any options.

        Raises:
            ImageError: The image cannot be used.
            UsageError: top_k is not positive, options name a class the model lacks, or the
                classifier is closed.
        """
        wanted, rules = _positive("top_k", top_k), self._rules
        bound = None if options is None else self._bound(options)
        scores, extra = self._run(self.pixels(image), "" if rules is None else rules.output)
        ranked = rank(scores, self.labels, wanted) if bound is None else bound.rank(scores, wanted)
        return ranked if rules is None else rules.applied(ranked, scores, extra)

    def scores(self, image: ImageSource) -> Float32Array:
        """Returns the scores of all classes as the model gives them, without options.

        Args:
            image: As :meth:`classify`.

        Returns:
            float32 ``[classes]``, summing to 1, in the order of :attr:`labels`.

        Raises:
            ImageError: The image cannot be used.
        """
        return self._run(self.pixels(image), "")[0]

    def pixels(self, image: ImageSource) -> UInt8Array:
        """Returns the model's input for an image: uint8 ``[height, width, channels]``.

        Raises:
            ImageError: The image cannot be used.
        """
        return pixels(image, self.input, max_bytes=self._max_bytes, max_pixels=self._max_pixels)

    def classify_many(
        self,
        images: Iterable[ImageSource],
        top_k: int = 5,
        workers: int = 1,
        options: ResultOptions | None = None,
    ) -> Generator[Result | ImageError, None, None]:
        """Classifies a stream of images, in order, in constant memory; ``close()`` ends it early.

        Args:
            images: Consumed as results are taken, a few images ahead.
            top_k: Number of classes to return per image.
            workers: Threads, each with its own interpreter; at most :data:`MAX_WORKERS`. No more run than
                there are cores: they would only take turns.
            options: As :meth:`classify`.

        Yields:
            A result, or the error of an image that cannot be used; the stream continues.

        Raises:
            UsageError: top_k or workers is not positive, workers is too large, options name a
                class the model lacks, or the classifier is closed.
        """
        _positive("top_k", top_k)
        if options is not None:
            self._bound(options)
        if _positive("workers", workers) > MAX_WORKERS:
            raise UsageError(
                f"workers must be at most {MAX_WORKERS}. Received: {workers}. Pass one per core."
            )
        workers = min(workers, cores())
        self._pool.raise_limit(workers)
        return self._stream(images, top_k, workers, options)

    @property
    def passed_on(self) -> tuple[int, int] | None:
        """Of a cascade, how many images were passed on to its second model, and of how many; None for one file."""
        found = [engine for engine in self._made if isinstance(engine, CascadeEngine)]
        if not found:
            return None
        return sum(engine.passed_on for engine in found), sum(engine.seen for engine in found)

    def close(self) -> None:
        """Releases the model; running calls finish first."""
        self._pool.close()

    def __enter__(self) -> Classifier:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _run(self, pixels: UInt8Array, output: str) -> tuple[Float32Array, Float32Array | None]:
        """The scores of an image, and of the same inference the extra output of that name, if there is one."""
        engine = self._pool.take()
        try:
            return engine.run_with(pixels, output) if output else (engine.run(pixels), None)
        finally:
            self._pool.give(engine)

    def _bound(self, options: ResultOptions) -> BoundOptions:
        last = self._last
        if last is None or last[0] is not options:
            # One assignment, so that threads see either the old pair or the new one.
            last = self._last = (options, options.bound_to(self.labels, self.artifact.temperature))
        return last[1]

    def _stream(
        self, images: Iterable[ImageSource], top_k: int, workers: int, options: ResultOptions | None
    ) -> Generator[Result | ImageError, None, None]:
        if workers == 1:
            for image in images:
                yield self._attempt(image, top_k, options)
            return
        # Here, since it imports logging and queues, which would delay the first prediction.
        from concurrent.futures import ThreadPoolExecutor

        ahead: deque[Future[Result | ImageError]] = deque()
        threads = ThreadPoolExecutor(workers, thread_name_prefix="snapship")
        try:
            for image in images:
                ahead.append(threads.submit(self._attempt, image, top_k, options))
                if len(ahead) > 2 * workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            # Must not wait: an abandoned stream may be collected in one of these threads.
            threads.shutdown(wait=False, cancel_futures=True)

    def _attempt(self, image: ImageSource, top_k: int, options: ResultOptions | None) -> Result | ImageError:
        try:
            return self.classify(image, top_k, options)
        except ImageError as error:
            return error


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise UsageError(f"{name} must be at least 1. Received: {value}. Pass {name}=1 or more.")
    return value
