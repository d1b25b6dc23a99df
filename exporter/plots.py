"""Plots of a report, as inline SVG."""

from __future__ import annotations

import io
import re
from typing import Any

from edge_runtime.errors import EnvironmentMissingError
from exporter.amounts import latency_text, size_text
from exporter.verdict import CheckReport

_COLOURS = {"pass": "#1a7f4b", "inconclusive": "#b7791f", "fail": "#c0392b"}
_NEUTRAL = "#8a94a6"
_INK = "#5b6472"
_WIDTH_INCHES = 5.2
"""What a card of the page is wide, so that text is shown at its own size."""


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
    found = [report.artifacts[name] for name in names]
    columns = (
        ("MB", [one.bytes / 1e6 for one in found], [size_text(one.bytes) for one in found]),
        (
            "ms, one thread",
            [one.latency_ms for one in found],
            [latency_text(one.latency_ms) for one in found],
        ),
    )
    for plot, (title, values, texts) in zip(axes, columns, strict=True):
        plot.barh(rows, values, color=[_COLOURS[one.verdict] for one in found], height=0.55)
        plot.set_ylim(len(names) - 0.5, -0.5)
        plot.set_xlabel(title)
        plot.locator_params(axis="x", nbins=4)
        for row, (value, text) in enumerate(zip(values, texts, strict=True)):
            plot.annotate(
                text, (value, row), (4, 0), textcoords="offset points", va="center", color=_INK, fontsize=8
            )
        # Room for the text of the longest bar.
        plot.set_xlim(0, 1.6 * max(values))
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
        figure = Figure(figsize=(_WIDTH_INCHES, height_inches), layout="constrained")
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
