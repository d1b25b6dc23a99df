"""Training curves as inline SVG that follows the page's colours."""

from __future__ import annotations

import io
from collections.abc import Sequence

from edge_runtime.errors import EnvironmentMissingError
from trainer.history import EpochRow

_INK = "#010203"
"""Stands for the page's text colour until the SVG is done; matplotlib knows no currentColor."""

_TRAIN, _VAL = "#8a8f98", "#2f7ed8"


def curve(rows: Sequence[EpochRow], figure: str, title: str) -> str:
    """Draws one figure over all epochs, for train and val.

    Args:
        rows: Epochs in the order in which they ran.
        figure: ``loss`` or ``accuracy``.
        title: Of the plot.

    Returns:
        An ``<svg>`` element; lines and text are in ``currentColor`` where they have no own.

    Raises:
        EnvironmentMissingError: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("The training report", "matplotlib", "train") from error
    settings = {
        "svg.fonttype": "none", "svg.hashsalt": figure, "font.family": "sans-serif", "text.color": _INK,
        "axes.edgecolor": _INK, "axes.labelcolor": _INK, "xtick.color": _INK, "ytick.color": _INK,
        "axes.spines.top": False, "axes.spines.right": False,
    }  # fmt: skip
    with matplotlib.rc_context(settings):
        # Figure without pyplot: no display, no global state.
        canvas = Figure(figsize=(5.2, 3.0), layout="constrained")
        axes = canvas.add_subplot()
        epochs = list(range(1, len(rows) + 1))
        mark = "o" if len(rows) <= 30 else ""
        for values, name, colour in (
            ([getattr(row, figure) for row in rows], "train", _TRAIN),
            ([getattr(row, f"val_{figure}") for row in rows], "val", _VAL),
        ):
            axes.plot(epochs, values, color=colour, label=name, marker=mark, markersize=3)
        for place in range(1, len(rows)):
            if rows[place].phase != rows[place - 1].phase:
                axes.axvline(place + 0.5, color=_INK, linewidth=0.8, linestyle=":")
                axes.annotate(
                    f" {rows[place].phase}", (place + 0.5, 1.0), xycoords=("data", "axes fraction"),
                    va="top", fontsize=8,
                )  # fmt: skip
        axes.set_title(title, fontsize=11)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.2)
        axes.legend(frameon=False, loc="best")
        buffer = io.StringIO()
        canvas.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace(_INK, "currentColor")
