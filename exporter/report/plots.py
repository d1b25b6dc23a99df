"""The plots of a report: matplotlib as inline SVG, in colours that suit the light and the dark page."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from edge_runtime.common.arrays import IntArray
from edge_runtime.common.errors import EnvironmentMissingError
from edge_runtime.engines.result import Float32Array
from exporter.common.wording import latency_text, size_text
from exporter.evidence.record import LayerReport, ParetoReport, StepName
from exporter.evidence.temperature import cross_fitted
from exporter.judge.verdict import CheckReport
from exporter.quantize.calibration import CalibrationReport
from exporter.statistics.drift import ECE_BINS

_COLUMNS = 3
_FEWEST_IN_BIN = 8
_NAMED = 3
_MOST_DB = 80.0

COLOURS = {"pass": "#1a7f4b", "inconclusive": "#b7791f", "fail": "#c0392b", "unchecked": "#8a94a6"}
"""By verdict."""

SERIES = ("#3b6fd4", "#d9822b", "#2a9d8f", "#c44e8a", "#7a5cc2", "#8c6d31", "#5b9bd5", "#6b8e23")
"""Colours of data series; readable on light and dark cards."""

NEUTRAL = "#8a94a6"
INK = "#5b6472"

WIDE_INCHES = 10.6
HALF_INCHES = 5.2
"""Widths of a card on the page, so that text appears at its nominal size."""

_STYLE = {"svg.fonttype": "none", "font.size": 9, "svg.hashsalt": "snapship"}

_STEPS: dict[StepName, str] = {
    "preprocessing": SERIES[2],
    "conversion": SERIES[0],
    "quantization": SERIES[1],
    "conversion and quantization": SERIES[5],
    "engine": SERIES[4],
}


def interval_plot(report: CheckReport) -> str:
    """Each artifact's top-1 change with its 90 % interval, against the margin.

    Args:
        report: The result of a check.

    Returns:
        An ``<svg>`` element.
    """
    names = list(report.artifacts)
    drawn, (plot,) = figure(0.9 + 0.42 * len(names))
    for row, name in enumerate(names):
        found = report.artifacts[name]
        colour = COLOURS[found.verdict]
        plot.plot([100 * found.bound, 100 * found.upper], [row, row], color=colour, linewidth=3, alpha=0.55)
        plot.plot([100 * found.delta], [row], "o", color=colour, markersize=7)
    plot.axvline(0, color=NEUTRAL, linewidth=1)
    plot.axvline(-100 * report.margin, color=COLOURS["fail"], linewidth=1.2, linestyle="--")
    plot.set_yticks(range(len(names)), names)
    plot.set_ylim(len(names) - 0.5, -0.5)
    plot.set_xlabel("top-1 change, points (dashed: margin)")
    return svg(drawn)


def size_latency_plot(report: CheckReport) -> str:
    """Each artifact's size and latency, one beside the other.

    Args:
        report: The result of a check.

    Returns:
        An ``<svg>`` element.
    """
    names = list(report.artifacts)
    drawn, plots = figure(0.9 + 0.42 * len(names), columns=2)
    rows = range(len(names))
    found = [report.artifacts[name] for name in names]
    columns = (
        ("MB", [one.bytes / 1e6 for one in found], [size_text(one.bytes) for one in found]),
        (
            "ms, one thread",
            [one.latency_ms for one in found],
            [latency_text(one.latency_ms) for one in found],
        ),
    )
    for plot, (title, values, texts) in zip(plots, columns, strict=True):
        plot.barh(rows, values, color=[COLOURS[one.verdict] for one in found], height=0.55)
        plot.set_ylim(len(names) - 0.5, -0.5)
        plot.set_xlabel(title)
        plot.locator_params(axis="x", nbins=4)
        for row, (value, text) in enumerate(zip(values, texts, strict=True)):
            _note(plot, text, value, row)
        # Room for the text of the longest bar.
        plot.set_xlim(0, 1.6 * max(values))
    plots[0].set_yticks(rows, names)
    plots[1].set_yticks([])
    return svg(drawn)


def pareto_plot(report: ParetoReport) -> str:
    """Top-1 over size and over latency; the Pareto set is filled.

    Args:
        report: The artifacts.

    Returns:
        An ``<svg>`` element.
    """
    drawn, plots = figure(3.6, columns=2, width_inches=WIDE_INCHES)
    handles = []
    for place, point in enumerate(report.points):
        colour = SERIES[place % len(SERIES)]
        marker = "os^Dvp"[place // len(SERIES) % 6]
        for plot, cost in zip(plots, (point.bytes / 1e6, point.latency_ms), strict=True):
            (drawn_point,) = plot.plot(
                [cost], [100 * point.top1], marker, markersize=9, color=colour, linestyle="none",
                markerfacecolor=colour if point.on_front else "none", markeredgewidth=1.6, alpha=0.9,
            )  # fmt: skip
            if point.picked:
                plot.plot([cost], [100 * point.top1], "o", markersize=17, color=INK, markerfacecolor="none")
        handles.append(drawn_point)
    for plot, title in zip(plots, ("size, MB", "latency, ms, one thread"), strict=True):
        plot.set_xlabel(title)
        plot.margins(y=0.2)
        # Room for the marker of the largest.
        plot.set_xlim(0, 1.05 * plot.get_xlim()[1])
        plot.locator_params(axis="x", nbins=6)
        plot.grid(color=NEUTRAL, alpha=0.25)
        plot.set_axisbelow(True)
        plot.yaxis.get_major_formatter().set_useOffset(False)
    plots[0].set_ylabel("top-1, %")
    for plot in plots:
        _end_at_100(plot)
    legend(drawn, handles, [point.name for point in report.points], columns=min(4, len(handles)))
    return svg(drawn)


def attribution_plot(report: CheckReport) -> str:
    """Share of images whose answer changes at each step, one bar per artifact.

    Args:
        report: What a check found; at least one artifact has an attribution.

    Returns:
        An ``<svg>`` element.
    """
    rows = [(name, found.attribution) for name, found in report.artifacts.items() if found.attribution]
    drawn, (plot,) = figure(1.3 + 0.42 * len(rows), width_inches=WIDE_INCHES)
    used: dict[str, object] = {}
    for row, (_, attribution) in enumerate(rows):
        left = 0.0
        for one in attribution.steps:
            if one.name not in _STEPS:
                continue
            share = 100 * one.changed / max(1, one.n)
            bar = plot.barh([row], [share], left=left, color=_STEPS[one.name], height=0.55)
            used.setdefault(one.name, bar)
            left += share
        text = "no answer changes" if left == 0 else f"{left:.2g} %"
        _note(plot, text, left, row)
    plot.set_yticks(range(len(rows)), [name for name, _ in rows])
    plot.set_ylim(len(rows) - 0.5, -0.5)
    plot.set_xlim(0, max(1.0, 1.12 * plot.get_xlim()[1]))
    plot.set_xlabel("images whose answer changes at this step, %")
    names = [name for name in _STEPS if name in used]
    legend(drawn, [used[name] for name in names], list(names), columns=len(names))
    return svg(drawn)


def reliability_plot(models: Mapping[str, Float32Array], truth: IntArray) -> str:
    """Reliability diagrams: accuracy over confidence, before and after temperature scaling.

    Args:
        models: Scores ``[n, classes]`` by name.
        truth: True class indices ``[n]``.

    Returns:
        An ``<svg>`` element.
    """
    columns = min(_COLUMNS, len(models))
    rows = -(-len(models) // columns)
    drawn, plots = figure(0.6 + 2.5 * rows, columns=columns, rows=rows, width_inches=WIDE_INCHES)
    lines: list[Any] = []
    for plot, (name, scores) in zip(plots, models.items(), strict=False):
        plot.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=1, linestyle=":")
        before = plot.plot(*_curve(scores, truth), "o-", color=SERIES[1], markersize=4, linewidth=1.4)
        after = plot.plot(
            *_curve(cross_fitted(scores, truth), truth), "s--", color=SERIES[0], markersize=4, linewidth=1.4
        )
        lines = [*before, *after]
        plot.set_title(name, fontsize=9, color=INK)
        plot.set_xlim(0, 1.02)
        plot.set_ylim(0, 1.02)
        plot.set_xlabel("confidence")
    for place in range(0, len(models), columns):
        plots[place].set_ylabel("accuracy")
    for plot in plots[len(models) :]:
        plot.set_axis_off()
    legend(drawn, lines, ["as exported", "with temperature"], columns=2)
    return svg(drawn)


def _curve(scores: Float32Array, truth: IntArray) -> tuple[list[float], list[float]]:
    """Mean score and accuracy of each bin with enough images."""
    best = scores.max(axis=1).astype(np.float64)
    right = scores.argmax(axis=1) == truth
    bins = np.clip((best * ECE_BINS).astype(np.int64), 0, ECE_BINS - 1)
    used = [place for place in range(ECE_BINS) if np.sum(bins == place) >= _FEWEST_IN_BIN]
    return (
        [float(best[bins == place].mean()) for place in used],
        [float(right[bins == place].mean()) for place in used],
    )


def layers_plot(tensors: Mapping[str, tuple[LayerReport, ...]]) -> str:
    """Signal to quantization noise of every tensor, from the input to the output.

    Args:
        tensors: By artifact, in execution order.

    Returns:
        An ``<svg>`` element.
    """
    drawn, plots = figure(0.3 + 2.1 * len(tensors), rows=len(tensors), width_inches=WIDE_INCHES)
    for place, (plot, (name, rows)) in enumerate(zip(plots, tensors.items(), strict=True)):
        values = [min(row.sqnr_db, _MOST_DB) for row in rows]
        colour = SERIES[place % len(SERIES)]
        plot.plot(range(len(values)), values, "o-", color=colour, markersize=3, linewidth=1.2)
        for index in sorted(range(len(rows)), key=lambda row: values[row])[:_NAMED]:
            plot.plot([index], [values[index]], "o", color="#c0392b", markersize=5)
        plot.set_title(name, fontsize=9, color=INK)
        plot.set_ylabel("SQNR, dB")
        plot.set_ylim(bottom=min(0.0, min(values)))
        plot.grid(axis="y", color=NEUTRAL, alpha=0.25)
    plots[-1].set_xlabel("tensor, in execution order (red: lowest)")
    return svg(drawn)


def calibration_plot(reports: Mapping[str, CalibrationReport]) -> str:
    """Agreement and KL over the number of calibration images.

    Args:
        reports: By artifact, each with at least one size.

    Returns:
        An ``<svg>`` element.
    """
    drawn, plots = figure(2.8, columns=2, width_inches=WIDE_INCHES)
    lines = []
    for place, report in enumerate(reports.values()):
        colour = SERIES[place % len(SERIES)]
        counts = [size.images for size in report.sizes]
        for plot, values in zip(
            plots,
            ([100 * size.agreement for size in report.sizes], [size.kl for size in report.sizes]),
            strict=True,
        ):
            (line,) = plot.plot(counts, values, "o-", color=colour, markersize=5, linewidth=1.4)
        lines.append(line)
    for plot, title in zip(plots, ("agreement, %", "floored KL, nats"), strict=True):
        plot.set_xlabel("calibration images")
        plot.set_ylabel(title)
        plot.grid(color=NEUTRAL, alpha=0.25)
        plot.yaxis.get_major_formatter().set_useOffset(False)
    _end_at_100(plots[0])
    legend(drawn, lines, list(reports), columns=min(4, len(lines)))
    return svg(drawn)


def figure(
    height_inches: float, *, columns: int = 1, rows: int = 1, width_inches: float = HALF_INCHES
) -> tuple[Any, list[Any]]:
    """Creates a figure and its plots, row by row.

    Args:
        height_inches: Height of the whole figure.
        columns: Plots side by side.
        rows: Plots below each other.
        width_inches: Width of the whole figure.

    Raises:
        EnvironmentMissingError: Matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("Writing a report", "matplotlib", "export") from error
    # Text as text: smaller, selectable, and in the font of the page.
    with matplotlib.rc_context(_STYLE):
        drawn = Figure(figsize=(width_inches, height_inches), layout="constrained")
        plots = list(drawn.subplots(rows, columns, squeeze=False).flat)
    for plot in plots:
        plot.patch.set_alpha(0)
        plot.tick_params(colors=INK, length=0)
        for label in (plot.xaxis.label, plot.yaxis.label, plot.title):
            label.set_color(INK)
        for side, spine in plot.spines.items():
            spine.set_visible(side == "bottom")
            spine.set_color(NEUTRAL)
    drawn.patch.set_alpha(0)
    return drawn, plots


def legend(drawn: Any, handles: list[Any], names: list[str], columns: int) -> None:
    """Adds a legend below the figure.

    Args:
        drawn: The figure.
        handles: The drawn series.
        names: Their names.
        columns: Entries per row.
    """
    drawn.legend(
        handles, names, loc="outside lower center", ncols=columns, frameon=False, labelcolor=INK, fontsize=8.5,
        handlelength=1.2, columnspacing=1.2,
    )  # fmt: skip


def _note(plot: Any, text: str, end: float, row: int) -> None:
    """Writes beside the end of a bar."""
    plot.annotate(text, (end, row), (4, 0), textcoords="offset points", va="center", color=INK, fontsize=8)


def _end_at_100(plot: Any) -> None:
    """Ends an axis of percentages just above 100, with room for a marker: there is nothing beyond."""
    low, high = plot.get_ylim()
    plot.set_ylim(low, min(high, 100 + 0.05 * (100 - low)))


def svg(drawn: Any) -> str:
    """The figure as an ``<svg>`` element; deterministic for equal figures."""
    import matplotlib

    stored = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        drawn.savefig(stored, format="svg", metadata={"Date": None})
    text = stored.getvalue()
    # The metadata contains nothing but the address of the RDF vocabulary.
    return re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
