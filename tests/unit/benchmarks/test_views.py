from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.tiny import tiny_photos
from benchmarks.views import AS_IS, MIDDLES, in_views, views
from edge_runtime.dataset import open_dataset


def test_photos_that_calibrate_stay_as_they_are_and_the_others_come_in_all_views(tmp_path: Path) -> None:
    photos = tiny_photos(tmp_path / "photos", per_class=3)
    listed = in_views(photos, tmp_path / "views", lambda _, split: split == "train")
    before, after = open_dataset(photos), open_dataset(listed)
    assert after.labels == before.labels
    assert {item.sha256 for item in after.only("train").items} == {
        item.sha256 for item in before.only("train").items
    }
    assert len(after.only("val")) == len(before.only("val")) * 2 * len(MIDDLES)
    alone = [item for item in after.items if AS_IS in Path(item.ref).parts]
    assert len(alone) == len(before.only("val"))


def test_folds_share_no_photo(tmp_path: Path) -> None:
    photos = tiny_photos(tmp_path / "photos", per_class=3)
    judged = []
    for fold in range(3):
        listed = in_views(photos, tmp_path / str(fold), lambda place, _, fold=fold: place % 3 != fold)  # type: ignore[misc]
        judged.append({item.sha256 for item in open_dataset(listed).only("val").items})
    assert not judged[0] & judged[1]
    assert not judged[1] & judged[2]


def test_views_are_the_photo_its_middles_and_their_mirrors() -> None:
    pixels = np.arange(20 * 40 * 3, dtype=np.uint8).reshape(20, 40, 3)
    found = views(Image.fromarray(pixels))
    assert np.array_equal(np.asarray(found[AS_IS]), pixels)
    assert np.array_equal(np.asarray(found[f"{AS_IS}-mirrored"]), pixels[:, ::-1])
    assert np.array_equal(np.asarray(found["middle-0.9"]), pixels[1:19, 2:38])
