"""Words of a command line -> images."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from edge_runtime.common.errors import DataError, UsageError
from edge_runtime.image_inputs import image_files


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.jpg", "a.png", "deep/c.jpg", "deep/er/d.jpg", ".hidden.jpg", "scan [1].jpg", "notes.txt"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("photos/*.jpg", ["b.jpg", "scan [1].jpg"]),
        ("photos/**/*.jpg", ["b.jpg", "deep/c.jpg", "deep/er/d.jpg", "scan [1].jpg"]),
        ("photos/[ab].*", ["a.png", "b.jpg"]),
        ("photos/**/?.jpg", ["b.jpg", "deep/c.jpg", "deep/er/d.jpg"]),
        ("photos/deep/**", ["deep/c.jpg", "deep/er/d.jpg"]),
        ("photos/n*", ["notes.txt"]),
    ],
)
def test_pattern_means_the_files_that_it_matches(photos: Path, pattern: str, names: list[str]) -> None:
    assert image_files([pattern]) == [f"photos/{name}" for name in names]


def test_file_with_the_signs_of_a_pattern_is_a_file(photos: Path) -> None:
    assert image_files(["photos/scan [1].jpg"]) == ["photos/scan [1].jpg"]


def test_pattern_without_a_match_is_refused(photos: Path) -> None:
    with pytest.raises(DataError, match=r"Received: photos/\*.webp"):
        image_files(["photos/*.webp"])


@pytest.mark.parametrize("url", ["https://example.org/a*.jpg", "s3://bucket/a.jpg", "file:///tmp/a.jpg"])
def test_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="Download it first"):
        image_files([url])


def test_empty_name_is_refused() -> None:
    with pytest.raises(UsageError, match="empty name"):
        image_files(["a.png", ""])


def test_folder_means_no_file_that_would_be_waited_for(photos: Path) -> None:
    os.mkfifo(photos / "pipe.png")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("photos/socket.png")
    # Reading a link to nothing says so.
    (photos / "gone.png").symlink_to("nowhere.png")
    found = [Path(path).name for path in image_files(["photos"])]
    assert "pipe.png" not in found
    assert "socket.png" not in found
    assert "gone.png" in found
    # Who names it means it: a shell's <(...) is one.
    assert image_files(["photos/pipe.png"]) == ["photos/pipe.png"]


def test_folder_without_images_names_suffixes_that_are_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"[.]jpeg [.]jpg .* [.]webp[.]$") as caught:
        image_files([str(tmp_path)])
    assert not {".heic", ".heif", ".avif"} & set(str(caught.value).split())


@pytest.mark.parametrize("place", [".", "../photos"])
def test_pattern_reads_a_folder_once_however_many_links_lead_to_it(
    photos: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Followed round and round, three links back are 3^40 paths.
    for name in ("self", "again", "deep/up"):
        (photos / name).symlink_to("." if "/" not in name else "..")
    (photos / "other").symlink_to("deep/er")
    (photos / ".hidden").mkdir()
    (photos / ".hidden" / "d.jpg").write_bytes(b"")
    monkeypatch.chdir(photos)
    found = image_files([f"{place}/**/d.jpg"])
    assert [Path(path).samefile(photos / "deep" / "er" / "d.jpg") for path in found] == [True]
    everything = image_files([f"{place}/**"])
    assert everything == sorted(set(everything))
    assert {Path(path).name for path in everything} >= {"d.jpg"}


def test_pattern_with_two_depths_and_a_link_to_elsewhere(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere" / "in").mkdir(parents=True)
    (tmp_path / "elsewhere" / "in" / "x.png").write_bytes(b"")
    (photos / "linked").symlink_to(tmp_path / "elsewhere")
    monkeypatch.chdir(photos.parent)
    assert image_files(["photos/**/linked/**/*.png"]) == ["photos/linked/in/x.png"]
    assert image_files([str(photos / "**" / "x.png")]) == [str(photos / "linked" / "in" / "x.png")]
