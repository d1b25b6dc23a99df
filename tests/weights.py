"""Weights of trained runs, compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trainer.evaluation.evaluation import load_model


def greatest_difference(first: Path, second: Path) -> float:
    """The largest difference of any weight of two runs."""
    pairs = zip(load_model(first).get_weights(), load_model(second).get_weights(), strict=True)
    return max(float(np.abs(mine - theirs).max()) for mine, theirs in pairs if mine.size)
