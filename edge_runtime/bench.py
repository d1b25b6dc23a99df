"""How fast a bundle answers on this machine: latency, throughput, memory and cold start.

Stages::

    cases    every artifact on every engine that runs it, with each number of threads
    rounds   each case answers a few times, then the next one: noise hits all alike
    cold     a fresh process for each case: its start to its first answer, and its memory
"""

from __future__ import annotations

import io
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from edge_runtime.bundle import Bundle
from edge_runtime.classifier import Classifier
from edge_runtime.engines import ENGINES, usable
from edge_runtime.engines.selection import nothing_runs
from edge_runtime.errors import EnvironmentMissingError, UsageError
from edge_runtime.golden import read_golden
from edge_runtime.manifest import Artifact
from edge_runtime.preprocess import ImageSource, decoded
from edge_runtime.temporary import temporary_folder

PHOTO_SIZE = (320, 240)
"""Width and height of the JPEG that is made where no image is given."""

COLD_STARTS = 3
_TURN = 10
"""Answers of a case in a row: enough that its memory is warm, few enough that others feel the same noise."""

_WARM_UP = 3

HIGH_LOAD = 0.25
"""Processes a core, averaged over a minute, from which figures are noise."""


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one answer, image in and best classes out.

    Attributes:
        runs: Answers that were timed.
        p50_ms: Median.
        p90_ms: Nine of ten are faster.
        p99_ms: 99 of 100 are faster.
        images_per_s: Answers a second, one after the other.
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
        threads: Threads of one inference.
        array: From a uint8 array of the model's size.
        image: From an encoded image.
        rss_mb: Resident memory of a fresh process after loading, in 10^6 bytes.
        cold_start_ms: Start of a fresh process to its first answer, the median of :data:`COLD_STARTS`.
    """

    artifact: str
    engine: str
    threads: int
    array: Latency
    image: Latency
    rss_mb: float
    cold_start_ms: float


@dataclass(frozen=True)
class Machine:
    """What it was measured on.

    Attributes:
        cpu: The processor's name.
        cores: Cores that this process may use.
        load: Processes that wanted a core in the minute before, None when unknown.
    """

    cpu: str
    cores: int
    load: float | None

    @property
    def busy(self) -> bool:
        """Whether other work made the figures worse."""
        return self.load is not None and self.load > HIGH_LOAD * self.cores


@dataclass(frozen=True)
class BenchReport:
    """All that was measured.

    Attributes:
        machine: Where.
        image: Which encoded image, in words.
        results: One for each case.
        skipped: Artifacts that no chosen and installed engine runs.
    """

    machine: Machine
    image: str
    results: tuple[ArtifactTiming, ...]
    skipped: tuple[str, ...]


@dataclass
class _Case:
    artifact: Artifact
    engine: str
    threads: int
    classifier: Classifier
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
        artifacts: Kinds; none means all, those that failed their check too.
        engines: Interpreters; none means every installed one that runs the artifact.
        threads: Threads of one inference, each measured.
        image: An encoded image; None makes a JPEG of 320x240 pixels of a golden example.
        runs: Answers to time for each case and each input.
        seconds: Limit of all timing together; at least ten answers are timed in any case.

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
    entries = [bundle.artifact(kind) for kind in artifacts] or list(bundle.manifest.artifacts)
    chosen = [
        (entry, engine, number)
        for entry in entries
        for engine in (engines or ENGINES)
        if usable(entry.format, engine, entry.precision)
        for number in dict.fromkeys(threads)
    ]
    measured = {entry.kind for entry, _, _ in chosen}
    skipped = tuple(entry.kind for entry in entries if entry.kind not in measured)
    if not chosen:
        raise nothing_runs("A benchmark", entries, engines)
    photo, described = _photo(bundle, image)
    with ExitStack() as stack:
        cases = [
            _Case(*choice, stack.enter_context(_opened(bundle, *choice))) for choice in dict.fromkeys(chosen)
        ]
        array = cases[0].classifier.pixels(photo)
        _take_turns(cases, {"array": array, "image": photo}, runs, seconds)
    cold = _cold_starts(bundle, cases, photo)
    results = tuple(
        ArtifactTiming(
            case.artifact.kind, case.engine, case.threads,
            latency(case.seconds["array"]), latency(case.seconds["image"]),
            rss_mb=statistics.median(memory for _, memory in starts) / 1e6,
            cold_start_ms=statistics.median(spent for spent, _ in starts) * 1000.0,
        )
        for case, starts in zip(cases, cold, strict=True)
    )  # fmt: skip
    return BenchReport(machine, described, results, skipped)


def latency(seconds: Sequence[float]) -> Latency:
    """Sums up the times of single answers.

    Args:
        seconds: At least one.
    """
    p50, p90, p99 = (float(value) * 1000.0 for value in np.percentile(seconds, (50, 90, 99)))
    return Latency(len(seconds), p50, p90, p99, len(seconds) / sum(seconds))


def this_machine() -> Machine:
    """Names this machine and says how busy it is."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        load: float | None = os.getloadavg()[0]
    except (AttributeError, OSError):
        load = None
    return Machine(_cpu(), cores, load)


def _opened(bundle: Bundle, artifact: Artifact, engine: str, threads: int) -> Classifier:
    return Classifier(bundle, artifact, engine=engine, threads=threads)


def _take_turns(
    cases: Sequence[_Case],
    inputs: dict[str, ImageSource],
    runs: int,
    seconds: float,
) -> None:
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
    """Seconds to the first answer and bytes of memory, for each case and start."""
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
        [sys.executable, "-m", "edge_runtime.first_answer", *words],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        answer = child.stdout.readline().split()
        spent = time.perf_counter() - before
    if len(answer) != 2 or child.returncode:
        raise EnvironmentMissingError(
            f"A cold start must answer. Received: {case.artifact.kind} on {case.engine} in a fresh process of "
            f"{sys.executable} ended with exit code {child.returncode}. Run: snapship selftest {bundle.location}"
        )
    return spent, int(answer[1])


def _photo(bundle: Bundle, image: str | os.PathLike[str] | None) -> tuple[bytes, str]:
    """The encoded image to answer, and what it is."""
    if image is not None:
        picture = decoded(image, 3)
        return Path(image).read_bytes(), f"{Path(image).name}, {picture.width}x{picture.height}"
    if bundle.manifest.golden is not None and (examples := read_golden(bundle).examples):
        picture = decoded(bundle.read(examples[0].file, examples[0].sha256), 3)
        origin = f"made of {examples[0].file}"
    else:
        # Waves, since noise would compress, and so decode, unlike any photo.
        y, x = np.mgrid[: PHOTO_SIZE[1], : PHOTO_SIZE[0]] / 20.0
        waves = np.stack([np.sin(x), np.sin(y), np.sin(x + y)], axis=2)
        picture, origin = Image.fromarray((127.5 * (waves + 1)).astype(np.uint8)), "drawn"
    stored = io.BytesIO()
    picture.resize(PHOTO_SIZE, Image.Resampling.BILINEAR).save(stored, "JPEG", quality=90)
    return stored.getvalue(), f"JPEG, {PHOTO_SIZE[0]}x{PHOTO_SIZE[1]}, {origin}"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    # Arm kernels name the board in "Model" and the processor nowhere.
    return named.get("model name") or named.get("Model") or platform.machine()
