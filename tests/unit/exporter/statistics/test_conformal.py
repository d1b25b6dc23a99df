"""A threshold keeps the share it promises, enumerated exactly."""

from __future__ import annotations

import numpy as np
import pytest

from exporter.statistics.conformal import conformal_threshold, fewest_images


@pytest.mark.parametrize("share", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("more", [0, 1, 21, 300])
def test_threshold_keeps_the_share_in_the_mean(share: float, more: int) -> None:
    # Of n + 1 different scores in random order, each is the new one as often.
    n = fewest_images(share) + more
    everything = np.arange(n + 1, dtype=np.float64)
    kept = 0
    for new in everything:
        threshold = conformal_threshold(np.delete(everything, int(new)), share)
        assert threshold is not None
        kept += bool(new >= threshold)
    assert share - 1e-12 <= kept / (n + 1) < share + 1 / (n + 1) + 1e-12


def test_one_image_less_gives_none_and_equal_scores_are_kept() -> None:
    assert [fewest_images(share) for share in (0.9, 0.95, 0.99)] == [9, 19, 99]
    assert conformal_threshold(np.zeros(18), 0.95) is None
    assert conformal_threshold(np.zeros(100), 0.95) == 0.0
