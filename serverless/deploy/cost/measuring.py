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
from edge_runtime.bundle.cascade_entry import CascadeEntry, reduced_manifest
from edge_runtime.bundle.manifest import MANIFEST_FILE, encode_manifest
from edge_runtime.common.errors import EnvironmentMissingError, UsageError
from edge_runtime.common.temporary import temporary_folder
from edge_runtime.engines.selection import choose
from edge_runtime.golden import read_golden
from edge_runtime.image.preprocess import decoded
from serverless.deploy.package.package_files import bundle_files

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
        passed_on: Share of the requests that a cascade passes on to its second file; None for one file.
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
    passed_on: float | None = None

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

    Of a cascade, requests that stay with the first file and requests that go on to the second are timed
    separately, by bundles that pass nothing and everything on, and count by the share of the images on which it
    was judged: a few golden images would not show that share.

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
    entry = choose(opened, artifact)
    with temporary_folder() as folder:
        files, described = _images(opened, images, folder)
        whole = [(Path(bundle).resolve(), 1.0)]
        ways = _one_way_bundles(opened, entry, folder) if isinstance(entry, CascadeEntry) else whole
        words = [str(seconds / STARTS / len(ways)), str(requests), *map(str, files)]
        timed = [
            (_samples(place, entry.kind, folder / "result.json", words, seconds), weight)
            for place, weight in ways
        ]
    samples = [sample for found, _ in timed for sample in found]
    times = [ms for sample in samples for ms in sample.ms]
    # Each way's requests together weigh its share, however many were timed.
    weights = [
        weight / sum(len(sample.ms) for sample in found)
        for found, weight in timed
        for sample in found
        for _ in sample.ms
    ]
    return RequestProfile(
        artifact=entry.kind,
        images=described,
        requests=len(times),
        mean_ms=float(np.average(times, weights=weights)),
        p50_ms=_quantile(times, weights, 0.50),
        p99_ms=_quantile(times, weights, 0.99),
        init_ms=statistics.median(sample.init_ms for sample in samples),
        peak_mb=max(sample.peak_bytes for sample in samples) / MB,
        log_bytes=statistics.fmean(sample.log_bytes for sample in samples),
        metrics=max(sample.metrics for sample in samples),
        passed_on=entry.passed_on if isinstance(entry, CascadeEntry) else None,
    )


def _one_way_bundles(bundle: Bundle, entry: CascadeEntry, folder: Path) -> list[tuple[Path, float]]:
    """Copies of a cascade's bundle that pass nothing on, and everything, with the shares of either way.

    Only an image with a margin of exactly 1 is not passed on by the latter.
    """
    ways = []
    for name, margin, share in (("first", 0.0, 1.0 - entry.passed_on), ("both", 1.0, entry.passed_on)):
        place = folder / name
        for file, data in bundle_files(bundle, entry, name).items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(data)
        manifest = reduced_manifest(bundle.manifest, entry)
        assert manifest.cascade is not None
        # Its rules were made for the margin that it has, and take the same time at any other.
        rules = manifest.cascade.rules
        unbound = rules and msgspec.structs.replace(rules, model_sha256="")
        cascade = msgspec.structs.replace(manifest.cascade, margin=margin, rules=unbound)
        # Golden scores would be those of the margin that it has.
        changed = msgspec.structs.replace(manifest, cascade=cascade, golden=None)
        (place / MANIFEST_FILE).write_bytes(encode_manifest(changed))
        ways.append((place, share))
    return ways


def _samples(bundle: Path, kind: str, result: Path, words: Sequence[str], seconds: float) -> list[Sample]:
    environ = {
        # Without the settings of any other endpoint.
        **{name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)},
        "SNAPSHIP_BUNDLE": str(bundle),
        "SNAPSHIP_ARTIFACT": kind,
        # As Lambda and the template set them.
        "AWS_LAMBDA_FUNCTION_NAME": "snapship-cost",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH")))),
    }
    return [_run(result, [str(result), *words], environ, seconds + PATIENCE_S) for _ in range(STARTS)]


def _quantile(times: Sequence[float], weights: Sequence[float], share: float) -> float:
    """The quantile of weighted times; with equal weights, NumPy's."""
    if len(set(weights)) == 1:
        return float(np.quantile(times, share))
    order = np.argsort(times)
    reached = np.cumsum(np.asarray(weights)[order]) / sum(weights)
    return float(np.asarray(times)[order][np.searchsorted(reached, share).clip(max=len(times) - 1)])


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
        f"The app must run on this machine to be measured. Received: {reason.rstrip('.')}. Run: snapship doctor"
    )
