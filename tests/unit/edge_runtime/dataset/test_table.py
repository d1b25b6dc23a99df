"""A CSV of path,label[,split]."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.common.errors import DataError
from edge_runtime.dataset import open_dataset

Picture = Callable[[int], bytes]


@pytest.fixture
def table(tmp_path: Path, picture: Picture) -> Callable[[str], Path]:
    """Writes a CSV beside pictures images/0.png to images/9.png."""
    (tmp_path / "images").mkdir()
    for place in range(10):
        (tmp_path / "images" / f"{place}.png").write_bytes(picture(place))

    def write(text: str) -> Path:
        path = tmp_path / "index.csv"
        path.write_bytes(text.encode("utf-8"))
        return path

    return write


Table = Callable[[str], Path]


def test_header_of_path_and_label(table: Table, picture: Picture) -> None:
    path = table("path,label\nimages/0.png,dog\nimages/1.png,cat\nimages/2.png,cat\nimages/3.png,dog\n")
    images = open_dataset(path)
    assert images.labels == ("cat", "dog")
    assert [(item.ref, item.label) for item in images.items][:2] == [("images/0.png", 1), ("images/1.png", 0)]
    assert all(min(sides.values()) == 1 for sides in images.counts().values())
    assert images.read(images.items[0]) == picture(0)
    assert images.source == str(path)


@pytest.mark.parametrize(
    "text",
    [
        "images/0.png,dog\nimages/1.png,cat\n",
        "\ufefffile;class\r\nimages/0.png;dog\r\n\r\nimages/1.png;cat\r\n",
        "id\tFilename\tClass_Name\n7\timages/0.png\tdog\n8\timages/1.png\tcat",
        'Image, Label\n"images/0.png", "dog"\nimages\\1.png, cat\n',
        "label,path\ndog,./images/0.png\ncat,images/1.png\n",
    ],
)
def test_other_ways_to_write_it(table: Table, text: str) -> None:
    images = open_dataset(table(text))
    assert images.labels == ("cat", "dog")
    assert {item.ref: item.label for item in images.items} == {"images/0.png": 1, "images/1.png": 0}


def test_split_column_decides(table: Table) -> None:
    text = "path,label,split\nimages/0.png,a,train\nimages/1.png,b,Training\nimages/2.png,a,test\n"
    images = open_dataset(table(text))
    assert images.counts() == {"a": {"train": 1, "val": 1}, "b": {"train": 1, "val": 0}}


def test_test_lines_beside_val_lines_are_left_alone(table: Table) -> None:
    text = "path,label,split\nimages/0.png,a,train\nimages/1.png,b,train\nimages/2.png,a,val\nimages/3.png,b,test\n"
    images = open_dataset(table(text))
    assert len(images) == 3
    assert images.skipped == ("line 5: neither in the train nor in the val split",)


def test_integer_labels_take_their_names_from_labels_txt(table: Table, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("tench\ncrane\ncrane\n")
    images = open_dataset(table("path,label\nimages/0.png,2\nimages/1.png,0\n"))
    assert images.labels == ("tench", "crane", "crane (2)")
    assert [item.label for item in images.items] == [2, 0]


def test_integer_labels_without_labels_txt_are_names(table: Table) -> None:
    images = open_dataset(table("path,label\nimages/0.png,10\nimages/1.png,9\n"))
    assert images.labels == ("9", "10")


def test_words_do_not_take_names_from_labels_txt(table: Table, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("x\ny\n")
    assert open_dataset(table("path,label\nimages/0.png,b\nimages/1.png,a\n")).labels == ("a", "b")


def test_label_beyond_labels_txt_is_refused(table: Table, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("tench\ncrane\n")
    with pytest.raises(DataError, match=r"label 2 .* 2 lines"):
        open_dataset(table("path,label\nimages/0.png,2\nimages/1.png,0\n"))


def test_empty_name_in_labels_txt_is_refused(table: Table, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("tench\n\ncrane\n")
    with pytest.raises(DataError, match="index 1"):
        open_dataset(table("path,label\nimages/0.png,2\nimages/1.png,0\n"))


def test_folder_with_one_csv_is_that_csv(table: Table, tmp_path: Path, picture: Picture) -> None:
    folder = tmp_path / "flat"
    folder.mkdir()
    for place in range(2):
        (folder / f"{place}.png").write_bytes(picture(place))
    (folder / "all.csv").write_text("path,label\n0.png,a\n1.png,b\n")
    assert open_dataset(folder).labels == ("a", "b")


def test_line_listed_twice_counts_once(table: Table) -> None:
    images = open_dataset(table("path,label\nimages/0.png,a\nimages/0.png,a\nimages/1.png,b\n"))
    assert len(images) == 2
    assert images.skipped == ("images/0.png: listed twice",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "an empty file"),
        ("path,label\n", "only a header"),
        ("name,colour\nx,red\n", "columns path and label. Received: name, colour"),
        ("path,label\nimages/0.png,a\nimages/77.png,b\n", "1 of 2 missing .* 'images/77.png'"),
        ("path,label\nimages/0.png,a\nimages/1.png,a\n", "at least two classes"),
        ("path,label\nimages/0.png,a\nimages/1.png\n", "line 3"),
        ("path,label\nimages/0.png,a\n,b\n", "a path and a label"),
        ("path,label,split\nimages/0.png,a,train\nimages/1.png,b,holdout\n", "'holdout' at line 3"),
        ("path,label\nimages/0.png,a\nimages/0.png,b\n", r"as 'a' and 'b' \(line 3\)"),
    ],
)
def test_wrong_table_is_a_one_line_error(table: Table, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        open_dataset(table(text))
    assert "Received:" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "index.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="UTF-8 text"):
        open_dataset(path)
