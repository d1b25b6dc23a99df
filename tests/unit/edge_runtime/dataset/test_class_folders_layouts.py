"""Folders as well-known sets have them: what is certain is opened, the rest refused with what was seen."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edge_runtime.common.errors import DataError
from edge_runtime.dataset import open_dataset

WriteClasses = Callable[[Path, Mapping[str, int]], Path]
Picture = Callable[[int], bytes]


def classes(*folders: str) -> dict[str, int]:
    """Two images of cat and dog in each folder."""
    return {f"{folder}/{name}": 2 for folder in folders for name in ("cat", "dog")}


def refusal(folder: Path) -> str:
    with pytest.raises(DataError, match="Received:") as caught:
        open_dataset(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("train", "val"),
    [
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("training_set/training_set", "test_set/test_set"),
        ("training_set", "test_set"),
        ("train_2024", "val_2024"),
        ("train2017", "val2017"),
        ("TrainSet", "TestSet"),
        ("Training Data", "Testing Data"),
        ("train_images", "validation_images"),
        ("flowers-train", "flowers-valid"),
        ("train", "val_2024"),
        ("train_2023", "val_2024"),
        ("trainval", "test"),
        ("train/images", "val/images"),
        ("train/train", "test/test"),
        ("images/train", "images/val"),
        ("data/images/Train", "data/images/Valid"),
        ("Train", "Testing"),
        ("tRAIN", "TEsT"),
    ],
)
def test_splits_by_other_names_hold_the_classes_inside(
    tmp_path: Path, write_classes: WriteClasses, train: str, val: str
) -> None:
    write_classes(tmp_path, classes(train, val))
    sides = {"train": 2, "val": 2}
    assert open_dataset(tmp_path).counts() == {"cat": sides, "dog": sides}


def test_folders_beside_the_splits_are_left_alone(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {**classes("seg_train/seg_train", "seg_test/seg_test"), "seg_pred/seg_pred": 2})
    images = open_dataset(tmp_path)
    assert len(images) == 8
    assert len(images.skipped) == 2
    assert all("neither in the train nor in the val folder" in line for line in images.skipped)


@pytest.mark.parametrize(
    "test",
    [{"test": 2}, {"test/test": 2}, {"test1": 2}, {"test1/unknown": 2}, {"test_images": 2}, {"pred": 2}],
)
def test_unlabelled_test_beside_train_is_left_alone(
    tmp_path: Path, write_classes: WriteClasses, test: dict[str, int]
) -> None:
    write_classes(tmp_path / "a", classes("train"))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    write_classes(tmp_path / "b", test)
    alone, beside = open_dataset(tmp_path / "a"), open_dataset(tmp_path / "b")
    assert beside.sha256 == alone.sha256
    assert len(beside.skipped) == 2


@pytest.mark.parametrize("test", ["asl_test", "asl_test/asl_test"])
def test_unlabelled_test_of_a_pair_is_left_alone(
    tmp_path: Path, write_classes: WriteClasses, test: str
) -> None:
    write_classes(tmp_path, {**classes("asl_train/asl_train"), test: 2})
    images = open_dataset(tmp_path)
    assert images.counts() == {name: {"train": 1, "val": 1} for name in ("cat", "dog")}
    assert len(images.skipped) == 2


@pytest.mark.parametrize("val", ["val", "val/images"])
def test_val_without_class_folders_is_refused_with_what_would_be_right(
    tmp_path: Path, write_classes: WriteClasses, val: str
) -> None:
    # As in Tiny ImageNet, whose val/ has its labels in a text file.
    write_classes(tmp_path, {**classes("train"), val: 2})
    said = refusal(tmp_path)
    assert f"2 images in {tmp_path}/{val}." in said
    assert said.endswith(f": snapship train {tmp_path}/train")
    assert open_dataset(tmp_path / "train").labels == ("cat", "dog")


@pytest.mark.parametrize("names", [("mask", "image"), ("test1", "test2"), ("train_ticket", "test_ticket"),
                                   ("train", "test"), ("fold1", "fold2")])  # fmt: skip
def test_classes_that_are_called_like_parts_of_a_set_can_be_renamed(
    tmp_path: Path, write_classes: WriteClasses, names: tuple[str, str]
) -> None:
    write_classes(tmp_path, dict.fromkeys(names, 2))
    assert "if these folders are the classes, rename one" in refusal(tmp_path)
    (tmp_path / names[0]).rename(tmp_path / "other")
    assert set(open_dataset(tmp_path).labels) == {"other", names[1]}


def test_class_folders_beside_a_folder_without_images_are_named(
    tmp_path: Path, write_classes: WriteClasses
) -> None:
    # As in Caltech 101; one folder of classes alone is no class beside an empty one.
    write_classes(tmp_path, {**classes("objects"), "Outlines": 0})
    assert refusal(tmp_path).endswith(f"or pass the one with classes: snapship train {tmp_path}/objects")
    assert open_dataset(tmp_path / "objects").labels == ("cat", "dog")


def test_train_by_another_name_beside_unlabelled_images(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {**classes("seg_train/seg_train"), "seg_pred/seg_pred": 2})
    images = open_dataset(tmp_path)
    assert images.labels == ("cat", "dog")
    assert {item.split for item in images.items} == {"train", "val"}
    assert len(images.skipped) == 2


@pytest.mark.parametrize("inside", ["", "/rps"])
@pytest.mark.parametrize("others", [{}, {"rps-validation": 2}])
def test_split_beside_a_folder_that_does_not_say_that_it_is_train_is_refused(
    tmp_path: Path, write_classes: WriteClasses, inside: str, others: dict[str, int]
) -> None:
    write_classes(tmp_path, {**classes(f"rps{inside}", "rps-test-set"), **others})
    said = refusal(tmp_path)
    assert "one train and one val folder" in said
    assert said.endswith(f"snapship train {tmp_path}/rps")
    assert open_dataset(tmp_path / "rps").labels == ("cat", "dog")


def test_classes_with_a_word_in_common_and_the_same_folders_in_them(
    tmp_path: Path, write_classes: WriteClasses
) -> None:
    names = ("train_station", "bus_station")
    write_classes(tmp_path, {f"{name}/{year}": 2 for name in names for year in ("2023", "2024")})
    assert set(open_dataset(tmp_path).labels) == set(names)


def test_class_like_a_split_with_folders_in_it_is_a_class(
    tmp_path: Path, write_classes: WriteClasses
) -> None:
    write_classes(tmp_path, {"train_station/a": 1, "train_station/b": 1, "bus": 2})
    assert open_dataset(tmp_path).labels == ("bus", "train_station")


@pytest.mark.parametrize("test", [{"test/cat": 0, "test/dog": 0}, {"test/cow": 2, "test/dog": 2}])
def test_labelled_test_is_not_taken_for_unlabelled(
    tmp_path: Path, write_classes: WriteClasses, test: dict[str, int]
) -> None:
    write_classes(tmp_path, classes("train") | test)
    assert "val must" in refusal(tmp_path) or "class in val must" in refusal(tmp_path)


@pytest.mark.parametrize("folder", ["val", "test", "Testing", "vAL", "test_set", "photos/val", "val/images"])
def test_a_set_of_one_split_is_not_split_by_content(
    tmp_path: Path, write_classes: WriteClasses, folder: str
) -> None:
    write_classes(tmp_path, classes(folder))
    sides = {"train": 0, "val": 2}
    assert open_dataset(tmp_path).counts() == {"cat": sides, "dog": sides}


def test_val_and_test_without_train_are_for_judging(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, classes("val", "test"))
    images = open_dataset(tmp_path)
    assert {(item.ref.split("/")[0], item.split) for item in images.items} == {("val", "val")}
    assert len(images.skipped) == 4


def test_images_beside_lists_and_boxes_hold_the_classes(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, classes("images"))
    for name in ("annotations/list.txt", "attributes/a.txt", "README", "LICENSE"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    images = open_dataset(tmp_path)
    assert images.labels == ("cat", "dog")
    assert len(images.skipped) == 4


@pytest.mark.parametrize(
    ("folders", "seen"),
    [
        ({"train": 3, "test1": 2}, "test1/ (2 images), train/ (3 images)"),
        ({"train/train": 3, "test1/test1": 2}, "train/ (1 folder, 3 images)"),
        ({"train_images": 2, "test_images": 2}, "test_images/ (2 images), train_images/ (2 images)"),
        ({"images": 2, "annotations/trimaps": 2}, "annotations/ (1 folder, 2 images), images/ (2 images)"),
        ({"images": 2, "masks": 2}, "images/ (2 images), masks/ (2 images)"),
        ({"images": 2, "annotations": 0}, "images/ (2 images)"),
        ({"train/images": 2, "train/labels": 0, "valid/images": 2, "valid/labels": 0}, "train/ (1 folder, 2 images)"),
        ({"images/train": 2, "images/val": 2, "labels/train": 0}, "train/ (2 images), val/ (2 images)"),
        ({"images": 2}, "images/ (2 images)"),
        ({"train": 2}, "train/ (2 images)"),
        ({"val": 2, "test": 2}, "test/ (2 images), val/ (2 images)"),
        ({"seg_train": 2, "seg_pred": 2}, "seg_pred/ (2 images), seg_train/ (2 images)"),
        (classes("train_2024", "more"), "more/ (2 folders, 4 images)"),
        (classes("fold0", "fold1", "fold2"), "fold0/ (2 folders, 4 images), fold1/"),
        (classes("split_1", "split_2"), "split_1/ (2 folders, 4 images)"),
        (classes("batch_1", "batch_2"), "batch_1/ (2 folders, 4 images)"),
        ({"fold0": 2, "fold1": 2}, "fold0/ (2 images), fold1/ (2 images)"),
        ({"images_001": 2, "images_002": 2}, "images_001/ (2 images)"),
        ({"HAM_images_part_1": 2, "HAM_images_part_2": 2}, "HAM_images_part_1/ (2 images)"),
        (classes("a_train", "a_test", "b_train", "b_test"), "a_test/ (2 folders, 4 images)"),
        (classes("train_2023", "train_2024", "val_2024"), "train_2023/ (2 folders, 4 images)"),
        (classes("seg_train", "seg_test", "more"), "more/ (2 folders, 4 images)"),
        (classes("train", "more"), "more/ (2 folders, 4 images)"),
        (classes("flowers", "flowers/flowers"), "cat/ (2 images), dog/ (2 images), flowers/ (2 folders, 4 images)"),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_refused_with_what_was_seen(
    tmp_path: Path, write_classes: WriteClasses, folders: dict[str, int], seen: str
) -> None:
    text = refusal(write_classes(tmp_path, folders))
    assert seen in text
    assert f"snapship train {tmp_path}" in text


@pytest.mark.parametrize("inside", ["", "all"])
def test_doubled_folder_is_read_once(tmp_path: Path, write_classes: WriteClasses, inside: str) -> None:
    folder = write_classes(tmp_path / "set" / inside, {"daisy": 2, "rose": 3})
    shutil.copytree(folder, tmp_path / "copy")
    shutil.copytree(tmp_path / "copy", folder / "flowers")
    images = open_dataset(tmp_path / "set")
    assert images.sha256 == open_dataset(tmp_path / "copy").sha256
    assert len(images.skipped) == 5
    assert images.skipped[0].endswith("flowers/daisy/0.png: a copy of what lies beside flowers")


def test_doubled_folder_with_other_files_is_refused(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"daisy": 2, "rose": 3})
    shutil.copytree(tmp_path, tmp_path.with_name("copy"))
    shutil.move(tmp_path.with_name("copy"), tmp_path / "flowers")
    (tmp_path / "flowers" / "rose" / "0.png").unlink()
    assert "daisy, rose both in" in refusal(tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        ("test", *"abcdefghij"),
        ("training", *"abcdefghij"),
        ("valid", "invalid"),
        ("train", "no_train"),
        ("valid", "invalid", "unknown"),
        ("cat", "unknown"),
        ("mask", "no_mask"),
        ("train_station", "test_tube", "bus"),
        ("bullet_train", "contest", "latest"),
        ("train_ticket", "test_ticket", "bus_ticket"),
        ("photo", "drawing"),
        ("batch_1", "batch_2"),
        ("part_1", "part_2"),
        ("image_of_cat", "image_of_dog"),
        ("0", "1", "10"),
        ("class_1", "class_2"),
        ("set", "unset"),
    ],
)
def test_classes_may_be_called_like_splits(
    tmp_path: Path, write_classes: WriteClasses, names: tuple[str, ...]
) -> None:
    assert set(open_dataset(write_classes(tmp_path, dict.fromkeys(names, 2))).labels) == set(names)


def test_train_and_test_among_classes_are_refused(tmp_path: Path, write_classes: WriteClasses) -> None:
    text = refusal(write_classes(tmp_path, dict.fromkeys(("train", "test", "bus", "car"), 2)))
    assert "only images in train and test, beside bus, car" in text


def test_folders_in_classes_stay_parts_of_them(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {f"{name}/{year}": 2 for name in ("cat", "dog") for year in ("2023", "2024")})
    assert open_dataset(tmp_path).labels == ("cat", "dog")


def test_one_split_in_two_spellings_is_refused(tmp_path: Path, write_classes: WriteClasses) -> None:
    assert "Train and train" in refusal(write_classes(tmp_path, classes("train", "Train", "val")))
