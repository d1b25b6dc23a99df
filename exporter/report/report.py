"""``report.html``: the result of a check as a single page that opens offline.

It ends with the prediction flips: images whose answer changed, with the scores of both models.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from edge_runtime.common.html_page import render_page
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from exporter.common.wording import cascade_text, latency_text, size_text
from exporter.evidence.rules_record import SET_SIZES
from exporter.judge.cpu_kernels import kernels_text
from exporter.judge.judge_artifacts import FULL_MODEL, Judgement
from exporter.judge.verdict import CheckReport
from exporter.report.plots import (
    attribution_plot,
    calibration_plot,
    interval_plot,
    layers_plot,
    pareto_plot,
    reliability_plot,
    size_latency_plot,
)
from exporter.report.rule_plots import abstain_plot
from exporter.report.terminal_tables import calibration_warnings
from exporter.rules.known import KEPT
from exporter.source.images import PixelTable

MOST_FLIPS = 24
_MOST_CLASSES = 40
_THUMBNAIL_PIXELS = 112
_TOP = 3

Outcome = Literal["lost", "won", "other"]
_ORDER: tuple[Outcome, ...] = ("lost", "won", "other")

_FILTERS: dict[str, Callable[..., str]] = {
    "points": lambda value: f"{100 * value:+.2f}",
    "percent": lambda value: f"{100 * value:.2f} %",
    "size": size_text,
    "latency": latency_text,
    "cascade": cascade_text,
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


def render_report(name: str, found: Judgement, table: PixelTable, more: str = "") -> str:
    """Renders the page.

    Args:
        name: The bundle's name.
        found: The judged artifacts.
        table: The images they were judged on.
        more: What it does not have and how to get it, for its end.

    Returns:
        HTML with everything inline.

    Raises:
        EnvironmentMissingError: Jinja2 or matplotlib is not installed.
    """
    values = {
        "name": name, "report": found.report, "sections": list(sections(found, table)), "full_model": FULL_MODEL,
        "more": more,
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
        steps = {step.name for one in kinds.values() if one.attribution for step in one.attribution.steps}
        values = {
            "plot": attribution_plot(report),
            "devices": not steps.isdisjoint(("preprocessing", "engine")),
        }
        yield Section("attribution", "Where disagreements come from", values)
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
    yield from _rules(report)
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


def _rules(report: CheckReport) -> Iterator[Section]:
    reports = {kind: one.rules for kind, one in report.artifacts.items() if one.rules is not None}
    if not reports:
        return
    drawn = {kind: one for kind, one in reports.items() if one.abstain is not None}
    sets = [one.sets for one in reports.values() if one.sets is not None]
    largest = min(SET_SIZES, max((one.largest for one in sets), default=0))
    sizes = [f"{size}+" if size == SET_SIZES else str(size) for size in range(1, largest + 1)]
    values = {
        "reports": reports, "plot": abstain_plot(drawn) if drawn else "", "sets": sets, "sizes": sizes,
        "known": any(one.known is not None for one in reports.values()), "kept": KEPT,
    }  # fmt: skip
    yield Section("rules", "When the model is not sure", values)


def _classes(report: CheckReport) -> Section:
    rows = sorted(
        report.classes,
        key=lambda row: (min((one.delta for one in row.artifacts.values()), default=0.0), row.label),
    )
    return Section("classes", "Classes", {"rows": rows[:_MOST_CLASSES], "count": len(rows)})


@dataclass(frozen=True)
class Score:
    """A line of a score list.

    Attributes:
        label: The class.
        score: Its score, 0..1.
        right: Whether it is the true class.
    """

    label: str
    score: float
    right: bool


@dataclass(frozen=True)
class Flip:
    """One image on one artifact.

    Attributes:
        artifact: Its name.
        ref: The image.
        truth: The true class.
        outcome: ``lost``: only the full model is right; ``won``: only the artifact is.
        picture: The image as the models saw it, as a data URL.
        before: The full model's best scores.
        after: The artifact's best scores.
    """

    artifact: str
    ref: str
    truth: str
    outcome: Outcome
    picture: str
    before: tuple[Score, ...]
    after: tuple[Score, ...]


def flips(found: Judgement, table: PixelTable) -> tuple[list[Flip], int]:
    """Lists the images whose answer changed: lost ones first, most confident first.

    Args:
        found: The judged artifacts.
        table: The images.

    Returns:
        Up to :data:`MOST_FLIPS` of them, and the total number.
    """
    truth, before = table.truth, found.reference.argmax(axis=1)
    ranked: list[tuple[int, float, str, int]] = []
    for name, scores in found.scores.items():
        after = scores.argmax(axis=1)
        for row in np.flatnonzero(after != before):
            rank = _ORDER.index(_outcome(int(before[row]), int(after[row]), int(truth[row])))
            ranked.append((rank, -float(scores[row].max()), name, int(row)))
    ranked.sort(key=lambda entry: entry[:2])
    labels = table.images.labels
    shown = [
        Flip(
            artifact=name,
            ref=table.images.items[row].ref,
            truth=labels[truth[row]],
            outcome=_ORDER[rank],
            picture=thumbnail(table.pixels[row]),
            before=_best(found.reference[row], labels, int(truth[row])),
            after=_best(found.scores[name][row], labels, int(truth[row])),
        )
        for rank, _, name, row in ranked[:MOST_FLIPS]
    ]
    return shown, len(ranked)


def _outcome(was: int, now: int, true: int) -> Outcome:
    if now == true:
        return "won"
    return "lost" if was == true else "other"


def _best(scores: Float32Array, labels: tuple[str, ...], true: int) -> tuple[Score, ...]:
    order = np.argsort(-scores, kind="stable")[:_TOP]
    return tuple(Score(labels[place], float(scores[place]), int(place) == true) for place in order)


def thumbnail(pixels: UInt8Array) -> str:
    """What the model saw, as a data URL.

    Args:
        pixels: uint8 ``[height, width, 1 or 3]``.
    """
    array = np.asarray(pixels)
    picture = Image.fromarray(array if array.shape[2] == 3 else array[:, :, 0])
    small = picture.width < _THUMBNAIL_PIXELS
    picture = picture.resize(
        (_THUMBNAIL_PIXELS, max(1, _THUMBNAIL_PIXELS * picture.height // picture.width)),
        Image.Resampling.NEAREST if small else Image.Resampling.BILINEAR,
    )
    stored = io.BytesIO()
    kind, options = ("jpeg", {"quality": 80}) if picture.mode == "RGB" else ("png", {})
    picture.save(stored, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(stored.getvalue()).decode()}"
