"""Candidates: what is close is found without comparing all with all, at any size of set."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.engines.result import Float32Array
from trainer.data_checks import near_duplicates
from trainer.data_checks.near_duplicates import MIN_COSINE, descriptors, mirrored, near_pairs


def unit(rows: object) -> Float32Array:
    array = np.asarray(rows, np.float32)
    return np.asarray(array / np.linalg.norm(array, axis=1, keepdims=True), np.float32)


def photo_like(count: int, seed: int = 0) -> Float32Array:
    """Descriptors that fall off with frequency, as those of photos do."""
    order = (np.add.outer(np.arange(8), np.arange(8)).ravel()[1:]) ** 1.5
    return unit(np.random.default_rng(seed).normal(size=(count, 63)) / order)


def test_descriptor_knows_no_brightness_and_no_contrast() -> None:
    pixels = np.random.default_rng(1).integers(60, 120, (5, 40, 30, 3), dtype=np.uint8)
    np.testing.assert_allclose(descriptors(pixels), descriptors(pixels + 20), atol=1e-5)
    np.testing.assert_allclose(descriptors(pixels), descriptors(pixels * 2), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(descriptors(pixels), axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("shape", [(20, 31, 3), (8, 8, 1), (150, 40, 3), (3, 5, 1)])
def test_mirrored_descriptor_is_that_of_the_mirrored_picture(shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (6, *shape), dtype=np.uint8)
    np.testing.assert_allclose(mirrored(descriptors(pixels)), descriptors(pixels[:, :, ::-1]), atol=1e-4)


def test_blank_pictures_match_nothing() -> None:
    blank = np.full((50, 16, 16, 3), 90, np.uint8)
    assert not descriptors(blank).any()
    assert len(near_pairs(descriptors(blank)).first) == 0


@pytest.mark.parametrize("few", [0, 100_000])
def test_copies_among_many_are_found_and_nothing_else(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(near_duplicates, "FEW", few)
    rows = photo_like(3_000)
    noise = np.random.default_rng(3).normal(size=(300, 63))
    copies = unit(rows[:300] + 0.05 * noise / np.linalg.norm(noise, axis=1, keepdims=True))
    copies[150:] = mirrored(copies[150:])
    found = near_pairs(np.concatenate([rows, copies]))
    assert found.cosine.min() >= MIN_COSINE
    expected = {(place, 3_000 + place): place >= 150 for place in range(300)}
    pairs = zip(found.first.tolist(), found.second.tolist(), strict=True)
    assert dict(zip(pairs, found.flipped.tolist(), strict=True)) == expected


def test_thousands_that_look_alike_do_not_explode() -> None:
    rows = unit(photo_like(1) + 0.001 * photo_like(20_000, seed=4))
    found = near_pairs(rows)
    # All 200 million pairs are close: of each row a few are enough to know it by.
    assert len(found.first) < 200 * 20_000
    assert len(set(found.first.tolist()) | set(found.second.tolist())) > 19_000
