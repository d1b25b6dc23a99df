"""Measures one request here: time, memory and log of the whole app in a process of its own."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.common.errors import EnvironmentMissingError, UsageError
from edge_runtime.common.temporary import temporary_folder
from edge_runtime.engines.selection import choose
from edge_runtime.golden import read_golden
from edge_runtime.image.preprocess import decoded

_PROGRAM = Path(__file__).with_name("one_function.py")
_ROOT = Path(__file__).parents[3]
_SETTINGS = ("SNAPSHIP_", "AWS_LAMBDA_")

MB = 1 << 20
STARTS = 3
"""Number of fresh processes, each of which times one start."""

PATIENCE_S = 120.0
"""How long a process may take beyond its measuring time."""


@dataclass(frozen=True)
class RequestProfile:
    """One request on one CPU of this machine, which is taken for one vCPU of Lambda.

    Attributes:
        artifact: Kind of the model file.
        images: What was classified, in words.
        requests: Number of timed requests; 0 if the duration was given.
        mean_ms: Mean duration, which is what is billed.
        p50_ms: Median duration.
        p99_ms: 99th percentile of the duration.
        init_ms: Time from start to ready, the median of :data:`STARTS`.
        peak_mb: Peak resident memory, in MB of 2^20 bytes.
        log_bytes: Bytes logged per request.
        metrics: Number of different metrics in the log.
    """

    artifact: str
    images: str
    requests: int
    mean_ms: float
    p50_ms: float
    p99_ms: float
    init_ms: float
    peak_mb: float
    log_bytes: float
    metrics: int

    def with_ms(self, ms: float) -> RequestProfile:
        """The same with a duration measured elsewhere, e.g. taken from a function's log.

        Args:
            ms: Duration of a warm request on a whole vCPU; p99 keeps its ratio to the mean.

        Raises:
            UsageError: It is not positive.
        """
        if not 0 < ms < float("inf"):
            raise UsageError(f"ms must be positive. Received: {ms}. Pass the duration of a warm request.")
        ratio = self.p99_ms / self.mean_ms
        return replace(self, requests=0, mean_ms=ms, p50_ms=ms, p99_ms=ms * ratio)


class Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one process measured.

    Attributes:
        init_ms: Time from start to ready.
        ms: Duration of each request.
        peak_bytes: Peak resident memory.
        log_bytes: Bytes logged per request.
        metrics: Number of different metrics in the log.
    """

    init_ms: float
    ms: list[float]
    peak_bytes: int
    log_bytes: float
    metrics: int


def measure(
    bundle: str | os.PathLike[str],
    *,
    artifact: str | None = None,
    images: Sequence[str | os.PathLike[str]] = (),
    seconds: float = 6.0,
    requests: int = 30,
) -> RequestProfile:
    """Starts the app as Lambda would and sends it images.

    Args:
        bundle: A folder or zip.
        artifact: The kind to measure; None for the one that the endpoint would choose.
        images: Files of encoded images; if empty, the bundle's golden images.
        seconds: Total measuring time of all processes.
        requests: Minimum number of requests to time in each process.

    Raises:
        UsageError: An image is not a file, or none was given and the bundle has no golden images.
        ImageError: An image cannot be used.
        BundleError: The bundle is damaged.
        EnvironmentMissingError: The app does not start or answer on this machine.
    """
    opened = Bundle.open(bundle)
    kind = choose(opened, artifact).kind
    with temporary_folder() as folder:
        files, described = _images(opened, images, folder)
        environ = {
            # Without the settings of any other endpoint.
            **{name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)},
            "SNAPSHIP_BUNDLE": str(Path(bundle).resolve()),
            "SNAPSHIP_ARTIFACT": kind,
            # As Lambda and the template set them.
            "AWS_LAMBDA_FUNCTION_NAME": "snapship-cost",
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH")))),
        }
        result = folder / "result.json"
        words = [str(result), str(seconds / STARTS), str(requests), *map(str, files)]
        samples = [_run(result, words, environ, seconds + PATIENCE_S) for _ in range(STARTS)]
    times = [ms for sample in samples for ms in sample.ms]
    p50, p99 = (float(value) for value in np.percentile(times, (50, 99)))
    return RequestProfile(
        artifact=kind,
        images=described,
        requests=len(times),
        mean_ms=statistics.fmean(times),
        p50_ms=p50,
        p99_ms=p99,
        init_ms=statistics.median(sample.init_ms for sample in samples),
        peak_mb=max(sample.peak_bytes for sample in samples) / MB,
        log_bytes=statistics.fmean(sample.log_bytes for sample in samples),
        metrics=max(sample.metrics for sample in samples),
    )


def _images(bundle: Bundle, given: Sequence[str | os.PathLike[str]], folder: Path) -> tuple[list[Path], str]:
    if given:
        files = [Path(image) for image in given]
        for file in files:
            if not file.is_file():
                raise UsageError(f"An image must be a file. Received: {file}. Pass an existing one.")
            # Checked here, so that a bad image is not mistaken for an app that fails.
            decoded(file, 3)
        return files, ", ".join(file.name for file in files[:3]) + (" ..." if len(files) > 3 else "")
    examples = () if bundle.manifest.golden is None else read_golden(bundle).examples
    if not examples:
        raise UsageError(
            f"Measuring needs images. Received: {bundle.location} without golden images. Pass --image FILE."
        )
    files = []
    for index, example in enumerate(examples):
        file = folder / f"{index}{Path(example.file).suffix}"
        file.write_bytes(bundle.read(example.file, example.sha256))
        files.append(file)
    return files, f"{len(files)} golden images"


def _run(result: Path, words: Sequence[str], environ: dict[str, str], patience_s: float) -> Sample:
    # Run as a file: as a module, it would first import this package, and with it what is to be timed.
    command = [sys.executable, "-P", str(_PROGRAM), *words]
    result.unlink(missing_ok=True)
    try:
        done = subprocess.run(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=patience_s,
            check=False,
        )
        if done.returncode == 0:
            return msgspec.json.decode(result.read_bytes(), type=Sample)
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else f"exit code {done.returncode}"
    except subprocess.TimeoutExpired:
        reason = f"timeout after {patience_s:.0f} s"
    raise EnvironmentMissingError(
        f"The app must run on this machine to be measured. Received: {reason}. Run: snapship doctor"
    )
