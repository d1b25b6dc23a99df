"""Plots comparing all artifacts of a check, as inline SVG."""

from __future__ import annotations

from exporter.amounts import latency_text, size_text
from exporter.evidence.record import ParetoReport, StepName
from exporter.figure import COLOURS, INK, NEUTRAL, SERIES, WIDE_INCHES, figure, legend, svg
from exporter.verdict import CheckReport

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
            plot.annotate(
                text, (value, row), (4, 0), textcoords="offset points", va="center", color=INK, fontsize=8
            )
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
        plot.set_xlim(left=0)
        plot.margins(x=0.1, y=0.2)
        plot.grid(color=NEUTRAL, alpha=0.25)
        plot.set_axisbelow(True)
        plot.yaxis.get_major_formatter().set_useOffset(False)
    plots[0].set_ylabel("top-1, %")
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
        plot.annotate(
            text, (left, row), (4, 0), textcoords="offset points", va="center", color=INK, fontsize=8
        )
    plot.set_yticks(range(len(rows)), [name for name, _ in rows])
    plot.set_ylim(len(rows) - 0.5, -0.5)
    plot.set_xlim(0, max(1.0, 1.12 * plot.get_xlim()[1]))
    plot.set_xlabel("images whose answer changes at this step, %")
    names = [name for name in _STEPS if name in used]
    legend(drawn, [used[name] for name in names], list(names), columns=len(names))
    return svg(drawn)
