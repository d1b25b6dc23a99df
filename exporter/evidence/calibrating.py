"""Warnings about a calibration, in words."""

from __future__ import annotations

from exporter.quantize.calibration import CalibrationReport

MOST_CLIPPED = 0.001
"""Share of activations outside the ranges above which a user is warned.

With the true min/max of two hundred varied images, about one in ten thousand lies outside.
"""

MOST_SPREAD = 0.01
"""Difference in agreement between numbers of calibration images above which a user is warned."""


def calibration_warnings(report: CalibrationReport) -> tuple[str, ...]:
    """Lists the problems of a calibration; empty if there are none.

    Args:
        report: Its measurements.
    """
    warnings = []
    absent = [label for label, count in report.per_class.items() if not count]
    if absent and report.images >= len(report.per_class):
        warnings.append(
            f"no calibration images for {len(absent)} of {len(report.per_class)} classes, such as {absent[0]}"
        )
    if report.clipped is not None and report.clipped > MOST_CLIPPED:
        warnings.append(
            f"{100 * report.clipped:.2g} % of the activations of other images are clipped; "
            "calibrate on more, or more varied, images"
        )
    if report.spread > MOST_SPREAD:
        warnings.append(
            f"agreement varies by {100 * report.spread:.2f} points between {report.sizes[0].images} and "
            f"{report.sizes[-1].images} images; calibrate on more"
        )
    if report.largest is not None and report.largest.overflows:
        warnings.append(f"the float model {report.largest.text}")
    return tuple(warnings)
