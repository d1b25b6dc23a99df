from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.asked_labels import MOST_LABELS, halves, read_scores, silent_chance, silent_photos

SCORES = Path(__file__).resolve().parents[4] / "shared" / "data" / "imagenet-scores.npz"


@pytest.mark.skipif(not SCORES.is_file(), reason="needs ../shared/data/imagenet-scores.npz")
def test_asked_verdict_is_that_of_all_labels_for_three_labels_in_a_hundred() -> None:
    found = halves(*read_scores(SCORES), 200, seed=0)
    assert [one.asked for one in found] == [one.labelled for one in found]
    assert sum(one.labelled == "pass" for one in found) > 150
    assert np.mean([one.answers / one.images for one in found]) <= MOST_LABELS


def test_photos_for_a_pass_without_labels() -> None:
    photos = silent_photos(0.005, most=1_000)
    assert photos is not None
    assert silent_chance(photos, 0.005) >= 0.8
    assert silent_chance(photos // 2, 0.005) < 0.8
    # Where as many answers differ as may be lost, no number of photos is enough.
    assert silent_photos(0.026, most=1_000) is None
