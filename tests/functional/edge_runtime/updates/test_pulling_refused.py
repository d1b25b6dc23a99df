"""A ``pull`` or rollback that is refused leaves what was there, and names what it was given."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_runtime import Bundle
from edge_runtime.common.errors import BundleError, UsageError
from edge_runtime.updates import pull, rollback
from snapship.cli import cli

MakeBundle = Callable[[str], Path]


def without_golden(bundle: Path) -> Path:
    manifest = json.loads((bundle / "manifest.json").read_text())
    del manifest["golden"]
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    return bundle


def with_bad_signature(bundle: Path) -> Path:
    (bundle / "signature.json").write_text("{}")
    return bundle


def break_file(bundle: Path) -> Path:
    (bundle / "golden" / "3.png").write_bytes(b"no image")
    return bundle


@pytest.mark.parametrize("damage", [without_golden, with_bad_signature, break_file])
@pytest.mark.parametrize("as_zip", [False, True])
def test_first_pull_that_fails_leaves_nothing_and_names_the_source(
    make_bundle: MakeBundle,
    zipped: Callable[[Path], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Path], Path],
    as_zip: bool,
) -> None:
    source = damage(make_bundle("one"))
    source = zipped(source) if as_zip else source
    monkeypatch.chdir(tmp_path)
    for home in (tmp_path / "device" / "models", Path("near")):
        with pytest.raises(BundleError) as caught:
            pull(str(source), home)
        assert str(source) in str(caught.value)
        assert ".incoming" not in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["bundles"]
    own = tmp_path / "own"
    own.mkdir()
    (own / "notes.txt").write_text("keep")
    with pytest.raises(BundleError):
        pull(str(source), own)
    assert [entry.name for entry in own.iterdir()] == ["notes.txt"]


def test_damaged_signature_is_refused_before_the_switch(make_bundle: MakeBundle, tmp_path: Path) -> None:
    home = tmp_path / "models"
    first = pull(str(make_bundle("one")), home)
    second = pull(str(make_bundle("two")), home)
    with pytest.raises(BundleError, match=r"signature\.json"):
        pull(str(with_bad_signature(make_bundle("three"))), home)
    assert os.readlink(home / "current") == f"versions/{second.version}"

    record = (home / "versions" / f"{first.version}.json").read_bytes()
    with_bad_signature(home / "previous")
    with pytest.raises(BundleError, match=r"signature\.json"):
        rollback(home)
    assert os.readlink(home / "current") == f"versions/{second.version}"
    assert (home / "versions" / f"{first.version}.json").read_bytes() == record


def test_signature_that_is_damaged_on_the_disk_is_installed_again(
    make_bundle: MakeBundle, tmp_path: Path
) -> None:
    home, bundle = tmp_path / "models", make_bundle("one")
    pull(str(bundle), home)
    with_bad_signature(home / "current")
    assert pull(str(bundle), home).status == "installed"
    assert not (home / "current" / "signature.json").exists()


def test_folder_inside_a_bundle_or_another_home_is_refused(make_bundle: MakeBundle, tmp_path: Path) -> None:
    home, bundle = tmp_path / "models", make_bundle("one")
    pull(str(bundle), home)
    for place in (home / "versions", home / "current" / "x", home / "near", bundle / "golden" / "models"):
        with pytest.raises(UsageError, match="must lie outside"):
            pull(str(make_bundle(f"other{place.name}")), place)
    assert sorted(entry.name for entry in home.iterdir()) == [".lock", "current", "versions"]
    # A web application's, for one.
    (tmp_path / "manifest.json").write_text("{}")
    assert pull(str(bundle), tmp_path / "device").status == "installed"


def test_lock_that_a_failed_first_pull_removed_is_not_held(
    make_bundle: MakeBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, lock = tmp_path / "models", fcntl.flock

    def late(handle: int, how: int) -> None:
        (home / ".lock").unlink()
        lock(handle, how)

    monkeypatch.setattr("fcntl.flock", late)
    with pytest.raises(UsageError, match="Only one pull"):
        pull(str(make_bundle("one")), home)
    monkeypatch.undo()
    pull(str(make_bundle("two")), home)
    assert Bundle.open(home / "current").manifest.name == "two"


@pytest.mark.parametrize(
    "words",
    [
        ("pull", "", "--to", "models"),
        ("pull", "bundle", "--to", ""),
        ("pull", "bundle", "--to", "models", "--key", ""),
        ("sign", "", "--key", "team.pem"),
        ("sign", "bundle", "--key", ""),
        ("sign", "--new-key", ""),
    ],
)
def test_empty_path_is_not_the_current_folder(
    make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    here = make_bundle("one")
    monkeypatch.chdir(here)
    before = sorted(here.iterdir())
    said = CliRunner().invoke(cli, words)
    assert said.exit_code == 2
    assert "must not be empty" in said.stderr
    assert sorted(here.iterdir()) == before
