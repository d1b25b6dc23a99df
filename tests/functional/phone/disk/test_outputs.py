"""Where ``snapship phone`` may write, and that nobody's files are lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.functional.phone.test_phone_cli import listed, one_line, run


def test_out_that_is_no_app_is_left_alone(digits_bundle: Path, engine: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "holiday.jpg").write_bytes(b"dear")
    one_line(run("phone", digits_bundle, "--out", folder, "--engine", engine), 2, "--out", "other files")
    # Somebody else's file of this name makes it no app.
    (folder / "app.json").write_text('{"name": "an expo app"}')
    one_line(run("phone", digits_bundle, "--out", folder, "--engine", engine), 2, "--out", "other files")
    assert (folder / "holiday.jpg").read_bytes() == b"dear"
    file = tmp_path / "file"
    file.write_bytes(b"dear")
    one_line(run("phone", digits_bundle, "--out", file, "--engine", engine), 2, "--out", "a file")
    assert file.read_bytes() == b"dear"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run("phone", digits_bundle, "--out", empty, "--engine", engine).exit_code == 0


def test_files_beside_those_of_an_app_are_not_lost(
    digits_bundle: Path, digits_app: Path, engine: Path, tmp_path: Path
) -> None:
    app = tmp_path / "app"
    shutil.copytree(digits_app, app)
    (app / ".git").mkdir()
    (app / ".git/HEAD").write_text("ref: refs/heads/main")
    one_line(run("phone", digits_bundle, "--out", app, "--engine", engine), 2, "first '.git/HEAD'")
    assert (app / ".git/HEAD").is_file()


def test_link_to_an_app_stays_a_link(
    digits_bundle: Path, digits_app: Path, engine: Path, tmp_path: Path
) -> None:
    link = tmp_path / "current"
    link.symlink_to("app")
    # First to nothing, then to the app that it made.
    for _ in range(2):
        assert run("phone", digits_bundle, "--out", link, "--engine", engine).exit_code == 0
        assert link.is_symlink()
        assert listed(tmp_path / "app") == listed(digits_app)


def test_current_folder_is_refused_before_the_work(
    digits_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for option in ("--out", "--android-project"):
        one_line(run("phone", digits_bundle, option, "."), 2, f"{option} must not be the current folder")
    assert list(tmp_path.iterdir()) == []


def test_bundle_and_key_are_not_overwritten(
    digits_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.make_archive(str(tmp_path / "digits"), "zip", digits_bundle)
    bundle, key = tmp_path / "digits.zip", tmp_path / "key.pem"
    key.write_text("dear")
    before = listed(tmp_path)
    one_line(run("phone", bundle, "--single-file", bundle), 2, "BUNDLE and --single-file")
    one_line(run("phone", bundle, "--apk", key, "--apk-key", key), 2, "--apk-key and --apk")
    one_line(run("phone", bundle, "--out", tmp_path), 2, "BUNDLE and --out")
    assert listed(tmp_path) == before


def test_output_is_refused_before_the_bundle_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = run("phone", tmp_path / "none.bundle", "--out", tmp_path / "file/app")
    one_line(found, 2, "--out")
    found = run("phone", tmp_path / "none.bundle", "--single-file", tmp_path)
    one_line(found, 2, "--single-file")
    one_line(run("phone", tmp_path / "none.bundle", "--out", tmp_path / "app"), 2, "none.bundle")
    same = ("--single-file", tmp_path / "x", "--apk", tmp_path / "y/../x")
    one_line(run("phone", tmp_path / "none.bundle", *same), 2, "--single-file and --apk")
    one_line(run("phone", "", "--out", tmp_path / "app"), 2, "must not be empty")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
