"""A full model at chance is refused, with what would have been right."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest

from edge_runtime.common.errors import DataError, UsageError
from edge_runtime.common.progress import Progress
from edge_runtime.dataset import ImageSet, Item, class_order
from exporter.reference.usage_check import (
    ReferenceUse,
    balanced_rows,
    order_is_open,
    settle_reference,
    use_of_run,
)
from exporter.source.images import PixelTable
from exporter.source.input_range import InputRange
from exporter.source.scoring import Scorer

TWELVE = class_order(str(number) for number in range(1, 13))
FOREIGN = ReferenceUse("model.onnx", "Pass --labels or --input-range", labels_option="--labels")


def quiet(step: str, done: int, total: int) -> None:
    pass


def table_of(labels: tuple[str, ...], truth: np.ndarray) -> PixelTable:
    """Images whose first pixel is their class."""
    pixels = np.zeros((len(truth), 2, 2, 1), dtype=np.uint8)
    pixels[:, 0, 0, 0] = truth
    items = tuple(
        Item(f"{place}.png", int(label), "val", f"{place:064}") for place, label in enumerate(truth)
    )
    images = ImageSet("photos", labels, items, lambda item: b"")
    return PixelTable(pixels, truth.astype(np.int64), images)


@pytest.fixture
def table() -> Iterator[PixelTable]:
    """Twelve classes by number, of 20 images each."""
    with table_of(TWELVE, np.repeat(np.arange(12), 20)) as table:
        yield table


def scores_of(answers: np.ndarray, classes: int = 12) -> np.ndarray:
    return np.eye(classes, dtype=np.float32)[answers]


def refusal(scores: np.ndarray, table: PixelTable, use: ReferenceUse, progress: Progress = quiet) -> str:
    with pytest.raises(DataError) as caught:
        settle_reference(scores, table, use, "error", progress)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_good_model_passes_without_a_word(table: PixelTable) -> None:
    assert settle_reference(scores_of(table.truth), table, FOREIGN, "error", quiet) == ()


def test_constant_model_is_refused_and_can_be_allowed(table: PixelTable) -> None:
    scores = scores_of(np.zeros(240, dtype=int))
    error = refusal(scores, table, FOREIGN)
    assert "model.onnx with a balanced accuracy of 8.33 % on 240 images of 12 classes" in error
    assert "guessing gives 8.33 %" in error
    assert error.endswith("Pass --labels or --input-range, or --weak-reference allow.")
    assert "it would be right" not in error
    assert settle_reference(scores, table, FOREIGN, "allow", quiet) == ()


def test_run_folder_names_neither_labels_nor_range(table: PixelTable) -> None:
    from pathlib import Path

    error = refusal(scores_of(np.zeros(240, dtype=int)), table, use_of_run(Path("runs/x")))
    assert "runs/x" in error
    assert "--data" in error
    assert not re.search("--labels|--input-range|--reference-range", error)


def test_too_few_images_are_not_called_a_bad_model() -> None:
    with table_of(("cat", "dog"), np.array([0, 0, 1, 1])) as few:
        error = refusal(scores_of(few.truth, 2), few, FOREIGN)
    assert "4 images of 2 classes" in error
    assert "more labelled images" in error
    assert "6.2 %" in error
    assert "--labels" not in error


def test_almost_above_chance_asks_for_more_images(table: PixelTable) -> None:
    """24 of 240 right where guessing gives 20: it may be a bad model, or bad luck."""
    answers = np.where(np.arange(240) % 20 < 2, table.truth, (table.truth + 1) % 12)
    assert "more images, or --weak-reference allow" in refusal(scores_of(answers), table, FOREIGN)


def test_other_input_range_that_is_clearly_right_is_named(table: PixelTable) -> None:
    asked: list[InputRange] = []

    def under(name: InputRange) -> Scorer:
        asked.append(name)

        def score(pixels: np.ndarray, progress: object = None, step: str = "") -> np.ndarray:
            seen = pixels[:, 0, 0, 0].astype(int)
            right = np.random.default_rng(0).random(len(seen)) < {"0..255": 0.9, "0..1": 0.4}.get(name, 0.0)
            return scores_of(np.where(right, seen, 0))

        return score

    use = ReferenceUse(
        "model.onnx", "Pass --reference-range", range_option="--reference-range", input_range="-1..1", scorer=under
    )  # fmt: skip
    error = refusal(scores_of(np.zeros(240, dtype=int)), table, use)
    assert re.search(r"With --reference-range 0\.\.255 it would be right on \d\d %\.", error)
    assert sorted(asked) == ["0..1", "0..255", "imagenet"]


def test_range_that_the_model_does_not_take_is_passed_over(table: PixelTable) -> None:
    def under(name: InputRange) -> Scorer:
        raise UsageError("A quantized input must hold the pixels' range.")

    use = ReferenceUse("m.tflite", "Pass --input-range", range_option="--input-range", scorer=under)
    assert "it would be right" not in refusal(scores_of(np.zeros(240, dtype=int)), table, use)


def test_other_order_of_given_labels_is_named(table: PixelTable) -> None:
    """Labels from a file or a bundle are used as they are, and a wrong order of them is said."""
    text = sorted(TWELVE)
    answers = np.array([text.index(name) for name in TWELVE])[table.truth]
    error = refusal(scores_of(answers), table, FOREIGN)
    assert "With --labels sorted as text (1, 10, 11, 12, ...) it would be right on 100 %." in error
    assert table.images.labels == TWELVE


def test_range_and_order_together(table: PixelTable) -> None:
    text = sorted(TWELVE)
    places = np.array([text.index(name) for name in TWELVE])

    def under(name: InputRange) -> Scorer:
        return lambda pixels, progress=None, step="": scores_of(
            places[pixels[:, 0, 0, 0].astype(int)] if name == "0..1" else np.zeros(len(pixels), dtype=int)
        )

    use = ReferenceUse(
        "m.onnx", "Pass --labels", open_order=True, labels_option="--labels", range_option="--input-range",
        scorer=under,
    )  # fmt: skip
    error = refusal(scores_of(np.zeros(240, dtype=int)), table, use)
    assert "With --input-range 0..1" in error
    assert "100 %" in error


def test_open_order_is_found_and_said(table: PixelTable) -> None:
    text = sorted(TWELVE)
    truth = table.truth.copy()
    answers = np.array([text.index(name) for name in TWELVE])[truth]
    use = ReferenceUse("m.onnx", "Pass --labels", open_order=True, labels_option="--labels")
    (note,) = settle_reference(scores_of(answers), table, use, "error", quiet)
    assert "100.0 % sorted as text (1, 10, 11, 12, ...), 8.3 % sorted by number" in note
    assert table.images.labels == tuple(text)
    assert np.array_equal(table.truth, answers)
    assert [table.images.labels[item.label] for item in table.images.items] == [TWELVE[row] for row in truth]


def test_order_that_stays_open_is_refused_even_where_a_weak_model_is_allowed(table: PixelTable) -> None:
    use = ReferenceUse("m.onnx", "Pass --labels", open_order=True, labels_option="--labels")
    scores = scores_of(np.zeros(240, dtype=int))
    assert "--labels" in refusal(scores, table, use)
    with pytest.raises(UsageError, match="--labels FILE") as caught:
        settle_reference(scores, table, use, "allow", quiet)
    assert "\n" not in str(caught.value)


def test_which_data_leaves_its_order_open() -> None:
    def images(labels: tuple[str, ...], native_size: tuple[int, int] | None = None) -> ImageSet:
        return ImageSet("photos", labels, (), lambda item: b"", native_size=native_size)

    assert order_is_open(images(TWELVE))
    assert order_is_open(images(("10_x", "2_x")))
    assert not order_is_open(images(("daisy", "roses")))
    # A list that somebody wrote, and labels that are indices.
    assert not order_is_open(images(tuple(sorted(TWELVE))))
    assert not order_is_open(images(("b", "a")))
    assert not order_is_open(images(TWELVE, native_size=(28, 28)))


def test_rows_are_spread_over_the_classes() -> None:
    truth = np.repeat([3, 0, 7], [50, 4, 2])
    rows = balanced_rows(truth, 12)
    assert np.bincount(truth[rows]).tolist() == [4, 0, 0, 6, 0, 0, 0, 2]
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert len(balanced_rows(truth, 1000)) == 56
