"""A file of answers is there whole, or as it was before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_runtime.common.atomic_file import text_stream, write_whole, written_aside
from edge_runtime.common.errors import UsageError


def test_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "a.csv"
    with text_stream(out) as stream:
        stream.write("ü\udcff\n")
        stream.flush()
        assert not out.exists()
    assert out.read_bytes() == "ü\\udcff\n".encode()
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_error_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    out = tmp_path / "a.csv"
    out.write_text("old")

    def fail() -> None:
        with text_stream(out) as stream:
            stream.write("half")
            raise error

    with pytest.raises(error):
        fail()
    assert out.read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    with written_aside(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_places_that_are_no_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place, words in (
        (tmp_path, "ordinary file"),
        (Path(os.devnull), "ordinary file"),
        (tmp_path / "file" / "below.csv", "writable"),
    ):
        with pytest.raises(UsageError, match=words), written_aside(place):
            pass
    assert Path(os.devnull).is_char_device()


def test_write_whole_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.html"
    write_whole(path, "one")
    write_whole(path, "two")
    assert path.read_text() == "two"
    assert [entry.name for entry in path.parent.iterdir()] == ["page.html"]
    assert path.stat().st_mode & 0o777 == 0o644
