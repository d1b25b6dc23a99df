"""Commands in refusals of folders: what they write is opened as they say."""

from __future__ import annotations

import re
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edge_runtime.common.errors import DataError
from edge_runtime.dataset import open_dataset

WriteClasses = Callable[[Path, Mapping[str, int]], Path]
Picture = Callable[[int], bytes]


def refusal(folder: Path) -> str:
    with pytest.raises(DataError, match="Received:") as caught:
        open_dataset(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "folders",
    [{"cat, big": 2, "dog, small": 2}, {f"fold{n}/{c}": 2 for n in (0, 1) for c in ("cat, big", "dog")}],
)
def test_names_that_a_shell_cannot_write_into_a_table_bring_no_script(
    tmp_path: Path, write_classes: WriteClasses, folders: dict[str, int]
) -> None:
    write_classes(tmp_path / "made", folders)
    (tmp_path / "set").mkdir()
    for place, file in enumerate(sorted((tmp_path / "made").rglob("*.png"))):
        inner = file.relative_to(tmp_path / "made")
        flat = Path(f"{inner.parent}_{place}.png")
        to = tmp_path / "set" / (inner if len(inner.parts) > 2 else flat)
        to.parent.mkdir(parents=True, exist_ok=True)
        file.rename(to)
    said = refusal(tmp_path / "set")
    assert "(cd " not in said
    assert f"snapship train {tmp_path}/set" in said


def run_cure(text: str) -> Path:
    """Runs the command in a message up to ``snapship train``; returns what would be passed."""
    script, _, path = text[text.index("(cd ") :].rpartition(" && snapship train ")
    subprocess.run(["sh", "-c", script], check=True)
    return Path(path)


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["cat.0.jpg", "cat.1.jpg", "dog.0.jpg", "dog.1.jpg"], ("cat", "dog")),
        (["Pug_1.jpg", "Pug_2.png", "great_dane_1.jpg", "great_dane_2.jpg"], ("Pug", "great_dane")),
    ],
)  # fmt: skip
def test_cure_for_class_names_in_file_names_works(
    tmp_path: Path, picture: Picture, names: list[str], labels: tuple[str, ...]
) -> None:
    for place, name in enumerate(names):
        (tmp_path / "a set" / "train").mkdir(parents=True, exist_ok=True)
        (tmp_path / "a set" / "train" / name).write_bytes(picture(place))
    text = refusal(tmp_path / "a set")
    passed = Path(str(run_cure(text)).strip("'"))
    images = open_dataset(passed)
    assert images.labels == labels
    assert len(images) == 4


def test_cure_for_folds_judges_by_one(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {f"fold{n}/{name}": 2 for n in range(3) for name in ("cat", "dog")})
    images = open_dataset(run_cure(refusal(tmp_path)))
    sides = {"train": 4, "val": 2}
    assert images.counts() == {"cat": sides, "dog": sides}
    assert all(item.ref.startswith("fold0/") == (item.split == "val") for item in images.items)


def test_refused_zip_names_the_folder_to_unpack_to(tmp_path: Path, picture: Picture) -> None:
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as file:
        for place, name in enumerate(("train/1.png", "test1/1.png")):
            file.writestr(name, picture(place))
    text = refusal(tmp_path / "pets.zip")
    assert f"unzip {tmp_path}/pets.zip -d {tmp_path}/pets" in text
    assert re.search(rf"snapship train {tmp_path}/pets/train", text)
