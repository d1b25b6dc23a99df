from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from serverless.deploy.config.errors import DownloadError
from serverless.deploy.package.package_files import pruned
from serverless.deploy.package.wheels import Requirement, Wheel, cache_folder, fetch, missing

WANTED = (Requirement("some-package", "1.5"),)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that pip finds."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CERT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def make_wheel(folder: Path, tag: str, **files: str) -> Path:
    path = folder / f"some_package-1.5-{tag}.whl"
    info = "some_package-1.5.dist-info"
    content = {
        "some_package/__init__.py": "x = 1\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: some-package\nVersion: 1.5\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n",
        f"{info}/RECORD": "",
        **files,
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return path


def test_fetch_takes_the_functions_platform_and_keeps_it(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(index, "cp312-cp312-win_amd64")
    make_wheel(index, "cp312-cp312-manylinux_2_28_x86_64")
    right = make_wheel(index, "cp312-cp312-manylinux_2_28_aarch64")
    cache = tmp_path / "cache"
    (wheel,) = fetch(WANTED, "arm64", "3.12", cache)
    assert wheel.path.name == right.name
    assert wheel.path.read_bytes() == right.read_bytes()
    assert missing(WANTED, "arm64", "3.12", cache) == ()
    assert missing(WANTED, "x86_64", "3.12", cache) == WANTED
    assert missing(WANTED, "arm64", "3.13", cache) == WANTED
    # From now on without any index.
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "gone"))
    assert fetch(WANTED, "arm64", "3.12", cache) == (wheel,)
    assert not [path for path in cache.rglob("*") if path.name.startswith(".")]


def test_fetch_replaces_a_damaged_wheel(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "py3-none-any")
    (wheel,) = fetch(WANTED, "x86_64", "3.12", tmp_path / "cache")
    whole = wheel.path.read_bytes()
    wheel.path.write_bytes(whole[:100])
    assert missing(WANTED, "x86_64", "3.12", tmp_path / "cache") == WANTED
    (again,) = fetch(WANTED, "x86_64", "3.12", tmp_path / "cache")
    assert again.path.read_bytes() == whole


def test_fetch_without_index_and_cache_is_one_line_and_exit_4(index: Path, tmp_path: Path) -> None:
    with pytest.raises(DownloadError) as caught:
        fetch(WANTED, "x86_64", "3.12", tmp_path / "cache")
    text = str(caught.value)
    assert "some-package==1.5 for Python 3.12 on x86_64" in text
    assert "\n" not in text
    assert caught.value.exit_code == 4
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_fetch_without_pip_says_so(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # An interpreter without site-packages has no pip either.
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bare))
    with pytest.raises(DownloadError, match=r"pip is not installed \(run: python -m ensurepip\)"):
        fetch(WANTED, "x86_64", "3.12", tmp_path / "cache")


def test_cache_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder(None) == tmp_path / "snapship" / "wheels"
    assert cache_folder("here") == Path("here")


def test_pruned_refuses_a_wheel_that_leaves_its_folder(tmp_path: Path) -> None:
    for name in ("../outside.py", "/etc/outside.py", "a\\..\\outside.py"):
        path = make_wheel(tmp_path, "py3-none-any", **{name: "x"})
        with pytest.raises(DownloadError, match="inside"):
            pruned(Wheel("some-package", "1.5", path, ""))


def test_pruned_leaves_programs_and_installers_files_out(tmp_path: Path) -> None:
    path = make_wheel(
        tmp_path,
        "py3-none-any",
        **{"some_package-1.5.data/scripts/run": "#!", "some_package/x.pyi": "", "some_package/y.py": "y"},
    )
    assert sorted(pruned(Wheel("some-package", "1.5", path, ""))) == [
        "some_package-1.5.dist-info/METADATA",
        "some_package/__init__.py",
        "some_package/y.py",
    ]
    path.write_bytes(b"no zip")
    with pytest.raises(DownloadError, match="readable"):
        pruned(Wheel("some-package", "1.5", path, ""))
