"""A baseline: what was accepted last, so that a build fails when an artifact got worse since.

The file belongs into version control. For each artifact it keeps which images were named right,
one bit each, so that a later check of the same images is compared with it in pairs, by the bound
of the gate. It holds no time and no latency: accepting an unchanged state changes no byte.

::

    top-1 on these images did not fall       pass: no change or an improvement never fails
    a drop of the margin or more excluded    pass
    worse by more than the margin            fail
    else                                     inconclusive
    grew by more than was allowed            fail, only where asked
    in the baseline, not exported any more   fail: accept the new state
    exported, not in the baseline            noted
    not checked here, no engine              noted

The first line is a fact about these very images and promises nothing of others: of 100 images,
as many are won as lost in one case of five though the artifact is 2 points worse (``python -m
benchmarks.gate_size``). A build that changes nothing must pass however few the images are, and
whether an artifact is good enough at all is the gate's question, asked anew in every check by the
bound. The other verdicts are about images like these.

Other images, or other classes of the same images, cannot be compared in pairs: that is an
error, never a silent comparison of two averages.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import numpy as np

from edge_runtime.atomic_file import write_whole
from edge_runtime.errors import BundleError, UsageError
from edge_runtime.manifest import Strict, decode_json
from exporter.baseline_report import BaselineReport, Change
from exporter.gate import GateVerdict, decide, overall, paired_interval
from exporter.outcomes import Outcomes, pack, unpack
from exporter.verdict import CheckReport

_SCHEMA = 1


class AcceptedArtifact(Strict, frozen=True):
    """An artifact as it was accepted.

    Attributes:
        agreement: Share of images with the full model's answer, 0..1.
        bytes: Size of its file.
        right: Which images it named right, hex digits of :func:`exporter.outcomes.pack`.
        top1: Its top-1, 0..1.
    """

    agreement: float
    bytes: int
    right: str
    top1: float


class Baseline(Strict, frozen=True):
    """The file.

    Attributes:
        artifacts: By kind.
        data_sha256: Hash of the images' contents.
        n: Images.
        reference_top1: The full model's top-1, 0..1.
        schema_version: 1.
        truth_sha256: Hash of their true classes.
    """

    artifacts: dict[str, AcceptedArtifact]
    data_sha256: str
    n: int
    reference_top1: float
    schema_version: int
    truth_sha256: str


def compare_with_baseline(
    baseline: Baseline,
    report: CheckReport,
    outcomes: Outcomes,
    *,
    name: str = "the baseline",
    growth: float | None = None,
) -> BaselineReport:
    """Compares a check with what was accepted.

    Args:
        baseline: What was accepted.
        report: What the check found; its margin counts here too.
        outcomes: Which images it named right.
        name: The baseline's file, for messages.
        growth: Largest growth of a file, as a share of its accepted size; None allows any.

    Raises:
        UsageError: The check was made on other images or classes.
        BundleError: The baseline's records do not belong to its images.
    """
    if not _same_images(baseline, outcomes) or baseline.n != report.n:
        same = baseline.data_sha256 == outcomes.data_sha256
        raise UsageError(
            f"A baseline is compared on the images that it was made on. Received: {name} of {baseline.n:,} images "
            f"{baseline.data_sha256[:12]}, this check of {report.n:,} images {outcomes.data_sha256[:12]}"
            f"{', with other classes' if same else ''}. "
            "Pass the same images, or make a new baseline with --accept."
        )
    changes = {
        kind: _change(accepted, report, outcomes, kind, baseline.n, growth)
        for kind, accepted in baseline.artifacts.items()
        if kind in report.artifacts
    }
    missing = [kind for kind in baseline.artifacts if kind not in report.artifacts]
    gone = tuple(kind for kind in missing if kind not in report.skipped)
    verdicts: list[GateVerdict] = [found.verdict for found in changes.values()]
    return BaselineReport(
        verdict=overall([*verdicts, "fail" if gone else "pass"]),
        margin=report.margin,
        artifacts=changes,
        added=tuple(kind for kind in report.artifacts if kind not in baseline.artifacts),
        gone=gone,
        skipped=tuple(kind for kind in missing if kind in report.skipped),
        reference_change=report.reference.top1 - baseline.reference_top1,
    )


def _change(
    accepted: AcceptedArtifact,
    report: CheckReport,
    outcomes: Outcomes,
    kind: str,
    n: int,
    growth: float | None,
) -> Change:
    found, now, before = report.artifacts[kind], outcomes.right[kind], unpack(accepted.right, n)
    lost, won = int(np.sum(before & ~now)), int(np.sum(~before & now))
    bound, upper = paired_interval(lost, won, n)
    # A fact about the very same images, which needs no bound and is worded as such.
    verdict: GateVerdict = "pass" if won >= lost else decide(lost, won, n, report.margin)
    points = f"{100 * report.margin:g} points"
    if won >= lost:
        change = "rose" if won > lost else "stayed"
        reason = f"top-1 on these {n:,} images {change}: {won:,} images won, {lost:,} lost"
    elif verdict == "pass":
        reason = f"a drop of {points} since the baseline is excluded: at most {-100 * bound:.2f} (95 %)"
    elif verdict == "fail":
        reason = f"it lost more than {points} since the baseline: at least {-100 * upper:.2f} (95 %)"
    else:
        reason = (
            f"it lost {100 * (lost - won) / n:.2f} points since the baseline; {n:,} images cannot tell whether "
            f"that is below {points}"
        )
    grown = found.bytes / accepted.bytes - 1.0
    if growth is not None and grown > growth:
        verdict = "fail"
        reason = f"its file grew by {100 * grown:.1f} %, allowed are {100 * growth:g} %; {reason}"
    return Change(
        verdict=verdict,
        reason=reason,
        delta=(won - lost) / n,
        bound=bound,
        lost=lost,
        won=won,
        agreement_change=found.agreement - accepted.agreement,
        bytes=found.bytes,
        growth=grown,
    )


def read_baseline(path: str | os.PathLike[str]) -> Baseline:
    """Reads the file.

    Args:
        path: Where it is.

    Raises:
        UsageError: There is none.
        BundleError: It is damaged.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(
            f"A baseline must be a readable file. Received: {os.fspath(path)} ({error.strerror}). "
            "Make it with --accept."
        ) from error
    try:
        baseline: Baseline = decode_json(data, Baseline, os.fspath(path))
    except BundleError as error:
        # The schema's own cure speaks of bundles.
        reason = str(error).partition(". Restore")[0]
        raise BundleError(f"{reason}. Restore the file, or make it again with --accept.") from error
    if baseline.schema_version != _SCHEMA or baseline.n < 1 or _empty(baseline):
        raise BundleError(
            f"A baseline must be of schema {_SCHEMA}, with images and files. Received: schema "
            f"{baseline.schema_version}, {baseline.n} images in {os.fspath(path)}. Make it again with --accept."
        )
    return baseline


def _same_images(baseline: Baseline, outcomes: Outcomes) -> bool:
    return (baseline.data_sha256, baseline.truth_sha256) == (outcomes.data_sha256, outcomes.truth_sha256)


def _empty(baseline: Baseline) -> bool:
    return any(found.bytes < 1 for found in baseline.artifacts.values())


def write_baseline(
    path: str | os.PathLike[str], report: CheckReport, outcomes: Outcomes, last: Baseline | None = None
) -> None:
    """Writes what a check found as accepted, under a temporary name that is then renamed.

    Args:
        path: Where to; replaced if it is there.
        report: What the check found.
        outcomes: Which images it named right.
        last: The baseline so far: what no installed engine runs here is kept from it, where the
            images are the same.

    Raises:
        UsageError: The place cannot be written.
    """
    artifacts = {
        kind: AcceptedArtifact(
            agreement=found.agreement,
            bytes=found.bytes,
            right=pack(outcomes.right[kind]),
            top1=found.top1,
        )
        for kind, found in report.artifacts.items()
    }
    if last is not None and _same_images(last, outcomes):
        artifacts |= {kind: last.artifacts[kind] for kind in report.skipped if kind in last.artifacts}
    baseline = Baseline(
        artifacts=artifacts,
        data_sha256=outcomes.data_sha256,
        n=report.n,
        reference_top1=report.reference.top1,
        schema_version=_SCHEMA,
        truth_sha256=outcomes.truth_sha256,
    )
    # Sorted keys: a difference in version control is a difference in fact.
    text = msgspec.json.format(msgspec.json.encode(baseline, order="sorted"), indent=2)
    write_whole(Path(path), text + b"\n", "--baseline")
