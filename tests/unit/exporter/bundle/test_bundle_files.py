from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edge_runtime import Bundle
from edge_runtime.common.atomic_file import write_whole
from edge_runtime.common.errors import UsageError
from exporter.bundle.bundle_files import bundle_in_making, may_write


def test_new_place_may_be_written(tmp_path: Path) -> None:
    may_write(tmp_path / "new.bundle", overwrite=False)
    (tmp_path / "empty").mkdir()
    may_write(tmp_path / "empty", overwrite=False)
    may_write(tmp_path / "empty", overwrite=True)


def test_existing_bundle_needs_overwrite(own_digits_bundle: Path) -> None:
    with pytest.raises(UsageError, match="--overwrite"):
        may_write(own_digits_bundle, overwrite=False)
    may_write(own_digits_bundle, overwrite=True)


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_bundle_is_never_replaced(tmp_path: Path, overwrite: bool) -> None:
    folder, file = tmp_path / "photos", tmp_path / "notes.zip"
    folder.mkdir()
    (folder / "holiday.jpg").write_bytes(b"x")
    file.write_bytes(b"x")
    for place in (folder, file):
        with pytest.raises(UsageError, match="Received: --out"):
            may_write(place, overwrite)


def test_bundle_that_holds_more_is_never_replaced(own_digits_bundle: Path) -> None:
    (own_digits_bundle / "thesis.txt").write_text("x")
    with pytest.raises(UsageError, match=r"thesis\.txt"):
        may_write(own_digits_bundle, overwrite=True)


def test_links_and_folders_in_place_of_a_zip_are_left_alone(own_digits_bundle: Path, tmp_path: Path) -> None:
    link, folder = tmp_path / "latest.bundle", tmp_path / "x.zip"
    link.symlink_to(own_digits_bundle)
    folder.mkdir()
    for place, words in ((link, "a link"), (folder, "a folder")):
        with pytest.raises(UsageError, match=words):
            may_write(place, overwrite=True)


@pytest.mark.parametrize("name", ["", ".", "/", "x" * 300])
def test_name_that_cannot_be_one_is_one_line(name: str) -> None:
    with pytest.raises(UsageError, match="--out") as caught:
        may_write(Path(name), overwrite=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["old.bundle", "old.zip"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_failure_keeps_what_was_there(tmp_path: Path, name: str, error: type[BaseException]) -> None:
    out = tmp_path / name
    with bundle_in_making(out) as folder:
        (folder / "a.txt").write_text("old")
    before = sorted(tmp_path.rglob("*"))

    def fail() -> None:
        with bundle_in_making(out) as folder:
            (folder / "a.txt").write_text("new")
            raise error

    with pytest.raises(error):
        fail()
    assert sorted(tmp_path.rglob("*")) == before
    if out.is_dir():
        assert (out / "a.txt").read_text() == "old"


def test_failure_leaves_no_new_folders_above(tmp_path: Path) -> None:
    for name in ("x.bundle", "x.zip"):
        with pytest.raises(RuntimeError), bundle_in_making(tmp_path / "new" / "deep" / name):
            raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_folder_is_replaced_whole(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "x.bundle"
    with bundle_in_making(out) as folder:
        (folder / "old.txt").write_text("old")
    with bundle_in_making(out) as folder:
        (folder / "new.txt").write_text("new")
    assert [path.name for path in out.iterdir()] == ["new.txt"]
    assert [path.name for path in out.parent.iterdir()] == ["x.bundle"]


def test_same_content_gives_the_same_zip(digits_bundle: Path, tmp_path: Path) -> None:
    digests = set()
    for name in ("a.zip", "b.zip"):
        with bundle_in_making(tmp_path / name) as folder:
            for path in sorted(digits_bundle.rglob("*"), reverse=name == "b.zip"):
                if path.is_file():
                    copy = folder / path.relative_to(digits_bundle)
                    copy.parent.mkdir(exist_ok=True)
                    copy.write_bytes(path.read_bytes())
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1
    assert Bundle.open(tmp_path / "a.zip").manifest.name == "digits"


def test_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "check.json"
    write_whole(path, b"{}\n")
    assert path.read_bytes() == b"{}\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["check.json"]


def test_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="writable"):
        write_whole(tmp_path / "file" / "check.json", b"{}")
    with pytest.raises(UsageError, match="writable"), bundle_in_making(tmp_path / "file" / "x.bundle"):
        pass
