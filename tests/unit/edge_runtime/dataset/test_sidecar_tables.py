"""Tables beside images: opened where it is certain, named where it is not."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edge_runtime.common.errors import DataError
from edge_runtime.dataset import open_dataset

WriteClasses = Callable[[Path, Mapping[str, int]], Path]
Picture = Callable[[int], bytes]


def write_table(path: Path, rows: Mapping[str, str], head: str = "file_name,label") -> None:
    path.write_text("\n".join([head, *(f"{name},{label}" for name, label in rows.items())]) + "\n")


def refusal(folder: Path) -> str:
    with pytest.raises(DataError, match="Received:") as caught:
        open_dataset(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["metadata.csv", "labels.csv", "list.tsv"])
def test_table_beside_flat_images_is_opened(tmp_path: Path, write_classes: WriteClasses, name: str) -> None:
    write_classes(tmp_path, {"": 3})
    write_table(tmp_path / name, {"0.png": "a", "1.png": "b", "2.png": "a"})
    assert open_dataset(tmp_path).sha256 == open_dataset(tmp_path / name).sha256


def test_known_table_goes_before_others(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"": 2})
    write_table(tmp_path / "metadata.csv", {"0.png": "a", "1.png": "b"})
    write_table(tmp_path / "other.csv", {"0.png": "x", "1.png": "y"})
    assert open_dataset(tmp_path).labels == ("a", "b")


def test_one_of_several_tables_must_be_passed(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"": 2})
    for name in ("one.csv", "two.csv"):
        write_table(tmp_path / name, {"0.png": "a", "1.png": "b"})
    text = refusal(tmp_path)
    assert "one.csv, two.csv" in text
    assert text.endswith(f"snapship train {tmp_path}/one.csv")


def test_table_of_train_goes_before_others(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"": 3})
    write_table(tmp_path / "train.csv", {"0.png": "a", "1.png": "b"})
    write_table(tmp_path / "notes.csv", {"0.png": "sharp", "1.png": "blurred", "2.png": "sharp"})
    write_table(tmp_path / "test.csv", {"2.png": ""})
    write_table(tmp_path / "sampleSubmission.csv", {"2.png": "a"})
    images = open_dataset(tmp_path)
    assert (images.labels, len(images)) == (("a", "b"), 2)


@pytest.mark.parametrize("around", ["", "photos"])
@pytest.mark.parametrize("inside", ["images", "images/small", "x"])
def test_table_of_paths_in_a_folder_is_opened(
    tmp_path: Path, write_classes: WriteClasses, around: str, inside: str
) -> None:
    folder = tmp_path / around
    write_classes(folder, {inside: 2})
    write_table(folder / "metadata.csv", {f"{inside}/0.png": "a", f"{inside}/1.png": "b"})
    assert open_dataset(tmp_path).labels == ("a", "b")


def test_tables_in_both_splits_are_opened(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"train": 4, "validation": 3, "test": 2})
    write_table(tmp_path / "train/metadata.csv", {"0.png": "b", "1.png": "a", "2.png": "c", "3.png": "a"})
    write_table(tmp_path / "validation/metadata.csv", {"0.png": "c", "1.png": "b", "2.png": "c"})
    images = open_dataset(tmp_path)
    assert images.source == str(tmp_path)
    assert images.counts() == {
        "a": {"train": 2, "val": 0}, "b": {"train": 1, "val": 1}, "c": {"train": 1, "val": 2},
    }  # fmt: skip
    item = next(item for item in images.items if item.ref == "validation/1.png")
    assert images.labels[item.label] == "b"
    assert images.read(item) == (tmp_path / "validation/1.png").read_bytes()


def test_unlabelled_test_of_a_pair_with_a_table_is_left_alone(
    tmp_path: Path, write_classes: WriteClasses
) -> None:
    write_classes(tmp_path, {"asl_train": 3, "asl_test": 2})
    write_table(tmp_path / "asl_train/metadata.csv", {"0.png": "a", "1.png": "b", "2.png": "a"})
    assert open_dataset(tmp_path).sha256 == open_dataset(tmp_path / "asl_train").sha256


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("path,label\n0.png,Hündin\n1.png,Rüde\n".encode("cp1252"), "must be UTF-8 text"),
        (b"", "an empty file"),
        (b"path,label,score\n0.png,a,0.9\n1.png,b,0.8\n", "to go by list.csv: snapship train "),
    ],
    ids=["code page", "empty", "scores"],
)
def test_lone_table_that_is_not_opened_says_why(
    tmp_path: Path, write_classes: WriteClasses, table: bytes, words: str
) -> None:
    write_classes(tmp_path, {"images": 2})
    (tmp_path / "list.csv").write_bytes(table)
    said = refusal(tmp_path)
    assert words in said
    assert f"{tmp_path}/list.csv" in said


@pytest.mark.parametrize("test", ["test", "test/images", "test1"])
def test_unlabelled_test_beside_a_table_of_train_is_left_alone(
    tmp_path: Path, write_classes: WriteClasses, test: str
) -> None:
    write_classes(tmp_path, {"train": 3, test: 2})
    write_table(tmp_path / "train/metadata.csv", {"0.png": "a", "1.png": "b", "2.png": "a"})
    assert open_dataset(tmp_path).sha256 == open_dataset(tmp_path / "train").sha256


@pytest.mark.parametrize(("folder", "split"), [("valid", "val"), ("test/images", "val"), ("train", None)])
def test_table_of_one_split_alone(
    tmp_path: Path, write_classes: WriteClasses, folder: str, split: str | None
) -> None:
    write_classes(tmp_path, {folder: 12})
    write_table(tmp_path / folder / "metadata.csv", {f"{at}.png": "ab"[at % 2] for at in range(12)})
    images = open_dataset(tmp_path)
    assert len(images) == 12
    assert {item.split for item in images.items} == ({split} if split else {"train", "val"})


def test_class_of_val_that_train_lacks_is_refused(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"train": 2, "val": 2})
    write_table(tmp_path / "train/metadata.csv", {"0.png": "a", "1.png": "b"})
    write_table(tmp_path / "val/metadata.csv", {"0.png": "a", "1.png": "z"})
    assert "Received: z in val/metadata.csv" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("head", "names"),
    [("image_id,label", ("0.png", "1.png", "2.png")), ("id_code,diagnosis", ("0", "1", "2"))],
    ids=["cassava", "aptos"],
)
def test_table_beside_the_folders_of_train_and_test(
    tmp_path: Path, write_classes: WriteClasses, head: str, names: tuple[str, ...]
) -> None:
    write_classes(tmp_path, {"train_images": 3, "test_images": 3})
    write_table(tmp_path / "train.csv", dict(zip(names, "aba", strict=True)), head)
    write_table(tmp_path / "sample_submission.csv", dict.fromkeys(names, "a"), head)
    images = open_dataset(tmp_path)
    assert {item.ref: images.labels[item.label] for item in images.items} == {
        "train_images/0.png": "a", "train_images/1.png": "b", "train_images/2.png": "a",
    }  # fmt: skip


def test_table_over_folders_that_are_parts(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"images_part_1": 2, "images_part_2": 4})
    (tmp_path / "images_part_2" / "0.png").unlink()
    (tmp_path / "images_part_2" / "1.png").unlink()
    write_table(tmp_path / "meta.csv", {"0": "nv", "1": "mel", "2": "nv", "3": "mel"}, "image_id,dx")
    images = open_dataset(tmp_path)
    assert {item.ref for item in images.items if images.labels[item.label] == "nv"} == {
        "images_part_1/0.png", "images_part_2/2.png",
    }  # fmt: skip


def test_table_whose_images_may_be_two_is_refused(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"train_images": 2, "test_images": 2})
    write_table(tmp_path / "labels.csv", {"0.png": "a", "1.png": "b"})
    assert "test_images/0.png or train_images/0.png" in refusal(tmp_path)


def test_one_hot_tables_of_both_splits(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"train": 3, "valid": 2, "test": 2})
    write_table(
        tmp_path / "train/_classes.csv", {"0.png": "1,0", "1.png": "0,1", "2.png": "1,0"}, "filename, a, b"
    )
    for split in ("valid", "test"):
        write_table(tmp_path / split / "_classes.csv", {"0.png": "1,0", "1.png": "0,1"}, "filename, a, b")
    sides = open_dataset(tmp_path).counts()
    assert sides == {"a": {"train": 2, "val": 1}, "b": {"train": 1, "val": 1}}


def test_json_lines_beside_images(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"images": 2})
    lines = [f'{{"file_name": "images/{at}.png", "label": "{"ab"[at]}"}}' for at in range(2)]
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    assert open_dataset(tmp_path).labels == ("a", "b")


def test_answers_of_a_model_are_no_labels(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"train": 2, "test1": 2})
    (tmp_path / "out.csv").write_text("file,label,score\ntrain/0.png,a,0.9\ntrain/1.png,b,0.8\n")
    assert "test1/ (2 images), train/ (2 images), out.csv" in refusal(tmp_path)


def test_stray_table_does_not_hide_what_was_seen(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"train": 2, "test1": 2})
    (tmp_path / "prices.csv").write_text("city,price\nParis,3\nRome,4\n")
    assert "test1/ (2 images), train/ (2 images), prices.csv" in refusal(tmp_path)


@pytest.mark.parametrize(
    "lines",
    [
        "path,label\na/0.png,a\na/1.png,a\nb/0.png,b\n",
        "path,label\na/0.png,cat\na/1.png,cat\nb/0.png,dog\n",
        "path,width\na/0.png,1\na/1.png,2\nb/0.png,1\n",
        "file,label,score\na/0.png,x,0.1\na/1.png,y,0.2\nb/0.png,x,0.3\n",
        "path,label\na/0.png,b\na/1.png,a\nb/0.png,a\n",
        "path,label\nelsewhere/7.png,x\nelsewhere/8.png,y\n",
        "",
        "\0\0,,,\n",
    ],
    ids=["same", "synonyms", "no-label", "predictions", "corrections", "others", "empty", "junk"],
)
def test_class_folders_go_before_a_table_that_does_not_contradict(
    tmp_path: Path, write_classes: WriteClasses, lines: str
) -> None:
    write_classes(tmp_path, {"a": 2, "b": 2})
    before = open_dataset(tmp_path).sha256
    (tmp_path / "table.csv").write_text(lines)
    assert open_dataset(tmp_path).sha256 == before


@pytest.mark.parametrize("name", ["metadata.csv", "train.csv", "metadata.jsonl"])
@pytest.mark.parametrize("labels", ["xyxy", "xxxx"])
def test_class_folders_beside_a_table_of_other_classes_are_refused(
    tmp_path: Path, write_classes: WriteClasses, name: str, labels: str
) -> None:
    write_classes(tmp_path, {"000": 2, "001": 2})
    rows = dict(zip(("000/0.png", "000/1.png", "001/0.png", "001/1.png"), labels, strict=True))
    if name.endswith("jsonl"):
        lines = (f'{{"file_name": "{ref}", "label": "{label}"}}' for ref, label in rows.items())
        (tmp_path / name).write_text("\n".join(lines))
    else:
        write_table(tmp_path / name, rows)
    text = refusal(tmp_path)
    assert "'000'" in text
    assert text.endswith(f"snapship train {tmp_path}/{name}")


def test_table_in_a_zip_is_named(tmp_path: Path, picture: Picture) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        for place in range(2):
            file.writestr(f"images/{place}.png", picture(place))
        file.writestr("metadata.csv", "file_name,label\nimages/0.png,a\nimages/1.png,b\n")
    said = refusal(tmp_path / "set.zip")
    assert "beside unpacked images. Received: metadata.csv in" in said
    assert (
        f"snapship train {tmp_path}/set (unpacked before: unzip {tmp_path}/set.zip -d {tmp_path}/set)" in said
    )


def test_commands_about_a_zip_are_right_once_it_is_unpacked(
    tmp_path: Path, write_classes: WriteClasses
) -> None:
    folder = write_classes(tmp_path / "pets", {"000": 2, "001": 2})
    rows = dict(zip(("000/0.png", "000/1.png", "001/0.png", "001/1.png"), "xyxy", strict=True))
    write_table(folder / "labels.csv", rows)
    archive = Path(shutil.make_archive(str(folder), "zip", folder))
    command = f"snapship train {folder}/labels.csv"
    assert refusal(folder).endswith(command)
    assert refusal(archive).endswith(f"{command} (unpacked before: unzip {archive} -d {folder})")
    assert open_dataset(folder / "labels.csv").labels == ("x", "y")
