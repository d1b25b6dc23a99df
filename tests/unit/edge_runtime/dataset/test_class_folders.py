"""Class folders on disk: splits, names, and what is left out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edge_runtime.common.errors import DataError
from edge_runtime.dataset import open_dataset

WriteClasses = Callable[[Path, Mapping[str, int]], Path]
Picture = Callable[[int], bytes]


@pytest.mark.parametrize(
    ("train", "val"),
    [
        ("train", "val"),
        ("Training", "valid"),
        ("train", "validation"),
        ("TRAIN", "Test"),
        ("train", "testing"),
    ],
)
def test_split_folders_by_any_of_their_names(
    tmp_path: Path, write_classes: WriteClasses, train: str, val: str
) -> None:
    write_classes(tmp_path / train, {"cat": 3, "dog": 2})
    write_classes(tmp_path / val, {"cat": 1, "dog": 1})
    images = open_dataset(tmp_path)
    assert images.labels == ("cat", "dog")
    assert images.counts() == {"cat": {"train": 3, "val": 1}, "dog": {"train": 2, "val": 1}}
    assert images.source == str(tmp_path)
    assert images.native_size is None
    item = next(item for item in images.items if item.ref == f"{train}/dog/1.png")
    assert (item.label, item.split) == (1, "train")
    assert images.read(item) == (tmp_path / train / "dog" / "1.png").read_bytes()


def test_test_folder_beside_val_is_left_alone(tmp_path: Path, write_classes: WriteClasses) -> None:
    for part in ("train", "val", "test"):
        write_classes(tmp_path / part, {"cat": 1, "dog": 1})
    images = open_dataset(tmp_path)
    assert {item.ref.split("/")[0] for item in images.items} == {"train", "val"}
    assert "test/cat/0.png: neither in the train nor in the val folder" in images.skipped


def test_class_without_val_images_is_kept(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path / "train", {"cat": 2, "dog": 2})
    write_classes(tmp_path / "val", {"dog": 1})
    assert open_dataset(tmp_path).counts()["cat"] == {"train": 2, "val": 0}


def test_class_folders_are_split_by_content(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path / "a", {"cat": 60, "dog": 60})
    first = open_dataset(tmp_path / "a")
    share = len(first.only("val")) / len(first)
    assert 0.1 < share < 0.3
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    for path in sorted((tmp_path / "b").rglob("*.png")):
        path.rename(path.with_name(f"other-{path.name}"))
    second = open_dataset(tmp_path / "b")
    assert {item.sha256: item.split for item in first.items} == {
        item.sha256: item.split for item in second.items
    }
    assert first.sha256 == second.sha256


def test_same_content_is_on_one_side(tmp_path: Path, picture: Picture) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for place in range(40):
            content = picture(place % 5 + 100 * (name == "dog"))
            (tmp_path / name / f"{place}.png").write_bytes(content)
    sides: dict[str, set[str]] = {}
    for item in open_dataset(tmp_path).items:
        sides.setdefault(item.sha256, set()).add(item.split)
    assert len(sides) == 10
    assert all(len(side) == 1 for side in sides.values())


def test_every_class_of_two_contents_has_both_sides(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {f"class{place}": 2 for place in range(20)})
    assert all(sides == {"train": 1, "val": 1} for sides in open_dataset(tmp_path).counts().values())


def test_folder_around_everything_is_looked_through(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path / "photos" / "train", {"cat": 1, "dog": 1})
    write_classes(tmp_path / "photos" / "val", {"cat": 1, "dog": 1})
    assert open_dataset(tmp_path).labels == ("cat", "dog")


def test_train_alone_is_split_by_content(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path / "train", {"cat": 5, "dog": 5})
    images = open_dataset(tmp_path)
    assert images.labels == ("cat", "dog")
    assert len(images.only("val")) >= 2


def test_classes_that_are_numbers_are_in_numeric_order(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"10": 1, "9": 1, "0": 1})
    assert open_dataset(tmp_path).labels == ("0", "9", "10")


def test_other_files_are_skipped_with_the_reason(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"cat": 2, "dog": 2})
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "cat" / "notes.txt").write_text("x")
    (tmp_path / "cat" / ".DS_Store").write_text("x")
    (tmp_path / "cat" / "Thumbs.db").write_text("x")
    (tmp_path / ".git").mkdir()
    images = open_dataset(tmp_path)
    assert len(images) == 4
    assert set(images.skipped) == {"cat/notes.txt: not an image", "notes.txt: not in a class folder"}


def test_image_without_suffix_and_image_in_a_sub_folder_count(
    tmp_path: Path, write_classes: WriteClasses, picture: Picture
) -> None:
    write_classes(tmp_path, {"cat": 1, "dog": 1})
    (tmp_path / "cat" / "0001").write_bytes(picture(7))
    (tmp_path / "cat" / "more").mkdir()
    (tmp_path / "cat" / "more" / "x.PNG").write_bytes(picture(8))
    assert open_dataset(tmp_path).counts()["cat"] in ({"train": 2, "val": 1}, {"train": 1, "val": 2})


def test_too_large_a_file_is_skipped(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"cat": 2, "dog": 2})
    (tmp_path / "cat" / "0.png").write_bytes(b"x" * 1001)
    images = open_dataset(tmp_path, max_bytes=1000)
    assert len(images) == 3
    assert images.skipped[0].startswith("cat/0.png: 1,001 bytes, over the limit of 1,000")


def test_class_that_loses_all_its_files_is_named_with_its_own_reason(
    tmp_path: Path, write_classes: WriteClasses
) -> None:
    write_classes(tmp_path, {"cat": 2, "dog": 1})
    (tmp_path / "cat" / "0.png").write_bytes(b"x" * 1001)
    (tmp_path / "dog" / "0.png").write_bytes(b"x" * 2002)
    with pytest.raises(DataError, match=r"none for 'dog'.*dog/0.png: 2,002 bytes"):
        open_dataset(tmp_path, max_bytes=1000)


def test_file_whose_name_is_no_utf8_is_skipped(
    tmp_path: Path, write_classes: WriteClasses, picture: Picture
) -> None:
    write_classes(tmp_path, {"cat": 2, "dog": 2})
    path = os.fsencode(tmp_path / "cat") + b"/f\xfcr.png"
    try:
        with open(path, "wb") as file:
            file.write(picture(50))
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    images = open_dataset(tmp_path)
    assert len(images) == 4
    (line,) = images.skipped
    assert "UTF-8" in line
    assert line.encode("utf-8")


def test_linked_folders_do_not_loop(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"cat": 2, "dog": 2})
    (tmp_path / "cat" / "again").symlink_to(tmp_path, target_is_directory=True)
    assert len(open_dataset(tmp_path)) == 4


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ({}, "an empty folder"),
        ({"cat": 3}, "at least two classes.*'cat'"),
        ({"cat": 3, "dog": 0}, "must hold images.*'dog'"),
        ({"train/cat": 2, "train/dog": 2, "val/cow": 1}, "val must be a class in train.*cow"),
        ({"train/cat": 2, "train/dog": 2, "val": 3}, "val must hold class folders"),
        ({"train/cat": 2, "train/dog": 2, "val": 0}, "val must hold class folders"),
        ({"train/cat": 2, "train/dog": 2, "val/dog": 0}, "val must hold images"),
        ({"train": 2, "val": 2}, "must lie in class folders.*train/ .2 images., val/ .2 images."),
        ({"train/cat": 2, "val/cat": 2}, "at least two classes"),
        ({"train/cat": 2, "train/dog": 2, "validate/cat": 2, "validate/dog": 1}, "no val folder.*validate"),
        ({"trai/cat": 2, "trai/dog": 2, "val/cat": 2, "val/dog": 1}, "no train folder.*trai"),
    ],
)
def test_what_is_no_tree_of_classes_is_refused(
    tmp_path: Path, write_classes: WriteClasses, classes: dict[str, int], words: str
) -> None:
    write_classes(tmp_path, classes)
    with pytest.raises(DataError, match=words) as caught:
        open_dataset(tmp_path)
    assert "Received:" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_without_a_class_folder_are_refused(tmp_path: Path, picture: Picture) -> None:
    (tmp_path / "a.png").write_bytes(picture(1))
    with pytest.raises(DataError, match="Received: 1 image in"):
        open_dataset(tmp_path)


def test_class_name_of_two_lines_is_refused(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"cat\ndog": 1, "cow": 1})
    with pytest.raises(DataError, match="one line of text"):
        open_dataset(tmp_path)


def test_class_called_train_is_a_class(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"bus": 3, "car": 3, "train": 3})
    assert open_dataset(tmp_path).labels == ("bus", "car", "train")
