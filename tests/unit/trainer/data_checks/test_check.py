"""``check_data`` on small sets whose every fault is known, and what the report says of it."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime.common.errors import DataError
from edge_runtime.dataset import ImageSet, Item, open_dataset
from edge_runtime.image.input_spec import InputSpec
from trainer.core.cache import cached_pixels
from trainer.data_checks import DataReport, check_data, data_warnings
from trainer.data_checks import __all__ as names

Photos = Callable[..., Path]


def scene(seed: int, size: tuple[int, int] = (80, 60)) -> Image.Image:
    """A smooth picture of large patches of colour, as photos are and noise is not."""
    patches = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes, 24 train and 6 val pictures each, without a fault."""
    for side, split in enumerate(("train", "val")):
        for label, name in enumerate(("cat", "dog")):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for place in range((24, 6)[side]):
                path = tmp_path / "data" / split / name / f"{place}.png"
                scene(1000 * side + 100 * label + place).resize((200, 150)).save(path)
    return tmp_path / "data"


def kinds(report: DataReport) -> dict[str, tuple[str, int]]:
    return {finding.kind: (finding.level, finding.count) for finding in report.findings}


def test_set_without_a_fault_has_no_finding(folder: Path) -> None:
    report = check_data(open_dataset(folder))
    assert report.findings == ()
    assert not report.has_leak
    assert report.images == 60
    assert report.sizes.median == (200, 150)


def test_equal_file_in_train_and_val_is_a_leak(folder: Path) -> None:
    shutil.copy(folder / "train" / "cat" / "3.png", folder / "val" / "cat" / "copy of 3.png")
    report = check_data(open_dataset(folder))
    assert report.has_leak
    assert kinds(report) == {"leak": ("error", 1)}
    (pair,) = report.leaks
    assert (pair.first.ref, pair.second.ref) == ("val/cat/copy of 3.png", "train/cat/3.png")
    assert (pair.exact, pair.mirrored, pair.difference) == (True, False, 0.0)
    assert "1 of 13 val images is also in train (a leak)" in report.findings[0].message


def test_copies_of_each_kind_are_told_apart(folder: Path) -> None:
    shutil.copy(folder / "train" / "dog" / "1.png", folder / "train" / "dog" / "again.png")
    with Image.open(folder / "train" / "dog" / "2.png") as picture:
        picture.save(folder / "train" / "cat" / "dog.jpg", quality=70)
    report = check_data(open_dataset(folder))
    assert kinds(report) == {"conflict": ("warning", 1), "repeat": ("warning", 1)}
    (repeat,) = report.repeats
    assert {repeat.first.ref, repeat.second.ref} == {"train/dog/1.png", "train/dog/again.png"}
    (conflict,) = report.conflicts
    assert {conflict.first.label, conflict.second.label} == {"cat", "dog"}
    assert not conflict.exact
    assert conflict.difference < 0.1


def test_a_thousand_equal_files_are_one_line_each(tmp_path: Path) -> None:
    array = np.asarray(scene(1))
    items = tuple(Item(f"{place}", place % 2, "val" if place == 7 else "train", "a") for place in range(1000))
    report = check_data(ImageSet("x", ("a", "b"), items, lambda _: array))
    assert [pair.first.ref for pair in report.leaks] == ["7"]
    assert len(report.conflicts) == 999
    # All but the first of each class and split.
    assert len(report.repeats) == 997


def test_same_shape_in_another_colour_is_another_picture(folder: Path) -> None:
    red, blue = np.asarray(scene(5).convert("L")), np.zeros((60, 80), np.uint8)
    Image.fromarray(np.stack([red, blue, blue], 2)).save(folder / "train" / "cat" / "red.png")
    Image.fromarray(np.stack([blue, blue, red], 2)).save(folder / "val" / "cat" / "blue.png")
    assert not check_data(open_dataset(folder)).has_leak


def test_unreadable_files_are_listed_and_too_many_refuse(folder: Path) -> None:
    (folder / "train" / "cat" / "x.png").write_text("no picture")
    report = check_data(open_dataset(folder))
    assert kinds(report) == {"unreadable": ("warning", 1)}
    assert report.unreadable[0].startswith("train/cat/x.png: ")
    for place in range(4):
        (folder / "train" / "dog" / f"x{place}.png").write_text(f"no picture {place}")
    report = check_data(open_dataset(folder))
    assert kinds(report) == {"unreadable": ("error", 5)}
    assert "At most 5%" in report.refusal
    assert report.images == 60


def test_set_of_which_nothing_decodes_is_refused(folder: Path) -> None:
    for place, path in enumerate(sorted(folder.rglob("*.png"))):
        path.write_text(f"no picture {place}")
    with pytest.raises(DataError, match=r"none of 60 in .*the first: train/cat/0.png: "):
        check_data(open_dataset(folder))


def test_few_images_imbalance_and_odd_files(folder: Path) -> None:
    for place in range(7, 24):
        (folder / "train" / "cat" / f"{place}.png").unlink()
    scene(300, (40, 30)).save(folder / "train" / "dog" / "small.png")
    scene(301, (900, 100)).save(folder / "train" / "dog" / "strip.png")
    scene(302, (200, 150)).convert("L").save(folder / "train" / "dog" / "gray.png")
    Image.new("RGB", (200, 150), (10, 90, 30)).save(folder / "train" / "dog" / "blank.png")
    report = check_data(open_dataset(folder), input_size=96)
    assert report.imbalance == 4.0
    assert {(entry.ref, entry.why) for entry in report.sizes.odd} == {
        ("train/dog/small.png", "small"), ("train/dog/strip.png", "strip"),
    }  # fmt: skip
    assert report.gray == ("train/dog/gray.png",)
    assert report.blank == ("train/dog/blank.png",)
    lines = " ".join(finding.message for finding in report.findings)
    assert "1 of 2 classes has fewer than 20 train images: cat has 7." in lines
    assert "Train with --class-weights balanced." in lines
    assert "train/dog/small.png is 40x30" in lines
    assert json.loads(json.dumps(report.to_dict()))["findings"]


def test_before_training_says_the_same_from_decoded_pixels(folder: Path, tmp_path: Path) -> None:
    with Image.open(folder / "train" / "cat" / "3.png") as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "val" / "cat" / "m.jpg", quality=80)
    (folder / "train" / "dog" / "x.png").write_text("no picture")
    images = open_dataset(folder)
    pixels = cached_pixels(images, InputSpec(64, 64), tmp_path / "cache")
    leak, unreadable = data_warnings(images, pixels)
    assert "1 of 13 val images is also in train (a leak)" in leak
    assert "val/cat/m.jpg and train/cat/3.png, mirrored" in leak
    assert "1 image cannot be read and will be skipped, the first: train/dog/x.png" in unreadable


def test_every_form_is_checked(tmp_path: Path, folder: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "set"), "zip", folder)
    table = tmp_path / "set.csv"
    refs = sorted(path.relative_to(tmp_path).as_posix() for path in folder.rglob("*.png"))
    table.write_text(
        "path,label,split\n" + "".join(f"{r},{r.split('/')[2]},{r.split('/')[1]}\n" for r in refs)
    )
    for data in (folder, archive, table):
        assert check_data(open_dataset(data)).images == 60
    digits = check_data(open_dataset("digits"))
    assert digits.images == 1797
    # The handwritten digits hold no copy, however alike two of them are.
    assert (digits.leaks, digits.conflicts, digits.repeats) == ((), (), ())


def test_truncated_header_is_no_traceback(folder: Path) -> None:
    buffer = io.BytesIO()
    scene(9).save(buffer, "PNG")
    (folder / "train" / "cat" / "cut.png").write_bytes(buffer.getvalue()[:20])
    assert check_data(open_dataset(folder)).unreadable[0].startswith("train/cat/cut.png: ")


def test_names_are_sorted() -> None:
    assert names == sorted(set(names))
