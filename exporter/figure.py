"""Figures of a report: matplotlib as inline SVG in the colours of the page."""

from __future__ import annotations

import io
import re
from typing import Any

from edge_runtime.errors import EnvironmentMissingError

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


def svg(drawn: Any) -> str:
    """The figure as an ``<svg>`` element; deterministic for equal figures."""
    import matplotlib

    stored = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        drawn.savefig(stored, format="svg", metadata={"Date": None})
    text = stored.getvalue()
    # The metadata contains nothing but the address of the RDF vocabulary.
    return re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
