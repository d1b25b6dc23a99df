"""``report.html``: the result of a check as a single page that opens offline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.pages import render_page
from exporter.amounts import latency_text, size_text
from exporter.evidence.calibrating import calibration_warnings
from exporter.evidence.parity import FULL_MODEL
from exporter.flips import flips
from exporter.images import PixelTable
from exporter.judging import Judgement
from exporter.kernels import kernels_text
from exporter.plots import attribution_plot, interval_plot, pareto_plot, size_latency_plot
from exporter.plots_detail import calibration_plot, layers_plot, reliability_plot
from exporter.verdict import CheckReport

_MOST_CLASSES = 40

_FILTERS: dict[str, Callable[..., str]] = {
    "points": lambda value: f"{100 * value:+.2f}",
    "percent": lambda value: f"{100 * value:.2f} %",
    "size": size_text,
    "latency": latency_text,
}


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Attributes:
        id: Its anchor, and the name of its template.
        title: Its heading.
        values: Values for its template, in addition to the report.
    """

    id: str
    title: str
    values: dict[str, Any]


def render_report(name: str, found: Judgement, table: PixelTable) -> str:
    """Renders the page.

    Args:
        name: The bundle's name.
        found: The judged artifacts.
        table: The images they were judged on.

    Returns:
        HTML with everything inline.

    Raises:
        EnvironmentMissingError: Jinja2 or matplotlib is not installed.
    """
    values = {
        "name": name, "report": found.report, "sections": list(sections(found, table)), "full_model": FULL_MODEL,
    }  # fmt: skip
    template = Path(__file__).parent / "templates" / "report.html"
    return render_page(template, values, purpose="Writing a report", extra="export", filters=_FILTERS)


def sections(found: Judgement, table: PixelTable) -> Iterator[Section]:
    """The sections of the page that have content, in order.

    Args:
        found: The judged artifacts.
        table: The images they were judged on.
    """
    report = found.report
    kinds = report.artifacts
    plots = {"intervals": interval_plot(report), "costs": size_latency_plot(report)}
    yield Section("artifacts", "Verdict", plots)
    yield Section("drift", "Drift", {})
    if report.pareto is not None:
        yield Section("pareto", "Pareto set", {"plot": pareto_plot(report.pareto)})
    if any(one.attribution for one in kinds.values()):
        yield Section("attribution", "Where disagreements come from", {"plot": attribution_plot(report)})
    repairs = {kind: one.repair for kind, one in kinds.items() if one.repair is not None}
    if repairs:
        yield Section("repair", "Repair", {"repairs": repairs})
    yield from _calibration(report)
    if found.tensors:
        yield Section("layers", "Layers", {"plot": layers_plot(found.tensors)})
    if report.parity is not None:
        yield Section("parity", "Parity", {"lowest": min(min(row) for row in report.parity.agreement)})
    if report.reference.temperature is not None:
        models = {FULL_MODEL: found.reference, **found.scores}
        yield Section("confidence", "Confidence", {"plot": reliability_plot(models, table.truth)})
    if any(one.engines for one in kinds.values()):
        yield Section("engines", "Engines and threads", {})
    if any(one.kernels for one in kinds.values()):
        texts = {kind: kernels_text(one.kernels) for kind, one in kinds.items() if one.kernels is not None}
        yield Section("kernels", "Answers on other CPUs", {"texts": texts})
    if any(one.golden for one in kinds.values()):
        yield Section("golden", "Golden examples", {})
    shown, count = flips(found, table)
    yield Section("flips", "Answers that changed", {"flips": shown, "count": count})
    if report.classes:
        yield _classes(report)


def _calibration(report: CheckReport) -> Iterator[Section]:
    reports = {kind: one.calibration for kind, one in report.artifacts.items() if one.calibration is not None}
    if reports:
        sized = {kind: one for kind, one in reports.items() if one.sizes}
        plot = calibration_plot(sized) if sized else ""
        warnings = {kind: calibration_warnings(one) for kind, one in reports.items()}
        values = {"reports": reports, "plot": plot, "warnings": warnings}
        yield Section("calibration", "Calibration images", values)


def _classes(report: CheckReport) -> Section:
    rows = sorted(
        report.classes,
        key=lambda row: (min((one.delta for one in row.artifacts.values()), default=0.0), row.label),
    )
    return Section("classes", "Classes", {"rows": rows[:_MOST_CLASSES], "count": len(rows)})
