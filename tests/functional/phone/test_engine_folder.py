"""Where the engine's files come from: a folder in any layout, the cache, npm; and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_runtime.common.errors import EnvironmentMissingError, UsageError
from phone.engine.fetching import cache_folder, engine_files
from phone.engine.packages import read_folder
from phone.engine.pinned import PACKAGES
from snapship.cli import cli


def package_at(engine: Path, name: str) -> Path:
    return next(place for place in (engine / "node_modules" / name, engine / name) if place.is_dir())


@pytest.fixture
def own_engine(engine: Path, tmp_path: Path) -> Path:
    """A copy of the packages to break, as ``node_modules``."""
    folder = tmp_path / "engine"
    for pinned in PACKAGES:
        shutil.copytree(package_at(engine, pinned.name), folder / "node_modules" / pinned.name)
    return folder


def phone(bundle: Path, out: Path, *words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["phone", str(bundle), "--out", str(out), *map(str, words)])


def test_every_layout_gives_the_same_files(own_engine: Path, tmp_path: Path) -> None:
    expected, licences = engine_files(own_engine)
    assert set(expected) == {file.to for pinned in PACKAGES for file in pinned.files if file.to}
    modules = own_engine / "node_modules"
    assert engine_files(modules)[0] == expected
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    packed.mkdir()
    for pinned in PACKAGES:
        scope, _, short = pinned.name.removeprefix("@").partition("/")
        shutil.copytree(modules / pinned.name, plain / short)
        with tarfile.open(packed / f"{scope}-{short}-{pinned.version}.tgz", "w:gz") as archive:
            archive.add(modules / pinned.name, "package")
    assert engine_files(plain) == (expected, licences)
    assert engine_files(packed) == (expected, licences)


def test_other_version_is_named_with_the_one_that_is_needed(
    own_engine: Path, digits_bundle: Path, tmp_path: Path
) -> None:
    manifest = own_engine / "node_modules/@litertjs/core/package.json"
    record = json.loads(manifest.read_text()) | {"version": "2.6.0"}
    manifest.write_text(json.dumps(record))
    found = phone(digits_bundle, tmp_path / "app", "--engine", own_engine)
    assert found.exit_code == 2
    line = found.stderr.splitlines()[-1]
    assert "must contain @litertjs/core 2.5.3. Received: version 2.6.0" in line
    assert "npm install --ignore-scripts @litertjs/core@2.5.3" in line
    assert not (tmp_path / "app").exists()


def test_changed_file_missing_file_missing_package_and_no_folder(own_engine: Path, tmp_path: Path) -> None:
    decoder = own_engine / "node_modules/@jsquash/jpeg"
    script = decoder / "codec/dec/mozjpeg_dec.js"
    data = script.read_bytes()
    script.write_bytes(data + b" ")
    with pytest.raises(UsageError, match=r"another sha256 for codec/dec/mozjpeg_dec\.js"):
        read_folder(own_engine)
    script.unlink()
    with pytest.raises(UsageError, match=r"must be complete.*mozjpeg_dec\.js"):
        read_folder(own_engine)
    (decoder / "package.json").write_text("[]")
    with pytest.raises(UsageError, match=r"valid package\.json"):
        read_folder(own_engine)
    shutil.rmtree(decoder)
    with pytest.raises(UsageError, match=r"contain @jsquash/jpeg 1\.6\.0.*npm install"):
        read_folder(own_engine)
    with pytest.raises(UsageError, match=r"--engine must be a folder"):
        read_folder(tmp_path / "nowhere")


def test_damaged_archive(own_engine: Path, tmp_path: Path) -> None:
    folder = tmp_path / "packed"
    folder.mkdir()
    (folder / "litertjs-core-2.5.3.tgz").write_bytes(b"\x1f\x8bno archive")
    with pytest.raises(UsageError, match=r"as npm pack writes it.*litertjs-core"):
        read_folder(folder)
    # Stored blocks of 64 kB: one of them gets a header that zlib refuses, after a valid start.
    with tarfile.open(folder / "litertjs-core-2.5.3.tgz", "w:gz", compresslevel=0) as archive:
        for path in ("package.json", "wasm/litert_wasm_compat_internal.wasm"):
            archive.add(own_engine / "node_modules/@litertjs/core" / path, f"package/{path}")
    data = bytearray((folder / "litertjs-core-2.5.3.tgz").read_bytes())
    data[1_000_000:1_100_000] = b"\xff" * 100_000
    (folder / "litertjs-core-2.5.3.tgz").write_bytes(data)
    with pytest.raises(UsageError, match=r"as npm pack writes it.*litertjs-core"):
        read_folder(folder)


def npm(folder: Path, script: str) -> None:
    """A program named npm, first and alone on the path."""
    folder.mkdir()
    file = folder / "npm"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_without_npm(
    no_cache: Path, digits_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = phone(digits_bundle, tmp_path / "app")
    assert found.exit_code == 4
    line = found.stderr.splitlines()[-1]
    assert "npm is not installed" in line
    assert "--engine DIR" in line
    assert not (tmp_path / "app").exists()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'npm ERR! code ENOTFOUND' >&2; exit 1", "the registry cannot be reached (ENOTFOUND)"),
        (
            "echo 'npm ERR! code E404' >&2; echo 'npm ERR! 404 Not Found' >&2; exit 1",
            "code E404; 404 Not Found",
        ),
        (
            "echo 'npm error code ENOSPC' >&2; echo 'npm error Clear up some space.' >&2; exit 1",
            "Received: code ENOSPC; Clear up some space. Connect",
        ),
        ("exit 3", "exit code 3"),
        ("exit 0", "Received: none for @litertjs/core@2.5.3"),
        ("echo x > litertjs-core-2.5.3.tgz", "as npm pack writes it"),
    ],
)
def test_npm_that_fails(
    no_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    npm(tmp_path / "bin", script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.defpath}")
    with pytest.raises(EnvironmentMissingError) as caught:
        engine_files(None)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not no_cache.exists()


def test_npm_that_hangs(no_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm(tmp_path / "bin", "exec sleep 60")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.defpath}")
    monkeypatch.setattr("phone.engine.fetching.NPM_TIMEOUT_S", 0.2)
    with pytest.raises(EnvironmentMissingError, match="no answer within"):
        engine_files(None)


def test_second_run_needs_no_npm_and_a_damaged_cache_is_filled_again(
    own_engine: Path, no_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Packs what is in node_modules, as npm pack does with what it downloads.
    pack = "".join(
        f"tar -czf {pinned.name.removeprefix('@').replace('/', '-')}-{pinned.version}.tgz "
        f"-C {own_engine}/node_modules/{pinned.name} --transform 's,^[.],package,' . && "
        for pinned in PACKAGES
    )
    npm(tmp_path / "bin", f"{pack} echo packed >> {tmp_path}/log")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.defpath}")
    steps: list[str] = []
    expected = engine_files(own_engine)
    assert engine_files(None, lambda step, done, total: steps.append(step)) == expected
    assert any("@litertjs/core@2.5.3" in step for step in steps)
    assert engine_files(None) == expected
    assert (tmp_path / "log").read_text() == "packed\n"
    next(cache_folder().rglob("*.wasm")).write_bytes(b"damaged")
    assert engine_files(None) == expected
    assert (tmp_path / "log").read_text() == "packed\n" * 2


@pytest.mark.parametrize("place", ["file", "loop", "no home"])
def test_a_cache_that_cannot_be_used_is_no_failure(
    own_engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "file").touch()
    # Looking it up fails, as in a folder without access.
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "~")
    monkeypatch.setenv("XDG_CACHE_HOME", "" if place == "no home" else str(tmp_path / place))
    npm(tmp_path / "bin", f"cp {own_engine}/*.tgz .")
    for pinned in PACKAGES:
        name = pinned.name.removeprefix("@").replace("/", "-")
        with tarfile.open(own_engine / f"{name}-{pinned.version}.tgz", "w:gz") as archive:
            archive.add(own_engine / "node_modules" / pinned.name, "package")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.defpath}")
    assert engine_files(None) == engine_files(own_engine)
    assert not (tmp_path / "~").exists()


@pytest.mark.skipif(os.name == "nt", reason="SIGTERM ends a process of Windows at once")
def test_sigterm_ends_npm_and_leaves_nothing(no_cache: Path, digits_bundle: Path, tmp_path: Path) -> None:
    npm(tmp_path / "bin", f"echo $$ > {tmp_path}/pid; exec sleep 60")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.defpath}"
    command = [sys.executable, "-m", "snapship", "phone", str(digits_bundle), "--out", str(tmp_path / "app")]
    process = subprocess.Popen(command, env=os.environ | {"PATH": path, "TMPDIR": str(temporary)})
    while process.poll() is None and not (tmp_path / "pid").is_file():
        time.sleep(0.05)
    process.terminate()
    assert process.wait(20) == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "app").exists()
