"""A bundle gives out only files that are inside it and as they were exported."""

from __future__ import annotations

import contextlib
import json
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.bundle.bundle import Bundle, check_inside
from edge_runtime.bundle.manifest import Artifact
from edge_runtime.common.errors import BundleError, UnknownNameError
from edge_runtime.golden import verify_files

BundleMaker = Callable[..., Path]
ArtifactMaker = Callable[..., Artifact]


def zipped(folder: Path, *, top: str = "") -> Path:
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, f"{top}{path.relative_to(folder).as_posix()}")
    return target


def append(archive: Path, name: str, data: bytes, mode: int = 0) -> None:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(info, data)


def test_folder_and_zip_hold_the_same(make_bundle: BundleMaker) -> None:
    folder = make_bundle()
    first, second = Bundle.open(folder), Bundle.open(str(zipped(folder)))
    assert first.manifest == second.manifest
    artifact = first.manifest.artifacts[0]
    path, data = first.model(artifact), second.model(artifact)
    assert isinstance(path, Path)
    assert path.read_bytes() == data
    assert verify_files(first) == verify_files(second) == 1 + 1 + 3


@pytest.mark.parametrize("top", ["made.bundle/", "a folder/"])
def test_zip_with_one_top_folder_is_understood(make_bundle: BundleMaker, top: str) -> None:
    archive = zipped(make_bundle(), top=top)
    append(archive, "__MACOSX/._manifest.json", b"what Finder adds")
    verify_files(Bundle.open(archive))


def test_unknown_artifact_lists_those_that_are_there(make_bundle: BundleMaker) -> None:
    with pytest.raises(UnknownNameError, match="Use one of: tflite-fp32"):
        Bundle.open(make_bundle()).artifact("tflite-int4")


@pytest.mark.parametrize("pack", [lambda folder: folder, zipped])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", r"model_fp32.tflite with\s+0 bytes"),
        (b"x", "1 bytes"),
        (b"x" * 34, "sha256"),
        (b"x" * 100, "100"),
    ],
)
def test_changed_model_is_refused(
    make_bundle: BundleMaker, pack: Callable[[Path], Path], content: bytes, words: str
) -> None:
    folder = make_bundle()
    (folder / "model_fp32.tflite").write_bytes(content)
    bundle = Bundle.open(pack(folder))
    with pytest.raises(BundleError, match=words) as caught:
        bundle.model(bundle.manifest.artifacts[0])
    assert "model_fp32.tflite" in str(caught.value)


def test_model_in_memory_is_what_was_hashed(make_bundle: BundleMaker) -> None:
    folder = make_bundle()
    bundle = Bundle.open(folder, in_memory=True)
    file = folder / "model_fp32.tflite"
    assert bundle.model(bundle.manifest.artifacts[0]) == file.read_bytes()
    for content in (b"x" * 33, b"x" * 34, b"x" * 100):
        file.write_bytes(content)
        with pytest.raises(BundleError, match=r"model_fp32\.tflite"):
            bundle.model(bundle.manifest.artifacts[0])


def test_missing_files_are_named(make_bundle: BundleMaker) -> None:
    folder = make_bundle()
    for name in ("golden/blue.png", "golden/golden.json", "model_fp32.tflite"):
        (folder / name).unlink()
        with pytest.raises(BundleError, match=name):
            verify_files(Bundle.open(folder))
        with pytest.raises(BundleError, match=name):
            verify_files(Bundle.open(zipped(folder)))
    for name in ("labels.txt", "manifest.json"):
        (folder / name).unlink()
        with pytest.raises(BundleError, match=name):
            Bundle.open(folder)


def test_changed_golden_files_are_refused(make_bundle: BundleMaker) -> None:
    folder = make_bundle()
    (folder / "golden/red.png").write_bytes(b"another image")
    with pytest.raises(BundleError, match=r"another sha256 for golden/red.png"):
        verify_files(Bundle.open(folder))
    (folder / "golden/golden.json").write_bytes(b"{}")
    with pytest.raises(BundleError, match=r"another sha256 for golden/golden.json"):
        verify_files(Bundle.open(folder))


@pytest.mark.parametrize("text", ["red\nblue\ngreen\n", "red\ngreen\n"])
def test_labels_must_be_those_of_the_manifest(make_bundle: BundleMaker, text: str) -> None:
    folder = make_bundle()
    (folder / "labels.txt").write_text(text)
    with pytest.raises(BundleError, match="manifest's labels"):
        Bundle.open(folder)
    (folder / "labels.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BundleError, match="UTF-8"):
        Bundle.open(folder)


@pytest.mark.parametrize(
    "file", ["../model.tflite", "/etc/passwd", "a/../../b", "C:\\x", "c:x", "a\0b", "", "."]
)
def test_path_that_leaves_the_bundle_is_refused(
    make_bundle: BundleMaker, make_artifact: ArtifactMaker, file: str
) -> None:
    with pytest.raises(BundleError, match="inside the bundle"):
        check_inside(file)
    folder = make_bundle()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["artifacts"][0]["file"] = file
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="inside the bundle"):
        Bundle.open(folder)


def test_link_out_of_the_bundle_is_refused(make_bundle: BundleMaker, tmp_path: Path) -> None:
    folder = make_bundle()
    model = folder / "model_fp32.tflite"
    outside = tmp_path / "outside.tflite"
    shutil.move(model, outside)
    model.symlink_to(outside)
    bundle = Bundle.open(folder)
    with pytest.raises(BundleError, match="a link to"):
        bundle.model(bundle.manifest.artifacts[0])
    model.unlink()
    model.symlink_to(model)
    with pytest.raises(BundleError, match="model_fp32"):
        bundle.model(bundle.manifest.artifacts[0])


def test_zip_with_a_link_is_refused(make_bundle: BundleMaker) -> None:
    archive = zipped(make_bundle())
    append(archive, "more.tflite", b"/etc/passwd", stat.S_IFLNK | 0o777)
    with pytest.raises(BundleError, match="no links"):
        Bundle.open(archive)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zip_with_a_name_twice_is_refused(make_bundle: BundleMaker) -> None:
    archive = zipped(make_bundle())
    append(archive, "labels.txt", b"red\n")
    with pytest.raises(BundleError, match=r"labels.txt twice"):
        Bundle.open(archive)


def test_zip_with_a_path_that_leaves_it_is_refused(make_bundle: BundleMaker) -> None:
    archive = zipped(make_bundle())
    append(archive, "../evil", b"x")
    with pytest.raises(BundleError, match="inside the bundle"):
        Bundle.open(archive)


def test_damaged_zip_is_a_bundle_error_wherever_it_is_damaged(make_bundle: BundleMaker) -> None:
    archive = zipped(make_bundle())
    data = bytearray(archive.read_bytes())
    refused = 0
    for position in range(0, len(data), 37):
        damaged = bytearray(data)
        damaged[position] ^= 0xFF
        archive.write_bytes(damaged)
        # Not every byte matters: dates and the zip's comments may change.
        with contextlib.suppress(BundleError):
            verify_files(Bundle.open(archive))
            continue
        refused += 1
    assert refused > 10
    archive.write_bytes(data[: len(data) // 2])
    with pytest.raises(BundleError, match="folder or a zip"):
        Bundle.open(archive)


def test_zip_that_lies_about_a_size_is_refused(make_bundle: BundleMaker) -> None:
    folder = make_bundle()
    (folder / "model_fp32.tflite").write_bytes(np.random.default_rng(0).bytes(5_000_000))
    bundle = Bundle.open(zipped(folder))
    with pytest.raises(BundleError, match="at most 34 bytes"):
        bundle.model(bundle.manifest.artifacts[0])


@pytest.mark.parametrize("name", ["nowhere.bundle", "x" * 5000, "a\0b"])
def test_no_bundle_is_a_one_line_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleError, match="Received:"):
        Bundle.open(tmp_path / name)


def test_file_that_is_no_zip_is_a_one_line_error(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    with pytest.raises(BundleError, match="folder or a zip"):
        Bundle.open(path)
