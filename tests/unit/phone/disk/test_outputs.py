"""Outputs that would destroy one another, or what is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.common.errors import UsageError
from phone.disk.outputs import check_apart, check_not_current, in_use, write_files


@pytest.mark.parametrize(
    ("bundle", "outputs", "named"),
    [
        ("b.zip", {"--single-file": "b.zip"}, "BUNDLE and --single-file"),
        ("b", {"--out": "b/app"}, "BUNDLE and --out"),
        ("app/b", {"--out": "app"}, "BUNDLE and --out"),
        ("b", {"--out": "app", "--single-file": "app/index.html"}, "--out and --single-file"),
        ("b", {"--out": "project/app", "--android-project": "project"}, "--out and --android-project"),
        ("b", {"--out": "link/app"}, "BUNDLE and --out"),
    ],
)
def test_places_that_overlap(tmp_path: Path, bundle: str, outputs: dict[str, str], named: str) -> None:
    (tmp_path / "link").symlink_to("b")
    with pytest.raises(UsageError, match=f"Received: {named} "):
        check_apart(
            {"BUNDLE": tmp_path / bundle, "--apk-key": None},
            {option: tmp_path / place for option, place in outputs.items()},
        )


def test_places_side_by_side(tmp_path: Path) -> None:
    check_apart(
        {"BUNDLE": tmp_path / "flowers", "--apk-key": tmp_path / "key.pem"},
        {"--out": tmp_path / "flowers-app", "--apk": tmp_path / "flowers.apk", "--single-file": None},
    )


def test_current_folder_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app/ui").mkdir(parents=True)
    check_not_current(tmp_path / "app", "--out")
    monkeypatch.chdir(tmp_path / "app/ui")
    for out in (Path("."), Path(".."), tmp_path / "app"):
        with pytest.raises(UsageError, match="must not be the current folder"):
            check_not_current(out, "--out")
    check_not_current(Path("new"), "--out")


def test_folder_in_use(tmp_path: Path) -> None:
    assert not in_use(tmp_path)
    assert not in_use(tmp_path / "none")
    write_files(tmp_path, {"a/b.txt": b"x"})
    assert (tmp_path / "a/b.txt").read_bytes() == b"x"
    assert in_use(tmp_path)
    assert in_use(tmp_path / "a/b.txt")
