"""Plots of individual models: confidence calibration, errors per layer, and calibration size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edge_runtime.result import Float32Array
from exporter.drift import ECE_BINS, IntArray
from exporter.evidence.record import LayerReport
from exporter.evidence.temperature import cross_fitted
from exporter.figure import INK, NEUTRAL, SERIES, WIDE_INCHES, figure, legend, svg
from exporter.quantize.calibration import CalibrationReport

_COLUMNS = 3
_FEWEST_IN_BIN = 8
_NAMED = 3
_MOST_DB = 80.0


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
    legend(drawn, lines, list(reports), columns=min(4, len(lines)))
    return svg(drawn)
