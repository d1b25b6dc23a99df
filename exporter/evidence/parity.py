"""The parity matrix: every artifact against the full model and against each other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge_runtime.result import Float32Array
from exporter.drift import agreement
from exporter.evidence.record import ParityReport

FULL_MODEL = "full model"


def parity_report(reference: Float32Array, scores: Mapping[str, Float32Array]) -> ParityReport:
    """Compares all pairs.

    Args:
        reference: The full model's scores ``[n, classes]``.
        scores: Scores of each artifact on the same images, by name.
    """
    tables = {FULL_MODEL: reference, **scores}
    names = tuple(tables)
    agreed = np.ones((len(names), len(names)))
    change = np.zeros((len(names), len(names)))
    for row, one in enumerate(names):
        for column, other in enumerate(names[:row]):
            agreed[row, column] = agreed[column, row] = agreement(tables[one], tables[other])
            change[row, column] = change[column, row] = np.max(np.abs(tables[one] - tables[other]))
    return ParityReport(
        names=names,
        agreement=tuple(tuple(map(float, row)) for row in agreed),
        max_abs_dp=tuple(tuple(map(float, row)) for row in change),
    )
