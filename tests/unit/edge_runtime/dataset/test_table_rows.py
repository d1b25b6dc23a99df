"""Paths of a table are found as other systems and people spell them, and only where one file fits."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from edge_runtime.common.errors import DataError
from edge_runtime.dataset import open_dataset
from edge_runtime.dataset.table_rows import ImageFinder

Picture = Callable[[int], bytes]
Tree = Callable[..., Path]


@pytest.fixture
def tree(tmp_path: Path, picture: Picture) -> Tree:
    """Writes images, and a table of them in which every other one is a cat."""

    def write(images: Iterable[str], cells: Iterable[str], name: str = "index.csv") -> Path:
        for place, ref in enumerate(images):
            (tmp_path / ref).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / ref).write_bytes(picture(place))
        lines = [f"{cell},{('cat', 'dog')[place % 2]}" for place, cell in enumerate(cells)]
        (tmp_path / name).write_text("\n".join(["image_id,label", *lines]) + "\n", "utf-8")
        return tmp_path / name

    return write


def refs(path: Path) -> list[str]:
    images = open_dataset(path)
    assert [images.labels[item.label] for item in images.items] == ["cat", "dog"]
    return [item.ref for item in images.items]


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("written", ["NFC", "NFD"])
def test_both_normal_forms(tree: Tree, on_disk: str, written: str) -> None:
    names = [f"bläu/ü{n}.png" for n in (0, 1)]
    spelled = [[unicodedata.normalize(form, name) for name in names] for form in (on_disk, written)]
    assert refs(tree(*spelled)) == spelled[0]


@pytest.mark.parametrize(
    ("images", "cells"),
    [
        (("img/0.png", "img/1.png"), ("img\\0.png", ".\\img\\1.png")),
        (("img/A0.PNG", "img/a1.png"), ("img/a0.png", "IMG/A1.png")),
        (("img/0.png", "img/1.png"), ("img/0", "img/1")),
        (("img/0.png", "img/1.jpg"), ("0", "1")),
        (("img/0.v2.png", "img/1.png"), ("0.v2", "1")),
        (("img/0.png", "img/1.png"), ("0.png", "1.png")),
        (("set/img/0.png", "set/img/1.png"), ("img/0.png", "img/1.png")),
        (("a/0.png", "b/0.png"), ("a/0.png", "b/0.png")),
        (("0.png", "masks/0.png", "1.png", "masks/1.png"), ("0.png", "1.png")),
        (("0.png", "masks/0.png", "1.png", "masks/1.png"), ("0", "1")),
        (("img/0.png", "img/1.png"), ("/elsewhere/set/img/0.png", "/elsewhere/set/img/1.png")),
        (("img/0.png", "img/1.png"), ("C:\\me\\set\\img\\0.png", "C:\\me\\set\\img\\1.png")),
        (("a b/0.png", "a b/1.png"), ("file:///x/a%20b/0.png", "file:///x/a%20b/1.png")),
    ],
)
def test_file_is_found_however_it_is_spelled(
    tree: Tree, images: tuple[str, ...], cells: tuple[str, ...]
) -> None:
    assert refs(tree(images, cells)) == [ref for ref in images if "masks" not in ref]


def test_folder_called_as_the_table_goes_first(tree: Tree) -> None:
    images = ("train_images/0.png", "test_images/0.png", "train_images/1.png", "test_images/1.png")
    found = ["train_images/0.png", "train_images/1.png"]
    assert refs(tree(images, ("0", "1"), "train.csv")) == found
    with pytest.raises(
        DataError, match=r"must match one file. Received: '0' .* test_images/0.png or train_images/0.png"
    ):
        open_dataset(tree((), ("0", "1"), "index.csv"))


def test_absolute_path_and_path_from_a_folder_above(tree: Tree, tmp_path: Path) -> None:
    images = ("img/0.png", "img/1.png")
    here = [str(tmp_path / ref) for ref in images]
    assert refs(tree(images, here)) == here
    assert refs(tree(images, [f"{tmp_path.name}/{ref}" for ref in images])) == list(images)


def test_images_of_another_folder_are_not_taken_for_missing_ones(tree: Tree) -> None:
    with pytest.raises(DataError, match=r"2 of 2 missing .* 'a/0.png'"):
        open_dataset(tree(("b/0.png", "b/1.png"), ("a/0.png", "a/1.png")))
    # Of two absolute paths one is here: the other one is not looked for elsewhere.
    with pytest.raises(DataError, match=r"1 of 2 missing .* '/x/dogs/1.png'"):
        open_dataset(tree(("cats/0.png", "1.png"), ("/x/cats/0.png", "/x/dogs/1.png")))


def test_one_file_under_two_spellings_is_one_image(tree: Tree) -> None:
    path = tree(("img/0.png", "img/1.png"), ("img/0.png", "img/1.png", "IMG/0", "img\\1.png"))
    images = open_dataset(path)
    assert len(images) == 2
    assert images.skipped == ("img/0.png: listed twice", "img/1.png: listed twice")
    with pytest.raises(DataError, match=r"one label. Received: img/0.png as 'cat' and 'dog'"):
        open_dataset(tree((), ("img/0.png", "img/0", "img/1.png")))


def test_path_that_begins_with_the_root_of_a_set(tree: Tree) -> None:
    images = ("cats/0.png", "dogs/1.png")
    assert refs(tree(images, ("/cats/0.png", "/dogs/1.png"))) == list(images)


def test_same_name_in_each_folder_is_looked_for_in_its_own(tree: Tree) -> None:
    images = [f"p{place}/image.png" for place in range(6)]
    path = tree(images, [f"P{place}/image" for place in range(6)])
    assert [item.ref for item in open_dataset(path).items] == images
    # One file of six is compared, or a set of many folders would take the square of their number.
    assert len(ImageFinder(path)._candidates("p3/image")) == 1


def test_url_is_told_to_be_downloaded(tree: Tree) -> None:
    with pytest.raises(DataError, match="Download the images"):
        open_dataset(tree((), ("https://example.org/0.png", "gs://bucket/1.png")))


def test_cell_of_any_length_is_missing_in_one_short_line(tree: Tree) -> None:
    with pytest.raises(DataError, match="missing") as caught:
        open_dataset(tree((), ("x" * 100_000, "y\x00.png")))
    assert len(str(caught.value)) < 500
