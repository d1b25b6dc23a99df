from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime import InputSpec, pixels
from edge_runtime.common.errors import DataError
from edge_runtime.dataset import ImageSet, Item, open_dataset
from exporter.source.images import (
    GrowingTable,
    balanced,
    choose_split,
    decode_table,
    run_images,
    without_images_of,
)
from trainer.run.run_json import DataItem, DataRecord, write_data


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


def test_growing_table_decodes_no_further_than_asked() -> None:
    images, spec = image_set({0: 200, 1: 200}, broken=1), InputSpec(8, 9, 3, "crop")
    read: list[str] = []

    def reader(item: Item) -> object:
        read.append(item.ref)
        return images.reader(item)

    table = GrowingTable(replace(images, reader=reader), spec)  # type: ignore[arg-type]
    assert (len(table.grow(10)), table.finished) == (9, False)
    assert np.array_equal(table.grow(1)[0], pixels(images.read(images.items[10]), spec))
    table.close()
    # A few more are decoded ahead.
    assert len(read) < 150
    seen = table.seen()
    assert [item.ref for item in seen.images.items] == [item.ref for item in images.items[1:11]]
    assert (len(seen.truth), len(seen.unreadable), len(table.seen(4).pixels)) == (10, 1, 4)


def test_unreadable_images_are_left_out_and_too_many_are_an_error() -> None:
    spec = InputSpec(8, 8)
    with decode_table(image_set({0: 20, 1: 20}, broken=1), spec) as table:
        assert len(table.pixels) == len(table.truth) == len(table.images) == 38
    with pytest.raises(DataError, match="unreadable"):
        decode_table(image_set({0: 4, 1: 4}, broken=2), spec)


def test_empty_split_is_an_error() -> None:
    with pytest.raises(DataError, match="val split"):
        choose_split(image_set({0: 2, 1: 2}), "val")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder whose record names the photos in ``photos`` beside it."""
    for split in ("train", "val"):
        for label, name in enumerate(("cat", "dog")):
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            for index in range(3):
                colour = (80 * label, 70 * index, 90 * len(split))
                Image.new("RGB", (9, 7), colour).save(folder / f"{index}.png")
    images = open_dataset(tmp_path / "photos")
    items = tuple(DataItem(item.ref, item.label, item.split, item.sha256) for item in images.items)
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.json").write_text("{}")
    write_data(folder, DataRecord(images.source, images.labels, items))
    return folder


def test_run_brings_its_own_images_and_no_others(run: Path) -> None:
    before = run_images(run)
    photos = run.parent / "photos"
    for place in (photos / "val" / "cat" / "new.png", photos / "train" / "ape" / "0.png"):
        place.parent.mkdir(exist_ok=True)
        Image.new("RGB", (5, 5), (1, 2, 3)).save(place)
    after = run_images(run)
    assert after.items == before.items
    assert after.labels == ("cat", "dog")
    assert len(after.only("val")) == 6


@pytest.mark.parametrize("change", ["remove", "repaint"])
def test_run_whose_images_changed_is_an_error(run: Path, change: str) -> None:
    photo = run.parent / "photos" / "val" / "dog" / "1.png"
    photo.unlink()
    if change == "repaint":
        Image.new("RGB", (9, 7), (1, 2, 3)).save(photo)
    with pytest.raises(DataError, match=r"1 of 12 missing or changed .*val/dog/1\.png") as caught:
        run_images(run)
    assert "\n" not in str(caught.value)
