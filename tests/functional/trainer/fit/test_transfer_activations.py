"""Activations of the frozen part: computed once, kept on disk, as exact as their type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.common.errors import DataError, UsageError
from trainer.fit.transfer import cached_activations
from trainer.progress import silent

ARRAY = np.random.default_rng(0).integers(0, 256, (9, 12, 12, 3), dtype=np.uint8)
CHOSEN = np.array([0, 2, 3, 8], np.int64)


def front(scale: float = 1.0, pooled: bool = False) -> Any:
    import keras

    inputs = keras.Input((12, 12, 3))
    x = keras.layers.Rescaling(scale)(inputs)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x) if pooled else x)


def test_activations_are_the_fronts_and_are_kept(session: Any, tmp_path: Path) -> None:
    pixels = session(ARRAY, [0, 1] * 4 + [0], 9).pixels
    path = tmp_path / "deep" / "a.npy"
    first = cached_activations(front(), pixels, CHOSEN, path, progress=silent)
    assert first.dtype == np.float16
    np.testing.assert_array_equal(first, ARRAY[CHOSEN].astype(np.float16))
    # The file answers now, not the model.
    again = cached_activations(front(scale=5.0), pixels, CHOSEN, path, progress=silent)
    np.testing.assert_array_equal(again, first)
    assert not list(path.parent.glob("*.tmp"))


def test_damaged_file_is_computed_again(session: Any, tmp_path: Path) -> None:
    pixels = session(ARRAY, [0, 1] * 4 + [0], 9).pixels
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY nonsense")
    assert cached_activations(front(), pixels, CHOSEN, path, progress=silent).shape == (4, 12, 12, 3)


def test_values_beyond_float16_are_kept_as_float32(session: Any, tmp_path: Path) -> None:
    pixels = session(ARRAY, [0, 1] * 4 + [0], 9).pixels
    made = cached_activations(front(scale=1000.0), pixels, CHOSEN, tmp_path / "a.npy", progress=silent)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, ARRAY[CHOSEN] * 1000.0, rtol=1e-6)


def test_values_that_are_no_numbers_are_refused_in_one_line(session: Any, tmp_path: Path) -> None:
    pixels = session(ARRAY, [0, 1] * 4 + [0], 9).pixels
    with pytest.raises(DataError, match="must be finite"):
        cached_activations(front(scale=float("inf")), pixels, CHOSEN, tmp_path / "a.npy", progress=silent)
    assert not list(tmp_path.glob("a*"))


def test_folder_that_cannot_be_written_is_refused_in_one_line(session: Any, tmp_path: Path) -> None:
    pixels = session(ARRAY, [0, 1] * 4 + [0], 9).pixels
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="must be writable"):
        cached_activations(front(), pixels, CHOSEN, tmp_path / "file" / "a.npy", progress=silent)


def test_feature_vectors_are_float32(session: Any, tmp_path: Path) -> None:
    pixels = session(ARRAY, [0, 1] * 4 + [0], 9).pixels
    made = cached_activations(front(pooled=True), pixels, CHOSEN, tmp_path / "a.npy", progress=silent)
    assert made.dtype == np.float32
    assert made.shape == (4, 3)


def test_view_is_augmented_by_its_seed(session: Any, tmp_path: Path) -> None:
    pixels = session(ARRAY, [0, 1] * 4 + [0], 9).pixels
    made = [
        np.array(cached_activations(front(), pixels, CHOSEN, tmp_path / f"{place}.npy", augment=("rotation",),
                                    seed=seed, progress=silent))
        for place, seed in enumerate((1, 1, 2))
    ]  # fmt: skip
    np.testing.assert_array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
    assert not np.array_equal(made[0], ARRAY[CHOSEN].astype(np.float16))
