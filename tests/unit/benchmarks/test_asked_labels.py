from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.asked_labels import MOST_LABELS, halves, read_scores, silent_photos

SCORES = Path(__file__).resolve().parents[4] / "shared" / "data" / "imagenet-scores.npz"


@pytest.mark.skipif(not SCORES.is_file(), reason="needs ../shared/data/imagenet-scores.npz")
def test_asked_verdict_is_that_of_all_labels_for_three_labels_in_a_hundred() -> None:
    found = halves(*read_scores(SCORES), 200, seed=0)
    assert [one.asked for one in found] == [one.labelled for one in found]
    assert sum(one.labelled == "pass" for one in found) > 150
    assert np.mean([one.answers / one.images for one in found]) <= MOST_LABELS


def test_photos_for_a_pass_without_labels() -> None:
    # None lost needs 149 photos; where more differ, a few hundred are not enough.
    few, many = silent_photos((0.002, 0.02), most=400)
    assert few is not None
    assert 150 <= few <= 320
    assert many is None
