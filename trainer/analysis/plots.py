"""Plots as inline SVG in the page's colours."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

from edge_runtime.common.errors import EnvironmentMissingError
from trainer.analysis.robustness import Robustness
from trainer.core.backend import training_extra
from trainer.evaluation.metrics import ReliabilityBin
from trainer.run.run_json import EpochRow

_INK = "#010203"
"""Placeholder for currentColor, which matplotlib does not know."""

_TRAIN, _VAL = "#8a8f98", "#2f7ed8"
_FAMILY_COLOURS = ("#2f7ed8", "#8a8f98", "#d9a400", "#d64541", "#1f9d7a", "#9463d6", "#e2793a")
_FAMILY_MARKS = ("o", "s", "^", "D", "v", "P", "X")
"""Markers as well as colours, for readers who cannot tell the colours apart."""


def curve(rows: Sequence[EpochRow], figure: str, title: str) -> str:
    """Plots one metric over all epochs, for train and val.

    Args:
        rows: Epochs in the order in which they ran.
        figure: ``loss`` or ``accuracy``.
        title: Title of the plot.

    Returns:
        An ``<svg>`` element; lines and text without a colour of their own are in ``currentColor``.

    Raises:
        EnvironmentMissingError: matplotlib is not installed.
    """

    def draw(axes: Any) -> None:
        from matplotlib.ticker import MaxNLocator

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
        axes.legend(frameon=False, loc="best")

    return _svg(figure, draw)


def reliability_plot(bins: Sequence[ReliabilityBin]) -> str:
    """Plots the reliability diagram: accuracy against confidence.

    Args:
        bins: What :func:`trainer.evaluation.metrics.reliability` returns.
    """

    def draw(axes: Any) -> None:
        width = bins[0].high - bins[0].low
        most = max(bin_.images for bin_ in bins)
        axes.plot([0, 1], [0, 1], color=_INK, linewidth=0.9, linestyle="--", alpha=0.7, label="perfect")
        shown = [bin_ for bin_ in bins if bin_.accuracy is not None]
        for bin_ in shown:
            # Paler for bins with few images.
            axes.bar(
                bin_.low, bin_.accuracy, width * 0.92, align="edge", color=_VAL,
                alpha=0.3 + 0.7 * bin_.images / most, label="accuracy" if bin_ is shown[0] else None,
            )  # fmt: skip
            axes.annotate(
                str(bin_.images), ((bin_.low + bin_.high) / 2, bin_.accuracy), (0, 2),
                textcoords="offset points", ha="center", fontsize=6.5,
            )  # fmt: skip
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.08)
        axes.set_xlabel("confidence")
        axes.set_ylabel("accuracy")
        axes.legend(frameon=False, loc="upper left")

    return _svg("reliability", draw, (5.2, 3.6))


def robustness_plot(found: Robustness) -> str:
    """Plots accuracy over severity, one line per family.

    Args:
        found: The measured robustness.
    """

    def draw(axes: Any) -> None:
        severities = [0, *found.severities]
        for place, line in enumerate(found.curves):
            axes.plot(
                severities, [100 * value for value in (found.clean, *line.top1)], label=line.family,
                color=_FAMILY_COLOURS[place % len(_FAMILY_COLOURS)], markersize=4,
                marker=_FAMILY_MARKS[place % len(_FAMILY_MARKS)],
            )  # fmt: skip
        axes.set_xticks(severities)
        axes.set_ylim(0, 103)
        axes.set_xlabel("severity (0: unchanged)")
        axes.set_ylabel("top-1, %")
        axes.legend(frameon=False, loc="lower left", ncols=2, fontsize=8)

    return _svg("robustness", draw, (5.2, 3.6))


def _svg(name: str, draw: Callable[[Any], None], inches: tuple[float, float] = (5.2, 3.0)) -> str:
    """Renders one plot; the name makes its ids unique on the page."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("The report", "matplotlib", training_extra()) from error
    settings = {
        "svg.fonttype": "none", "svg.hashsalt": name, "font.family": "sans-serif", "text.color": _INK,
        "axes.edgecolor": _INK, "axes.labelcolor": _INK, "xtick.color": _INK, "ytick.color": _INK,
        "axes.spines.top": False, "axes.spines.right": False,
    }  # fmt: skip
    with matplotlib.rc_context(settings):
        # Figure without pyplot: no display, no global state.
        canvas = Figure(figsize=inches, layout="constrained")
        axes = canvas.add_subplot()
        axes.grid(alpha=0.2)
        axes.set_axisbelow(True)
        draw(axes)
        buffer = io.StringIO()
        canvas.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor")
    # Group ids that nothing refers to; they would clash on a page with several plots.
    text = re.sub(r' id="[A-Za-z0-9.]+_\d+"', "", text)
    # The metadata contains nothing but the RDF namespaces.
    return re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
