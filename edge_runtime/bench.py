"""Measures a bundle on this machine: latency, throughput, memory and cold start.

Stages::

    cases    every artifact on every engine that runs it, with each number of threads
    rounds   each case runs a few times, then the next one: noise affects all alike
    cold     a fresh process for each case: start to first prediction, and memory
"""

from __future__ import annotations

import io
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.cascade_entry import CascadeEntry
from edge_runtime.bundle.manifest import Artifact
from edge_runtime.classifier import Classifier
from edge_runtime.common.cores import cores
from edge_runtime.common.errors import EnvironmentMissingError, UsageError
from edge_runtime.common.temporary import temporary_folder
from edge_runtime.engines import AUTOMATIC, usable
from edge_runtime.engines.cpu import cpu
from edge_runtime.engines.result import Result
from edge_runtime.engines.selection import nothing_runs
from edge_runtime.golden import read_golden
from edge_runtime.image.preprocess import ImageSource, decoded

PHOTO_SIZE = (320, 240)
"""Width and height of the JPEG that is generated when no image is given."""

COLD_STARTS = 3
_TURN = 10
"""Predictions of a case in a row: enough to warm its memory, few enough that all cases see the same noise."""

_WARM_UP = 3

HIGH_LOAD = 0.25
"""One-minute load per core above which the figures are mostly noise."""


@dataclass(frozen=True)
class Latency:
    """Latency of one prediction, from image to best classes.

    Attributes:
        runs: Predictions that were timed.
        p50_ms: Median.
        p90_ms: 90th percentile.
        p99_ms: 99th percentile.
        images_per_s: Predictions per second, one after the other.
    """

    runs: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    images_per_s: float


@dataclass(frozen=True)
class ArtifactTiming:
    """One artifact on one engine.

    Attributes:
        artifact: Its kind.
        engine: The interpreter.
        threads: Threads per inference.
        array: Starting from a uint8 array of the model's size.
        image: Starting from an encoded image.
        rss_mb: Resident memory of a fresh process after loading, in 10^6 bytes.
        cold_start_ms: From the start of a fresh process to its first prediction, the median of :data:`COLD_STARTS`.
        passed_on: Share of the predictions that a cascade passed on, that of the images on which it was judged;
            None for one file.
    """

    artifact: str
    engine: str
    threads: int
    array: Latency
    image: Latency
    rss_mb: float
    cold_start_ms: float
    passed_on: float | None = None


@dataclass(frozen=True)
class Machine:
    """The machine that was measured.

    Attributes:
        cpu: The processor's name.
        cores: Cores that this process may use.
        load: One-minute load average; None when unknown.
    """

    cpu: str
    cores: int
    load: float | None

    @property
    def busy(self) -> bool:
        """Whether other processes distort the figures."""
        return self.load is not None and self.load > HIGH_LOAD * self.cores


@dataclass(frozen=True)
class BenchReport:
    """All measurements.

    Attributes:
        machine: The machine.
        image: Description of the encoded image.
        results: One per case.
        skipped: Artifacts that no selected and installed engine runs.
    """

    machine: Machine
    image: str
    results: tuple[ArtifactTiming, ...]
    skipped: tuple[str, ...]


class _InProportion:
    """A cascade on one image, passed on as often as the images on which it was judged: timing one way shows neither."""

    def __init__(self, kept: Classifier, passed: Classifier, share: float) -> None:
        """Takes the cascade that passes nothing on, the one that passes all on, and the share of the latter."""
        self._kept, self._passed, self._share, self._calls = kept, passed, share, 0
        self.pixels = kept.pixels

    def classify(self, image: ImageSource) -> Result:
        self._calls += 1
        # Evenly spread: every k-th call crosses a whole number.
        due = int(self._calls * self._share) > int((self._calls - 1) * self._share)
        return (self._passed if due else self._kept).classify(image)


def _opened(
    bundle: Bundle, entry: Artifact, engine: str, threads: int, stack: ExitStack
) -> Classifier | _InProportion:
    def opened(one: Artifact) -> Classifier:
        return stack.enter_context(Classifier(bundle, one, engine=engine, threads=threads))

    if not isinstance(entry, CascadeEntry):
        return opened(entry)
    never, always = (msgspec.structs.replace(entry, margin=margin) for margin in (0.0, 2.0))
    return _InProportion(opened(never), opened(always), entry.passed_on)


@dataclass
class _Case:
    artifact: Artifact
    engine: str
    threads: int
    classifier: Classifier | _InProportion
    seconds: dict[str, list[float]] = field(default_factory=lambda: {"array": [], "image": []})


def bench(
    bundle: Bundle,
    *,
    artifacts: Sequence[str] = (),
    engines: Sequence[str] = (),
    threads: Sequence[int] = (1,),
    image: str | os.PathLike[str] | None = None,
    runs: int = 200,
    seconds: float = 30.0,
) -> BenchReport:
    """Measures a bundle on this machine.

    Args:
        bundle: An open bundle.
        artifacts: Kinds; empty means all, including those that failed their check.
        engines: Interpreters; empty means every installed one that runs the artifact.
        threads: Numbers of threads per inference to measure.
        image: An encoded image; None makes a 320x240 JPEG from a golden example.
        runs: Predictions to time per case and input.
        seconds: Time limit of all timing together; at least ten predictions are timed regardless.

    Raises:
        UsageError: runs, seconds or threads is not positive.
        UnknownNameError: The bundle has no such artifact, or there is no such engine.
        EnvironmentMissingError: No engine runs any of them.
        BundleError: The bundle is damaged.
        ImageError: The image cannot be used.
    """
    if runs < 1 or not seconds > 0 or not threads or min(threads) < 1:
        raise UsageError(
            f"runs, seconds and threads must be positive. Received: runs={runs}, seconds={seconds:g}, "
            f"threads={','.join(map(str, threads)) or 'none'}. Pass larger ones."
        )
    machine = this_machine()
    entries = [bundle.artifact(kind) for kind in artifacts] or list(bundle.entries)
    chosen = [
        (entry, engine, number)
        for entry in entries
        for engine in (engines or AUTOMATIC)
        if usable(entry.format, engine, entry.precision)
        for number in dict.fromkeys(threads)
    ]
    measured = {entry.kind for entry, _, _ in chosen}
    skipped = tuple(entry.kind for entry in entries if entry.kind not in measured)
    if not chosen:
        raise nothing_runs("A benchmark", entries, engines)
    photo, described = _photo(bundle, image)
    with ExitStack() as stack:
        cases = []
        for entry, engine, number in dict.fromkeys(chosen):
            cases.append(_Case(entry, engine, number, _opened(bundle, entry, engine, number, stack)))
        array = cases[0].classifier.pixels(photo)
        _take_turns(cases, {"array": array, "image": photo}, runs, seconds)
    cold = _cold_starts(bundle, cases, photo)
    results = tuple(
        ArtifactTiming(
            case.artifact.kind, case.engine, case.threads,
            latency(case.seconds["array"]), latency(case.seconds["image"]),
            rss_mb=statistics.median(memory for _, memory in starts) / 1e6,
            cold_start_ms=statistics.median(spent for spent, _ in starts) * 1000.0,
            passed_on=case.artifact.passed_on if isinstance(case.artifact, CascadeEntry) else None,
        )
        for case, starts in zip(cases, cold, strict=True)
    )  # fmt: skip
    return BenchReport(machine, described, results, skipped)


def latency(seconds: Sequence[float]) -> Latency:
    """Summarizes the times of single predictions.

    Args:
        seconds: At least one.
    """
    p50, p90, p99 = (float(value) * 1000.0 for value in np.percentile(seconds, (50, 90, 99)))
    return Latency(len(seconds), p50, p90, p99, len(seconds) / sum(seconds))


def this_machine() -> Machine:
    """Describes this machine and its load."""
    try:
        load: float | None = os.getloadavg()[0]
    except (AttributeError, OSError):
        load = None
    return Machine(cpu().name, cores(), load)


def _take_turns(cases: Sequence[_Case], inputs: dict[str, ImageSource], runs: int, seconds: float) -> None:
    for case in cases:
        for source in inputs.values():
            for _ in range(_WARM_UP):
                case.classifier.classify(source)
    started = time.perf_counter()
    for done in range(0, runs, _TURN):
        if done and time.perf_counter() - started > seconds:
            break
        for case in cases:
            for name, source in inputs.items():
                for _ in range(min(_TURN, runs - done)):
                    before = time.perf_counter()
                    case.classifier.classify(source)
                    case.seconds[name].append(time.perf_counter() - before)


def _cold_starts(bundle: Bundle, cases: Sequence[_Case], photo: bytes) -> list[list[tuple[float, int]]]:
    """Seconds to the first prediction and bytes of memory, per case and start."""
    found: list[list[tuple[float, int]]] = [[] for _ in cases]
    with temporary_folder() as folder:
        file = folder / "image"
        file.write_bytes(photo)
        for _ in range(COLD_STARTS):
            for case, starts in zip(cases, found, strict=True):
                starts.append(_cold_start(bundle, case, file))
    return found


def _cold_start(bundle: Bundle, case: _Case, image: Path) -> tuple[float, int]:
    words = [str(bundle.location), case.artifact.kind, case.engine, str(case.threads), str(image)]
    before = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "edge_runtime.cold_start", *words],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        answer = child.stdout.readline().split()
        spent = time.perf_counter() - before
    if len(answer) != 2 or child.returncode:
        raise EnvironmentMissingError(
            f"A cold start must succeed. Received: {case.artifact.kind} on {case.engine} in a fresh process of "
            f"{sys.executable} ended with exit code {child.returncode}. Run: snapship selftest {bundle.location}"
        )
    return spent, int(answer[1])


def _photo(bundle: Bundle, image: str | os.PathLike[str] | None) -> tuple[bytes, str]:
    """The encoded image to classify, and its description."""
    if image is not None:
        picture = decoded(image, 3)
        return Path(image).read_bytes(), f"{Path(image).name}, {picture.width}x{picture.height}"
    if bundle.manifest.golden is not None and (examples := read_golden(bundle).examples):
        picture = decoded(bundle.read(examples[0].file, examples[0].sha256), 3)
        origin = f"made of {examples[0].file}"
    else:
        # Waves: noise would compress, and so decode, unlike any photo.
        y, x = np.mgrid[: PHOTO_SIZE[1], : PHOTO_SIZE[0]] / 20.0
        waves = np.stack([np.sin(x), np.sin(y), np.sin(x + y)], axis=2)
        picture, origin = Image.fromarray((127.5 * (waves + 1)).astype(np.uint8)), "drawn"
    stored = io.BytesIO()
    picture.resize(PHOTO_SIZE, Image.Resampling.BILINEAR).save(stored, "JPEG", quality=90)
    return stored.getvalue(), f"JPEG, {PHOTO_SIZE[0]}x{PHOTO_SIZE[1]}, {origin}"
