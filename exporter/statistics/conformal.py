"""Split conformal prediction: a threshold that keeps a wanted share of images, whatever the score is.

Of n images that nothing was fitted to, each has a score. The threshold is the k-th lowest, k = floor((1 - share)
(n + 1)), and a new image is kept if its score is at least that. The scores of n + 1 images drawn alike come in every
order alike, so the new one is below the k-th lowest of the others with a probability of at most k / (n + 1): at least
the wanted share is kept, on average over the n images (Vovk et al. 2005, Algorithmic Learning in a Random World).
"""

from __future__ import annotations

import math

import numpy as np

from edge_runtime.common.arrays import Float64Array
from edge_runtime.engines.result import Float32Array


def conformal_threshold(scores: Float32Array | Float64Array, share: float) -> float | None:
    """The threshold that keeps a share of images.

    Args:
        scores: A score of each image, ``[n]``.
        share: The share to keep, above 0 and below 1.

    Returns:
        One of the scores; None of fewer than :func:`fewest_images`.
    """
    # Rounded, or 1 - 0.9 would be a little below a tenth.
    rank = math.floor(round((1.0 - share) * (len(scores) + 1), 9))
    return float(np.sort(scores)[rank - 1]) if rank else None


def fewest_images(share: float) -> int:
    """Fewest images for a threshold: 9 for 90 %, 19 for 95 %, 99 for 99 %.

    Args:
        share: The share to keep, above 0 and below 1.
    """
    return math.ceil(round(1.0 / (1.0 - share), 9)) - 1
