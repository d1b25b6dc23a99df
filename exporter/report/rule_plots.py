"""The plot of what a threshold on the confidence would do: error against coverage."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.evidence.rules_record import RulesReport
from exporter.report.plots import COLOURS, NEUTRAL, SERIES, WIDE_INCHES, figure, legend, svg


def abstain_plot(reports: Mapping[str, RulesReport]) -> str:
    """The error rate of the answered images over the share of images that is answered, one line per artifact.

    Args:
        reports: By artifact, each with an abstain report.

    Returns:
        An ``<svg>`` element.
    """
    drawn, (plot,) = figure(3.4, width_inches=WIDE_INCHES)
    handles, limit, highest = [], 0.0, 0.0
    for place, report in enumerate(reports.values()):
        found = report.abstain
        assert found is not None
        colour = SERIES[place % len(SERIES)]
        across = [100 * point.answered / report.images for point in found.curve]
        up = [100 * point.errors / point.answered for point in found.curve]
        (line,) = plot.plot(across, up, color=colour, linewidth=1.6, alpha=0.9)
        handles.append(line)
        limit = 100 * found.max_error
        highest = max(highest, *up, limit)
        if found.rule is not None:
            # The rule's threshold is rarely one of the curve's: the last point that it answers.
            marked = [at for at, point in enumerate(found.curve) if point.threshold >= found.rule.threshold]
            if marked:
                plot.plot([across[marked[-1]]], [up[marked[-1]]], "o", color=colour, markersize=9)
    plot.axhline(limit, color=COLOURS["fail"], linewidth=1.2, linestyle="--")
    plot.set_xlim(0, 102)
    plot.set_ylim(0, 1.08 * highest)
    plot.set_xlabel("images answered, % (dot: the rule; dashed: the limit)")
    plot.set_ylabel("wrong among answered, %")
    plot.grid(color=NEUTRAL, alpha=0.25)
    plot.set_axisbelow(True)
    legend(drawn, handles, list(reports), columns=min(4, len(handles)))
    return svg(drawn)
