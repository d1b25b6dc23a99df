"""``snapship data check`` through the front door: what it prints, its page and its exit codes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image, ImageOps

from snapship.cli import cli


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in ("data", "check", *words)])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of smooth pictures without a fault."""
    random = np.random.default_rng(0)
    for split, count in (("train", 20), ("val", 5)):
        for name in ("cat", "red <rose>"):
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            for place in range(count):
                patches = Image.fromarray(random.integers(0, 256, (5, 6, 3), dtype=np.uint8))
                patches.resize((160, 120), Image.Resampling.BICUBIC).save(folder / f"{place}.png")
    return tmp_path / "photos"


def leak(photos: Path) -> None:
    with Image.open(photos / "train" / "cat" / "0.png") as picture:
        ImageOps.mirror(picture).save(photos / "val" / "red <rose>" / "größer.jpg")


def test_clean_set_is_exit_code_0(photos: Path) -> None:
    result = run(photos)
    assert result.exit_code == 0, result.output
    assert "2 classes, 40 train and 10 val images" in result.stdout
    assert "No findings." in result.stdout


def test_warnings_alone_are_exit_code_0(photos: Path) -> None:
    (photos / "train" / "cat" / "0.png").unlink()
    result = run(photos)
    assert result.exit_code == 0
    assert "fewer than 20 train images: cat has 19" in result.stdout


def test_leak_is_exit_code_1_and_named(photos: Path) -> None:
    leak(photos)
    result = run(photos)
    assert result.exit_code == 1
    assert "val/red <rose>/größer.jpg" in result.stdout
    assert "train/cat/0.png" in result.stdout
    assert "mirrored" in result.stdout
    line = result.stderr.splitlines()[-1]
    assert line.startswith("Error: No val image may also be in train. Received: 1 in ")


def test_json_is_one_document_with_every_pair(photos: Path) -> None:
    leak(photos)
    result = run(photos, "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["has_leak"] is True
    assert document["leaks"][0]["mirrored"] is True
    assert document["leaks"][0]["second"] == {"ref": "train/cat/0.png", "label": "cat", "split": "train"}
    assert {finding["kind"] for finding in document["findings"]} == {"leak", "conflict"}


def test_page_shows_the_pair_and_escapes_names(photos: Path, tmp_path: Path) -> None:
    leak(photos)
    page = tmp_path / "out" / "page.html"
    assert run(photos, "--report", page).exit_code == 1
    text = page.read_text("utf-8")
    assert text.count("data:image/jpeg;base64,") == 4
    assert "red &lt;rose&gt;" in text
    assert "<rose>" not in text
    assert "http" not in text
    assert [path.name for path in page.parent.iterdir()] == ["page.html"]


def test_page_of_data_whose_path_is_no_text(photos: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        photos.rename(odd)
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    assert run(odd, "--report", odd / "page.html").exit_code == 0
    assert "caf\\udce9" in (odd / "page.html").read_text("utf-8")


def test_page_that_cannot_be_written_is_exit_code_2(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    result = run(photos, "--report", tmp_path / "file" / "page.html")
    assert result.exit_code == 2
    assert "output must be writable" in result.stderr
    assert "Traceback" not in result.stderr


def test_too_many_unreadable_are_exit_code_2_and_listed(photos: Path) -> None:
    for place in range(4):
        (photos / "train" / "cat" / f"bad{place}.png").write_text(f"no picture {place}")
    result = run(photos)
    assert result.exit_code == 2
    for place in range(4):
        assert f"unreadable  train/cat/bad{place}.png: " in result.stdout
    assert "At most 5%" in result.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [(("nowhere",), "DATA must exist"), ((), "Missing argument"), (("digits", "--size", "2"), "--size")],
)
def test_bad_input_is_one_line_and_exit_code_2(words: tuple[str, ...], expected: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert expected in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_digits_are_clean() -> None:
    assert run("digits").exit_code == 0
