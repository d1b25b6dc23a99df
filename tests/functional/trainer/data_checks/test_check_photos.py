"""Copies of real photos are found, and photos or digits that merely look alike are not."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from edge_runtime.dataset import ImageSet, Item, open_dataset
from trainer.data_checks import check_data


def jpeg(picture: Image.Image, quality: int = 85) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def scaled(picture: Image.Image, factor: float) -> Image.Image:
    return picture.resize(
        (int(picture.width * factor), int(picture.height * factor)), Image.Resampling.LANCZOS
    )


COPIES: dict[str, Callable[[Image.Image], bytes]] = {
    "quality 30": lambda picture: jpeg(picture, 30),
    "quality 75": lambda picture: jpeg(picture, 75),
    "half the size": lambda picture: jpeg(scaled(picture, 0.5)),
    "twice the size": lambda picture: jpeg(scaled(picture, 2.0)),
    "square": lambda picture: jpeg(picture.resize((224, 224))),
    "brighter": lambda picture: jpeg(ImageEnhance.Brightness(picture).enhance(1.12)),
    "darker": lambda picture: jpeg(ImageEnhance.Brightness(picture).enhance(0.8)),
    "more contrast": lambda picture: jpeg(ImageEnhance.Contrast(picture).enhance(1.15)),
    "mirrored": lambda picture: jpeg(ImageOps.mirror(picture)),
    "mirrored, smaller, brighter": lambda picture: jpeg(
        ImageEnhance.Brightness(ImageOps.mirror(scaled(picture, 0.6))).enhance(1.1), 70
    ),
    "black and white": lambda picture: jpeg(picture.convert("L")),
}


@pytest.mark.parametrize("kind", COPIES)
def test_copies_of_real_photos_are_leaks(shared: Path, kind: str) -> None:
    paths = sorted((shared / "data" / "flowers" / "val").glob("*/*.jpg"))
    random.Random(0).shuffle(paths)
    # 50 photos of which val has a copy, and 50 that are in val alone.
    content: dict[str, bytes] = {}
    for place, path in enumerate(paths[:100]):
        content[f"{'train' if place < 50 else 'val'}/{place}"] = path.read_bytes()
        if place < 50:
            with Image.open(path) as picture:
                content[f"val/{place}"] = COPIES[kind](picture.convert("RGB"))
    items = tuple(Item(ref, 0, "train" if ref.startswith("train") else "val", ref) for ref in content)
    report = check_data(ImageSet("photos", ("flower",), items, lambda item: content[item.ref]))
    found = {pair.first.ref: pair for pair in report.leaks}
    assert set(found) == {f"val/{place}" for place in range(50)}
    assert all(pair.second.ref == pair.first.ref.replace("val", "train") for pair in found.values())
    assert all(pair.mirrored == ("mirrored" in kind) for pair in found.values())
    assert not report.repeats


def test_real_photos_hold_two_copies_and_no_other(shared: Path) -> None:
    report = check_data(open_dataset(shared / "data" / "flowers"))
    assert not report.has_leak
    assert not report.conflicts
    # Two photos are there in colour and in black and white; looked at by eye.
    assert [(pair.first.label, pair.exact) for pair in report.repeats] == [
        ("dandelion", False),
        ("roses", False),
    ]


def test_digits_that_look_alike_are_no_copies(shared: Path) -> None:
    report = check_data(open_dataset(shared / "data" / "mnist"))
    assert (report.leaks, report.conflicts, report.repeats) == ((), (), ())


@pytest.mark.parametrize("native_size", [(28, 28), None])
def test_enlarged_digits_are_no_copies_either(shared: Path, native_size: tuple[int, int] | None) -> None:
    from edge_runtime.image.input_spec import InputSpec
    from edge_runtime.image.preprocess import pixels
    from trainer.core.cache import Pixels

    images = open_dataset(shared / "data" / "mnist")
    # Without a native size they are what a folder of enlarged digits would be: mostly background.
    few = ImageSet(images.source, images.labels, images.items[:3000], images.reader, (), native_size, True)
    array = np.stack([pixels(few.read(item), InputSpec(96, 96, 1)) for item in few.items])
    report = check_data(few, Pixels(few, array, np.array([item.label for item in few.items])))
    assert (report.leaks, report.conflicts, report.repeats) == ((), (), ())


@pytest.mark.slow
def test_leak_of_the_cifar_sample_is_found(shared: Path) -> None:
    report = check_data(open_dataset(shared / "data" / "cifar10-subset.zip"), input_size=32)
    (pair,) = report.leaks
    assert (pair.first.ref, pair.second.ref, pair.mirrored) == (
        "test/deer/0212.jpg", "train/deer/2418.jpg", True,
    )  # fmt: skip
