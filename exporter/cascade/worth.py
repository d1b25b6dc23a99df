"""Whether a judged cascade is worth its second file: how often it agrees, how much it passes on, how fast it is.

These are no part of the gate, which judges a cascade like every other artifact; they are why one would have
it. One that misses them is left out of the export, with the reason.
"""

from __future__ import annotations

from dataclasses import replace

from exporter.evidence.classes import class_reports
from exporter.formats.kinds import CASCADE, CASCADE_FIRST, CASCADE_SECOND
from exporter.formats.onnx_run import cpu_report
from exporter.judge.judge_artifacts import Judgement, parity_report
from exporter.judge.verdict import CheckReport
from exporter.source.images import PixelTable

LEAST_AGREEMENT = 0.995
"""Share of judging images on which it must give the full model's answer."""

MOST_PASSED_ON = 0.20
"""Share of judging images that it may pass on."""

_SHORTCUTS = ("avx512_vnni", "avx_vnni", "amx_int8", "i8mm")
"""Instructions for int8 products, without which an int8 file is hardly faster than its float file."""


def why_not(report: CheckReport) -> str:
    """Why a judged cascade is not worth having, in one line; empty if it is.

    Args:
        report: The check's report, with the cascade and its second artifact.
    """
    found, full = report.artifacts[CASCADE], report.artifacts[CASCADE_SECOND]
    passed_on = found.passed_on or 0.0
    if found.agreement < LEAST_AGREEMENT:
        return (
            f"A cascade must agree with the full model on {LEAST_AGREEMENT:.1%} of the images. Received: "
            f"{found.agreement:.2%} of {report.n:,}, with {passed_on:.1%} passed on. Ship {CASCADE_SECOND} alone."
        )
    if not passed_on:
        return (
            f"A cascade must need its second file. Received: none of {report.n:,} images passed on. "
            f"Ship {CASCADE_FIRST} alone."
        )
    if passed_on > MOST_PASSED_ON:
        return (
            f"A cascade must pass on at most {MOST_PASSED_ON:.0%} of the images. Received: {passed_on:.1%} of "
            f"{report.n:,}. Calibrate on images that are more like them, or ship {CASCADE_SECOND} alone."
        )
    if found.latency_ms >= full.latency_ms:
        flags = cpu_report().flags
        slow = not flags or any(flag in flags for flag in _SHORTCUTS)
        why = "" if slow else ", on a CPU without instructions for int8 products (VNNI)"
        return (
            f"A cascade must be faster than {CASCADE_SECOND}. Received: {found.latency_ms:.2f} ms in the mean, "
            f"{full.latency_ms:.2f} ms for {CASCADE_SECOND}{why}. Export on the CPU that will run it, or ship one file."
        )
    return ""


def without(judgement: Judgement, kind: str, table: PixelTable) -> Judgement:
    """A judgement in which an artifact was never judged.

    Args:
        judgement: The judgement.
        kind: The artifact.
        table: The judging images.
    """
    scores = {name: found for name, found in judgement.scores.items() if name != kind}
    report = judgement.report
    rest = {name: found for name, found in report.artifacts.items() if name != kind}
    classes = class_reports(judgement.reference, scores, table.truth, table.images.labels)
    report = report.with_artifacts(rest).with_tables(classes, parity_report(judgement.reference, scores))
    return replace(judgement, report=report, scores=scores)
