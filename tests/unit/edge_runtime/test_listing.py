"""Words of a command line -> images."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.errors import DataError, UsageError
from edge_runtime.listing import image_files


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
