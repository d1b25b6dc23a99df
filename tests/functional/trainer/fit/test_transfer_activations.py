"""Activations of the frozen part: computed once, kept on disk, as exact as their type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.common.errors import DataError, UsageError
from tests.thread_ranks import on_ranks
from trainer.core.cache import Pixels
from trainer.fit.activations import cached_activations
from trainer.fit.forward import forward_pass
from trainer.progress import silent
from trainer.ranks.ranks import Ranks

ARRAY = np.random.default_rng(0).integers(0, 256, (9, 12, 12, 3), dtype=np.uint8)
CHOSEN = np.array([0, 2, 3, 8], np.int64)


def front(scale: float = 1.0, pooled: bool = False) -> Any:
    import keras

    inputs = keras.Input((12, 12, 3))
    x = keras.layers.Rescaling(scale)(inputs)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x) if pooled else x)


def activations(model: Any, pixels: Pixels, *paths: Path, **options: Any) -> list[Any]:
    outputs = model.outputs
    return cached_activations(
        lambda: forward_pass(model), [output.shape[1:] for output in outputs], pixels, CHOSEN, paths,
        progress=silent, **options,
    )  # fmt: skip


def test_activations_are_the_fronts_and_are_kept(session: Any, tmp_path: Path) -> None:
    pixels = session(ARRAY, [0, 1] * 4 + [0], 9).pixels
    path = tmp_path / "deep" / "a.npy"
    (first,) = activations(front(), pixels, path)
    assert first.dtype == np.float16
    np.testing.assert_array_equal(first, ARRAY[CHOSEN].astype(np.float16))
    # The file answers now, not the model.
    (again,) = activations(front(scale=5.0), pixels, path)
    np.testing.assert_array_equal(again, first)
    assert not list(path.parent.glob("*.tmp"))


def test_damaged_file_is_computed_again(session: Any, tmp_path: Path) -> None:
    pixels = session(ARRAY, [0, 1] * 4 + [0], 9).pixels
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY nonsense")
    assert activations(front(), pixels, path)[0].shape == (4, 12, 12, 3)


def test_values_beyond_float16_are_kept_as_float32(session: Any, tmp_path: Path) -> None:
    pixels = session(ARRAY, [0, 1] * 4 + [0], 9).pixels
    (made,) = activations(front(scale=1000.0), pixels, tmp_path / "a.npy")
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, ARRAY[CHOSEN] * 1000.0, rtol=1e-6)


def test_values_that_are_no_numbers_are_refused_in_one_line(session: Any, tmp_path: Path) -> None:
    pixels = session(ARRAY, [0, 1] * 4 + [0], 9).pixels
    with pytest.raises(DataError, match="must be finite"):
        activations(front(scale=float("inf")), pixels, tmp_path / "a.npy")
    assert not list(tmp_path.glob("a*"))


def test_folder_that_cannot_be_written_is_refused_in_one_line(session: Any, tmp_path: Path) -> None:
    pixels = session(ARRAY, [0, 1] * 4 + [0], 9).pixels
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="must be writable"):
        activations(front(), pixels, tmp_path / "file" / "a.npy")


def test_feature_vectors_are_float32(session: Any, tmp_path: Path) -> None:
    pixels = session(ARRAY, [0, 1] * 4 + [0], 9).pixels
    (made,) = activations(front(pooled=True), pixels, tmp_path / "a.npy")
    assert made.dtype == np.float32
    assert made.shape == (4, 3)


def test_view_is_augmented_by_its_seed(session: Any, tmp_path: Path) -> None:
    pixels = session(ARRAY, [0, 1] * 4 + [0], 9).pixels
    made = [
        np.array(activations(front(), pixels, tmp_path / f"{place}.npy", augment=("rotation",), seed=seed)[0])
        for place, seed in enumerate((1, 1, 2))
    ]  # fmt: skip
    np.testing.assert_array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
    assert not np.array_equal(made[0], ARRAY[CHOSEN].astype(np.float16))


def test_one_pass_gives_every_output_and_a_missing_file_makes_it_run_again(
    session: Any, tmp_path: Path
) -> None:
    import keras

    pixels = session(ARRAY, [0, 1] * 4 + [0], 9).pixels
    whole = front()
    both = keras.Model(whole.input, [keras.layers.GlobalAveragePooling2D()(whole.output), whole.output])
    passes: list[int] = []
    run = forward_pass(both)

    def counted(batch: Any) -> list[Any]:
        passes.append(len(batch))
        return run(batch)

    def computed() -> list[Any]:
        return cached_activations(
            lambda: counted, [(3,), (12, 12, 3)], pixels, CHOSEN, [tmp_path / "a.npy", tmp_path / "b.npy"],
            progress=silent,
        )  # fmt: skip

    features, maps = computed()
    assert (features.dtype, maps.dtype) == (np.float32, np.float16)
    np.testing.assert_allclose(features, ARRAY[CHOSEN].mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_array_equal(maps, ARRAY[CHOSEN].astype(np.float16))
    assert passes == [4]
    computed()
    assert passes == [4]
    (tmp_path / "a.npy").unlink()
    computed()
    assert passes == [4, 4]


def test_ranks_divide_the_batches_and_read_one_file(
    session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.fit.activations.BATCH", 2)
    pixels = session(ARRAY, [0, 1] * 4 + [0], 9).pixels
    chosen = np.arange(9)

    def work(folder: Path, group: Any, ranks: Ranks) -> tuple[Any, int]:
        run, passes = forward_pass(front()), []

        def counted(batch: Any) -> list[Any]:
            passes.append(len(batch))
            return run(batch)

        (made,) = cached_activations(
            lambda: counted, [(12, 12, 3)], pixels, chosen, [folder / "a.npy"], augment=("rotation",), seed=3,
            progress=silent, ranks=ranks,
        )  # fmt: skip
        return np.array(made), len(passes)

    expected, passes = work(tmp_path / "alone", None, Ranks())
    assert passes == 5
    shared = tmp_path / "shared"
    found = on_ranks(2, lambda group: work(shared, group, Ranks(group, (0, 1))))
    # Bit for bit those of one process, the random numbers of the augmentation too.
    for made, _ in found:
        np.testing.assert_array_equal(made, expected)
    assert [passes for _, passes in found] == [3, 2]
    assert [path.name for path in shared.iterdir()] == ["a.npy"]
    # Two machines: each computes all.
    found = on_ranks(2, lambda group: work(tmp_path / str(group.rank), group, Ranks(group, (group.rank,))))
    assert [passes for _, passes in found] == [5, 5]
    np.testing.assert_array_equal(found[1][0], expected)


def test_overflow_that_one_rank_sees_is_that_of_all(
    session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.fit.activations.BATCH", 2)
    array = ARRAY.copy()
    array[:2] = 0
    pixels = session(array, [0, 1] * 4 + [0], 9).pixels

    def work(group: Any) -> Any:
        (made,) = cached_activations(
            lambda: forward_pass(front(scale=1000.0)), [(12, 12, 3)], pixels, np.arange(4), [tmp_path / "a.npy"],
            progress=silent, ranks=Ranks(group, (0, 1)),
        )  # fmt: skip
        return made

    for made in on_ranks(2, work):
        assert made.dtype == np.float32
        np.testing.assert_allclose(made, array[:4] * 1000.0, rtol=1e-6)
