"""Plots of a report, as inline SVG."""

from __future__ import annotations

import io
import re
from typing import Any

from edge_runtime.errors import EnvironmentMissingError
from exporter.verdict import CheckReport

_COLOURS = {"pass": "#1a7f4b", "inconclusive": "#b7791f", "fail": "#c0392b"}
_NEUTRAL = "#8a94a6"
_INK = "#5b6472"


def interval_plot(report: CheckReport) -> str:
    """Each artifact's top-1 change with its 90 % interval, against the margin.

    Args:
        report: What a check found.

    Returns:
        An ``<svg>`` element.
    """
    names = list(report.artifacts)
    figure, axes = _figure(0.9 + 0.42 * len(names))
    for row, name in enumerate(names):
        found = report.artifacts[name]
        colour = _COLOURS[found.verdict]
        axes.plot([100 * found.bound, 100 * found.upper], [row, row], color=colour, linewidth=3, alpha=0.55)
        axes.plot([100 * found.delta], [row], "o", color=colour, markersize=7)
    axes.axvline(0, color=_NEUTRAL, linewidth=1)
    axes.axvline(-100 * report.margin, color=_COLOURS["fail"], linewidth=1.2, linestyle="--")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel("top-1 change, points (dashed: margin)")
    return _svg(figure)


def size_latency_plot(report: CheckReport) -> str:
    """Each artifact's size and latency, one beside the other.

    Args:
        report: What a check found.

    Returns:
        An ``<svg>`` element.
    """
    names = list(report.artifacts)
    figure, axes = _figure(0.9 + 0.42 * len(names), columns=2)
    rows = range(len(names))
    sizes = [report.artifacts[name].bytes / 1e6 for name in names]
    times = [report.artifacts[name].latency_ms for name in names]
    for plot, values, title in ((axes[0], sizes, "MB"), (axes[1], times, "ms, one thread")):
        plot.barh(
            rows, values, color=[_COLOURS[report.artifacts[name].verdict] for name in names], height=0.55
        )
        plot.set_ylim(len(names) - 0.5, -0.5)
        plot.set_xlabel(title)
        for row, value in enumerate(values):
            plot.text(value, row, f" {value:.3g}", va="center", color=_INK, fontsize=8)
        plot.set_xlim(0, 1.25 * max(values))
    axes[0].set_yticks(rows, names)
    axes[1].set_yticks([])
    return _svg(figure)


def _figure(height_inches: float, columns: int = 1) -> tuple[Any, Any]:
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("Writing a report", "matplotlib", "export") from error
    # Text as text: smaller, selectable, and in the page's font.
    style = {"svg.fonttype": "none", "font.size": 9, "svg.hashsalt": "snapship"}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(6.4, height_inches), layout="constrained")
        axes = figure.subplots(1, columns)
    for plot in axes if columns > 1 else [axes]:
        plot.patch.set_alpha(0)
        plot.tick_params(colors=_INK, length=0)
        plot.xaxis.label.set_color(_INK)
        for side, spine in plot.spines.items():
            spine.set_visible(side == "bottom")
            spine.set_color(_NEUTRAL)
    figure.patch.set_alpha(0)
    return figure, axes


def _svg(figure: Any) -> str:
    import matplotlib

    stored = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "snapship"}):
        figure.savefig(stored, format="svg", metadata={"Date": None})
    text = stored.getvalue()
    # Its metadata says nothing but where the RDF vocabulary lives.
    return re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
