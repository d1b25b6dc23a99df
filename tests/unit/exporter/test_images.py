from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import pytest

from edge_runtime import InputSpec, pixels
from edge_runtime.dataset import ImageSet, Item
from edge_runtime.errors import DataError
from exporter.images import balanced, choose_split, decode_table, without_images_of


def image_set(counts: dict[int, int], split: str = "train", broken: int = 0) -> ImageSet:
    content: dict[str, object] = {}
    items = []
    for label, count in counts.items():
        for index in range(count):
            array = np.random.default_rng([label, index]).integers(0, 256, (12, 10, 3), dtype=np.uint8)
            ref = f"{split}/{label}/{index}"
            content[ref] = b"no image" if index < broken else array
            sha256 = hashlib.sha256(array.tobytes()).hexdigest()
            items.append(Item(ref, label, split, sha256))  # type: ignore[arg-type]
    labels = tuple("abcdef"[: max(counts) + 1])
    return ImageSet("made", labels, tuple(items), lambda item: content[item.ref])  # type: ignore[arg-type,return-value]


def test_balanced_takes_classes_in_turn() -> None:
    chosen = balanced(image_set({0: 50, 1: 3, 2: 20}), 15)
    assert Counter(item.label for item in chosen.items) == {0: 6, 1: 3, 2: 6}


def test_balanced_does_not_depend_on_order_or_names() -> None:
    images = image_set({0: 9, 1: 9})
    turned = ImageSet("made", images.labels, images.items[::-1], images.reader)
    assert [item.sha256 for item in balanced(images, 6).items] == [
        item.sha256 for item in balanced(turned, 6).items
    ]


def test_no_image_that_judges_calibrates() -> None:
    judging = image_set({0: 5, 1: 5}, "val")
    left = without_images_of(image_set({0: 8, 1: 8}), judging)
    assert len(left) == 6
    assert not {item.sha256 for item in left.items} & {item.sha256 for item in judging.items}


def test_table_holds_the_device_pixels() -> None:
    images, spec = image_set({0: 3, 1: 4}), InputSpec(8, 9, 3, "crop")
    with decode_table(images, spec) as table:
        assert table.truth.tolist() == [0, 0, 0, 1, 1, 1, 1]
        for row, item in enumerate(images.items):
            assert np.array_equal(table.pixels[row], pixels(images.read(item), spec))


def test_unreadable_images_are_left_out_and_too_many_are_an_error() -> None:
    spec = InputSpec(8, 8)
    with decode_table(image_set({0: 20, 1: 20}, broken=1), spec) as table:
        assert len(table.pixels) == len(table.truth) == len(table.images) == 38
    with pytest.raises(DataError, match="unreadable"):
        decode_table(image_set({0: 4, 1: 4}, broken=2), spec)


def test_empty_split_is_an_error() -> None:
    with pytest.raises(DataError, match="val split"):
        choose_split(image_set({0: 2, 1: 2}), "val")
