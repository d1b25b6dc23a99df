"""A zip is refused in one line where it is made to hurt, and read where it is merely odd."""

from __future__ import annotations

import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.common.errors import BundleError
from edge_runtime.golden import verify_files

BundleMaker = Callable[..., Path]


@pytest.fixture
def archive(make_bundle: BundleMaker) -> Path:
    """A good bundle as a zip."""
    folder = make_bundle()
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as opened:
        for path in sorted(folder.rglob("*")):
            opened.write(path, path.relative_to(folder).as_posix())
    return target


def append(archive: Path, name: str, data: bytes = b"x", mode: int = 0, method: int = 0) -> None:
    info = zipfile.ZipInfo(name)
    info.external_attr, info.compress_type = mode << 16, method
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(info, data)


def directory_entry(data: bytes, name: bytes) -> int:
    """Where an entry of the central directory starts."""
    at = data.rindex(name)
    start = data.rindex(b"PK\x01\x02", 0, at)
    assert start + 46 == at
    return start


def refused(archive: Path, words: str) -> None:
    with pytest.raises(BundleError, match=words) as caught:
        verify_files(Bundle.open(archive))
    assert "Received:" in str(caught.value)
    assert "\n" not in str(caught.value)


def outcome(archive: Path) -> str:
    """The message of the one error that there may be, empty when everything was read."""
    try:
        verify_files(Bundle.open(archive))
    except BundleError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/cron.d/evil", "C:evil", "c:/evil", "a\\..\\evil", "a/../../evil"]
)
def test_path_out_of_the_zip_is_refused(archive: Path, name: str) -> None:
    append(archive, name)
    refused(archive, "inside the bundle")


@pytest.mark.parametrize("name", ["notes\nERROR forged.txt", "a\x1b[2J", "a\u2028b"])
def test_name_that_does_not_print_is_refused(archive: Path, name: str) -> None:
    # Found by the fuzz target: the name is part of messages, which are one line.
    append(archive, name)
    refused(archive, "inside the bundle")


def test_null_byte_in_a_name_is_refused(archive: Path) -> None:
    append(archive, "notes.txtXevil")
    data = archive.read_bytes().replace(b"notes.txtXevil", b"notes.txt\0evil")
    archive.write_bytes(data)
    refused(archive, "inside the bundle")


@pytest.mark.parametrize("name", ["LABELS.TXT", "Manifest.json", "golden/RED.png"])
def test_names_that_differ_in_case_alone_are_refused(archive: Path, name: str) -> None:
    append(archive, name)
    refused(archive, "each name once")


def test_names_that_differ_in_composition_alone_are_refused(archive: Path) -> None:
    append(archive, "golden/\u00fc.png")
    append(archive, "golden/u\u0308.png")
    refused(archive, "each name once")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_what_is_no_plain_file_is_refused(archive: Path, kind: int) -> None:
    append(archive, "more.tflite", b"/etc/passwd", kind | 0o777)
    refused(archive, "no links|only plain files")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_is_refused(archive: Path, method: int) -> None:
    append(archive, "more.txt", b"x" * 100, method=method)
    refused(archive, "stored or deflated")


def test_bomb_is_refused_by_its_ratio(archive: Path) -> None:
    append(archive, "more.tflite", bytes(30_000_000), method=zipfile.ZIP_DEFLATED)
    refused(archive, "packed to at least 1/200")


def test_bomb_of_many_files_is_refused_by_their_sum(archive: Path) -> None:
    for index in range(3):
        append(archive, f"more{index}.bin", np.random.default_rng(index).bytes(20_000))
    data = bytearray(archive.read_bytes())
    for index in range(3):
        start = directory_entry(data, f"more{index}.bin".encode())
        struct.pack_into("<I", data, start + 24, 2**32 - 2)
    archive.write_bytes(data)
    refused(archive, "8,000,000,000 bytes in all")


def test_too_many_files_are_refused(archive: Path) -> None:
    with zipfile.ZipFile(archive, "a") as opened:
        for index in range(10_001):
            opened.writestr(f"x/{index}", b"")
    refused(archive, "at most 10,000 files")


def test_encrypted_file_is_refused(archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    start = directory_entry(data, b"labels.txt")
    data[start + 8] |= 1
    archive.write_bytes(data)
    refused(archive, "no encrypted files")


def test_overlapping_files_are_refused(archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    first, second = directory_entry(data, b"golden/golden.json"), directory_entry(data, b"golden/red.png")
    data[second + 42 : second + 46] = struct.pack("<I", struct.unpack_from("<I", data, first + 42)[0] + 1)
    # Overlaps are looked for before names: this one would break the message's line.
    data[second + 46 + 8] = ord("\n")
    archive.write_bytes(data)
    refused(archive, "must not overlap")


@pytest.mark.parametrize("size", [0, 1, 50, 2**32 - 1])
def test_size_that_lies_is_refused(archive: Path, size: int) -> None:
    data = bytearray(archive.read_bytes())
    start = directory_entry(data, b"model_fp32.tflite")
    struct.pack_into("<I", data, start + 24, size)
    archive.write_bytes(data)
    # 2**32 - 1 says that the size is in a zip64 field, which is not there.
    refused(archive, "model_fp32.tflite|made.zip")


def test_zip64_field_that_lies_is_refused(archive: Path) -> None:
    with zipfile.ZipFile(archive, "a") as opened:
        info = zipfile.ZipInfo("more.bin")
        info.extra = struct.pack("<HHQ", 1, 8, 2**63)
        opened.writestr(info, b"x")
    data = bytearray(archive.read_bytes())
    start = directory_entry(data, b"more.bin")
    struct.pack_into("<I", data, start + 24, 2**32 - 1)
    archive.write_bytes(data)
    refused(archive, "bytes in all|made.zip")


def test_comment_and_leading_bytes_are_read_past(archive: Path) -> None:
    with zipfile.ZipFile(archive, "a") as opened:
        opened.comment = b"made by hand" * 100
    verify_files(Bundle.open(archive))
    archive.write_bytes(b"#!/bin/sh\nexit\n" + archive.read_bytes())
    verify_files(Bundle.open(archive))


def test_trailing_data_is_read_past_or_refused(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes() + b"\0" * 1000)
    assert "\n" not in outcome(archive)


def test_random_damage_is_a_bundle_error_or_harmless(archive: Path) -> None:
    data = archive.read_bytes()
    random = np.random.default_rng(11)
    refusals = 0
    for _ in range(200):
        damaged = bytearray(data)
        for place in random.integers(0, len(data), int(random.integers(1, 8))):
            damaged[place] = int(random.integers(0, 256))
        archive.write_bytes(damaged)
        message = outcome(archive)
        refusals += bool(message)
        assert "\n" not in message
    assert refusals > 50
