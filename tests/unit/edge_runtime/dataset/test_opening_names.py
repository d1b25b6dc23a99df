"""Names and arrangements as users have them: real files with any name, hidden ones, links."""

from __future__ import annotations

import os
import unicodedata
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edge_runtime.bundle.labels import labels_text, parse_labels
from edge_runtime.common.errors import DataError
from edge_runtime.dataset import decode_all, open_dataset
from edge_runtime.image.input_spec import InputSpec

WriteClasses = Callable[[Path, Mapping[str, int]], Path]
Picture = Callable[[int], bytes]
NAMES = ("Größe", "猫", "кошка", "red rose", "a,b;c", "100%", "[x]", "O'Neil", "🌷", "-dash", "a.b")


def refs(folder: Path) -> set[str]:
    images = open_dataset(folder)
    assert all(not isinstance(result, str) for _, result in decode_all(images, InputSpec(4, 4)))
    return {item.ref for item in images.items}


def test_any_name_is_a_class_and_its_files_are_read(tmp_path: Path, picture: Picture) -> None:
    for place, name in enumerate(NAMES):
        (tmp_path / "Fotos älter" / name).mkdir(parents=True)
        for number in range(2):
            path = tmp_path / "Fotos älter" / name / f"Bild {number} · {name} #1.PNG"
            path.write_bytes(picture(10 * place + number))
    images = open_dataset(tmp_path / "Fotos älter")
    assert set(images.labels) == set(NAMES)
    assert len(refs(tmp_path / "Fotos älter")) == 2 * len(NAMES)
    assert not images.skipped


@pytest.mark.parametrize("suffix", [".JPG", ".Jpeg", ".PNG", ".TIF", ".WebP", ".BMP", ".GIF"])
def test_upper_case_extension_counts(
    tmp_path: Path, write_classes: WriteClasses, picture: Picture, suffix: str
) -> None:
    write_classes(tmp_path, {"cat": 1, "dog": 1})
    (tmp_path / "cat" / f"A{suffix}").write_bytes(picture(90))
    assert f"cat/A{suffix}" in refs(tmp_path)


def test_zip_and_csv_by_upper_case_extension(tmp_path: Path, picture: Picture) -> None:
    with zipfile.ZipFile(tmp_path / "SET.ZIP", "w") as file:
        for place, name in enumerate(("cat/1.JPG", "dog/1.JPG")):
            file.writestr(name, picture(place))
            (tmp_path / name).parent.mkdir()
            (tmp_path / name).write_bytes(picture(place))
    (tmp_path / "SET.CSV").write_text("path,label\ncat/1.JPG,cat\ndog/1.JPG,dog\n")
    assert len(open_dataset(tmp_path / "SET.ZIP")) == len(open_dataset(tmp_path / "SET.CSV")) == 2


@pytest.mark.parametrize(
    "name",
    [".hidden.png", "._0.png", ".cache/x.png", "@eaDir/0.png", "__MACOSX/0.png", "$RECYCLE.BIN/x.png",
     "thumbs.db", "Desktop.ini", ".ipynb_checkpoints/0.png"],
)  # fmt: skip
@pytest.mark.parametrize("at", ["", "cat"])
def test_hidden_and_system_files_are_no_part_of_it(
    tmp_path: Path, write_classes: WriteClasses, picture: Picture, name: str, at: str
) -> None:
    write_classes(tmp_path, {"cat": 2, "dog": 2})
    path = tmp_path / at / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture(99))
    images = open_dataset(tmp_path)
    assert images.labels == ("cat", "dog")
    assert (len(images), images.skipped) == (4, ())


def test_hidden_folder_may_be_the_data_itself(tmp_path: Path, write_classes: WriteClasses) -> None:
    assert len(open_dataset(write_classes(tmp_path / ".photos" / "v1", {"cat": 2, "dog": 2}))) == 4


def test_folders_in_a_class_belong_to_it_however_deep(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path / "train", {"cat/2023/may": 2, "cat/2024": 1, "dog": 2})
    write_classes(tmp_path / "val", {"cat/a/b/c/d": 1, "dog": 1})
    images = open_dataset(tmp_path)
    assert images.counts() == {"cat": {"train": 3, "val": 1}, "dog": {"train": 2, "val": 1}}


def test_one_name_in_two_spellings_of_unicode_is_one_class(tmp_path: Path, picture: Picture) -> None:
    for place, (split, form) in enumerate((("train", "NFD"), ("val", "NFC"))):
        for name in ("pâté", "dog"):
            folder = tmp_path / split / unicodedata.normalize(form, name)  # type: ignore[arg-type]
            folder.mkdir(parents=True)
            (folder / "1.png").write_bytes(picture(place + 10 * (name == "dog")))
    assert open_dataset(tmp_path).labels == ("dog", unicodedata.normalize("NFC", "pâté"))
    assert len(refs(tmp_path)) == 4


def test_zip_of_a_mac_with_utf8_names_that_are_not_flagged(tmp_path: Path, picture: Picture) -> None:
    plain = "caf+/1.png"
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        file.writestr("dog/1.png", picture(1))
        file.writestr(plain.replace("+", "XX"), picture(2))
    # What its Archive Utility writes: the bytes of UTF-8 and no flag that says so.
    data = (tmp_path / "set.zip").read_bytes().replace(b"cafXX", "café".encode())
    (tmp_path / "set.zip").write_bytes(data)
    images = open_dataset(tmp_path / "set.zip")
    assert images.labels == ("café", "dog")
    assert images.read(images.items[0]) == picture(2)


@pytest.mark.parametrize(
    "name",
    [
        "roses ",
        " roses",
        "roses\t",
        "roses\u00a0",
        "\u3000roses",
        "\ufeffroses",
        "roses\u2028",
        "\ufeff roses \ufeff",
    ],
)
def test_class_name_is_settled_as_a_bundle_gives_it_back(
    tmp_path: Path, write_classes: WriteClasses, name: str
) -> None:
    write_classes(tmp_path / "train", {name: 2, "a": 1, "tulips": 1})
    write_classes(tmp_path / "val", {"roses": 1, "a": 1})
    images = open_dataset(tmp_path)
    assert images.labels == parse_labels(labels_text(images.labels)) == ("a", "roses", "tulips")
    assert images.counts()["roses"] == {"train": 2, "val": 1}
    assert f"train/{name}/0.png" in refs(tmp_path)


@pytest.mark.parametrize("name", ["roses ", "\ufeffroses", "roses\u00a0"])
def test_class_names_that_differ_in_white_space_alone_are_refused(
    tmp_path: Path, write_classes: WriteClasses, name: str
) -> None:
    write_classes(tmp_path, {name: 2, "roses": 2})
    with pytest.raises(DataError, match=r"more than white space.*'roses'"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("name", [" ", "\u00a0", "\ufeff"])
def test_class_name_of_white_space_alone_is_refused(
    tmp_path: Path, write_classes: WriteClasses, name: str
) -> None:
    write_classes(tmp_path, {name: 2, "roses": 2})
    with pytest.raises(DataError, match="one line of text"):
        open_dataset(tmp_path)


def test_label_of_a_table_is_settled(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"": 2})
    (tmp_path / "list.csv").write_text("path,label\n0.png,\ufeffroses\n1.png,tulips\u00a0\n")
    assert set(open_dataset(tmp_path).labels) == {"roses", "tulips"}


def test_linked_files_and_folders_are_followed(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path / "store", {"x": 3, "y": 2})
    data = tmp_path / "data"
    (data / "cat").mkdir(parents=True)
    for place in range(3):
        (data / "cat" / f"{place}.png").symlink_to(tmp_path / "store" / "x" / f"{place}.png")
    (data / "dog").symlink_to(Path("..") / "store" / "y", target_is_directory=True)
    (tmp_path / "latest").symlink_to(data, target_is_directory=True)
    assert refs(tmp_path / "latest") == {"cat/0.png", "cat/1.png", "cat/2.png", "dog/0.png", "dog/1.png"}


def test_folder_linked_twice_is_there_twice(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path / "store", {"cat": 2, "dog": 2})
    for split in ("train", "val"):
        (tmp_path / "data" / split).mkdir(parents=True)
        for name in ("cat", "dog"):
            (tmp_path / "data" / split / name).symlink_to(tmp_path / "store" / name, target_is_directory=True)
    sides = {"train": 2, "val": 2}
    assert open_dataset(tmp_path / "data").counts() == {"cat": sides, "dog": sides}


def test_link_beside_its_target_takes_nothing_from_it(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"cat": 2, "dog": 2})
    (tmp_path / "alias").symlink_to(tmp_path / "cat", target_is_directory=True)
    images = open_dataset(tmp_path)
    assert images.labels == ("alias", "cat", "dog")
    assert len(images) == 6


def test_folders_that_link_to_each_other_come_to_an_end(tmp_path: Path, write_classes: WriteClasses) -> None:
    names = [f"c{place}" for place in range(10)]
    write_classes(tmp_path, dict.fromkeys(names, 1))
    for name in names:
        for other in names:
            (tmp_path / name / f"to-{other}").symlink_to(tmp_path / other, target_is_directory=True)
    assert set(names) == set(open_dataset(tmp_path).labels)


def test_broken_link_is_skipped_with_the_reason(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"cat": 2, "dog": 2})
    (tmp_path / "cat" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    images = open_dataset(tmp_path)
    assert len(images) == 4
    (line,) = images.skipped
    assert line.startswith("cat/gone.png: An image file must be readable.")


@pytest.mark.parametrize("name", ["pipe", "pipe.png"])
@pytest.mark.timeout(20)
def test_pipe_is_not_waited_for(tmp_path: Path, write_classes: WriteClasses, name: str) -> None:
    write_classes(tmp_path, {"cat": 2, "dog": 2})
    os.mkfifo(tmp_path / "cat" / name)
    images = open_dataset(tmp_path)
    assert len(images) == 4
    assert images.skipped[0].startswith(f"cat/{name}: ")


def test_many_unreadable_files_refuse_the_set(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"cat": 5, "dog": 5})
    for place in range(2):
        (tmp_path / "cat" / f"gone{place}.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(DataError, match=r"At most 5%.*2 of 12.*cat/gone0.png"):
        open_dataset(tmp_path)
