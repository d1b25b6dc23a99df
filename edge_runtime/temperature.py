"""Temperature scaling, so that a score of 0.8 is right eight times in ten.

Guo et al. 2017, On Calibration of Modern Neural Networks: ``softmax(z / T)``. Scores p are softmax
outputs, whose logarithms are the logits z up to a constant, so that it is ``p^(1/T)`` renormalised.
The exporter fits T with the same floor, see ``exporter/evidence/temperature.py``; a test holds the two together.
"""

from __future__ import annotations

import numpy as np

from edge_runtime.result import Float32Array

FLOOR_MASS = 1.0 / 512.0
"""Sum of the floors of all classes: a score of 0 has no logarithm."""


def softened(scores: Float32Array, temperature: float) -> Float32Array:
    """Rescales scores.

    Args:
        scores: float32 ``[classes]``, 0..1.
        temperature: T; above 1 flattens, below 1 sharpens.

    Returns:
        float32 ``[classes]``, summing to 1.
    """
    logits = np.log(np.maximum(scores.astype(np.float64), FLOOR_MASS / len(scores))) / temperature
    powers = np.exp(logits - logits.max())
    shares: Float32Array = (powers / powers.sum()).astype(np.float32)
    return shares
