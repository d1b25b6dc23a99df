"""Both resizes on the same labelled images: what suits is said, noise is not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.dataset import ImageSet, Item
from edge_runtime.image.input_spec import InputSpec
from exporter.reference import resize_choice
from exporter.reference.resize_choice import ResizesCompared, compare_resizes, resize_notes
from exporter.reference.usage_check import ReferenceUse, use_of_run
from exporter.source.images import PixelTable, decode_table

SPEC = InputSpec(8, 8)
FOREIGN = ReferenceUse("model.keras", "Pass --labels", resize_cure="Pass")


def quiet(step: str, done: int, total: int) -> None:
    pass


@contextmanager
def table_of(count: int, side: int, input: InputSpec = SPEC) -> Iterator[PixelTable]:
    """Noise of two classes, which shrinks to much contrast when it is plain and to little when it is not."""
    arrays = [
        np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8) for seed in range(count)
    ]
    items = tuple(
        Item(f"{at}.png", at % 2, "val", hashlib.sha256(array.tobytes()).hexdigest())
        for at, array in enumerate(arrays)
    )
    images = ImageSet("noise", ("a", "b"), items, lambda item: arrays[int(item.ref.split(".")[0])])
    with decode_table(images, input) as table:
        yield table


def one_hot(answers: Any) -> np.ndarray:
    return np.eye(2, dtype=np.float32)[answers]


class Model:
    """Right on the first images where the contrast is what it was trained on, on fewer elsewhere."""

    def __init__(self, plain: int, antialiased: int) -> None:
        self.rights, self.asked = {True: plain, False: antialiased}, 0

    def __call__(self, pixels: np.ndarray, progress: object = None, step: str = "") -> np.ndarray:
        self.asked += 1
        truth = np.arange(len(pixels)) % 2
        right = np.arange(len(pixels)) < self.rights[bool(pixels.std() > 25)]
        return one_hot(np.where(right, truth, 1 - truth))


def notes(model: Model, count: int = 60, side: int = 32, input: InputSpec = SPEC) -> tuple[str, ...]:
    with table_of(count, side, input) as table:
        return resize_notes(model(table.pixels), table, input, model, FOREIGN, quiet)


def test_the_other_one_suits_and_the_option_is_named() -> None:
    assert notes(Model(plain=50, antialiased=39)) == (
        "plain resizing suits model.keras: right on 11 more of 60 images than with antialiased (11 only with "
        "plain, 0 only with antialiased, p = 0.00098; 11 answers differ). Pass --resize plain.",
    )


def test_the_present_one_suits() -> None:
    input = InputSpec(8, 8, resize="plain")
    assert notes(Model(plain=50, antialiased=39), input=input) == (
        "plain resizing suits model.keras: right on 11 more of 60 images than with antialiased (11 only with "
        "plain, 0 only with antialiased, p = 0.00098; 11 answers differ)",
    )
    assert notes(Model(plain=39, antialiased=50))[0].startswith(
        "antialiased resizing suits model.keras: right on 11"
    )


@pytest.mark.parametrize(("plain", "words"), [
    (55, "right on 5 more with plain (5 only with plain, 0 only with antialiased, p = 0.062; 5 answers differ)"),
    (45, "right on 5 more with antialiased (5 only with antialiased, 0 only with plain, p = 0.062; 5 answers differ)"),
    (50, "right on as many with either (0 only with plain, 0 only with antialiased, p = 1; 0 answers differ)"),
])  # fmt: skip
def test_noise_is_not_called_a_difference(plain: int, words: str) -> None:
    assert notes(Model(plain=plain, antialiased=50)) == (
        f"60 images do not tell which resize suits model.keras: {words}",
    )


@pytest.mark.parametrize(
    ("gained", "lost", "suits"),
    [
        (37, 16, "plain"),
        (34, 9, "plain"),
        (16, 37, "antialiased"),
        (6, 0, "plain"),
        (5, 0, None),
        (30, 20, None),
    ],
)
def test_counts_that_are_clear(gained: int, lost: int, suits: str | None) -> None:
    assert ResizesCompared("antialiased", 977, 60, gained, lost).suits == suits
    assert ResizesCompared("plain", 977, 60, lost, gained).suits == suits


def test_a_model_that_cannot_tell_is_called_different_in_at_most_one_of_twenty() -> None:
    """Each image of 40 on which the two differ falls to either side by chance."""
    rng = np.random.default_rng(0)
    gained = rng.binomial(40, 0.5, 2000)
    called = [ResizesCompared("antialiased", 500, 40, int(g), 40 - int(g)).suits is not None for g in gained]
    assert np.mean(called) < 0.06


def test_nothing_is_asked_where_no_image_is_resized_or_the_model_is_our_own() -> None:
    model = Model(plain=50, antialiased=39)
    assert notes(model, side=8) == ()
    assert model.asked == 1
    with table_of(20, 32) as table:
        assert resize_notes(model(table.pixels), table, SPEC, model, use_of_run(Path("runs/x")), quiet) == ()
    assert model.asked == 2


def test_large_sets_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resize_choice, "MOST_IMAGES", 40)
    model = Model(plain=50, antialiased=0)
    with table_of(60, 32) as table:
        found = compare_resizes(model(table.pixels), table, SPEC, model, quiet)
    assert found is not None
    assert found.images == 40
