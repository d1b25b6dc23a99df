"""What a calibration's report means, in words."""

from __future__ import annotations

from exporter.quantize.calibration import CalibrationReport

MOST_CLIPPED = 0.001
"""Share of activations outside the ranges above which a user is warned.

True min/max of two hundred varied images leaves about one in ten thousand outside.
"""

MOST_SPREAD = 0.01
"""Difference of agreement between numbers of images above which a user is warned."""


def calibration_warnings(report: CalibrationReport) -> tuple[str, ...]:
    """Names what is wrong with a calibration; empty where nothing is.

    Args:
        report: What was measured of it.
    """
    warnings = []
    absent = [label for label, count in report.per_class.items() if not count]
    if absent and report.images >= len(report.per_class):
        warnings.append(
            f"no calibration image of {len(absent)} of {len(report.per_class)} classes, such as {absent[0]}"
        )
    if report.clipped is not None and report.clipped > MOST_CLIPPED:
        warnings.append(
            f"{100 * report.clipped:.2g} % of the activations of other images are cut off; "
            "calibrate on more, or more varied, images"
        )
    if report.spread > MOST_SPREAD:
        warnings.append(
            f"agreement moves by {100 * report.spread:.2f} points between {report.sizes[0].images} and "
            f"{report.sizes[-1].images} images; calibrate on more"
        )
    if report.largest is not None and report.largest.overflows:
        warnings.append(f"the float model {report.largest.text}")
    return tuple(warnings)
