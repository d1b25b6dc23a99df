from __future__ import annotations

import io
import os
import time
import zipfile
from pathlib import Path

import pytest

from serverless.deploy.package.archive import write_zip

FILES = {"b/two.py": b"2" * 5000, "a.py": b"1", "b/é.txt": os.urandom(64), "B.py": b""}


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    write_zip(buffer, files)
    return buffer.getvalue()


def test_write_zip_is_the_same_whatever_the_order_and_the_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = zipped(FILES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    time.tzset()
    try:
        assert zipped(dict(reversed(FILES.items()))) == first
    finally:
        monkeypatch.undo()
        time.tzset()
    assert zipped({**FILES, "a.py": b"2"}) != first


def test_write_zip_gives_everyone_the_same_plain_files() -> None:
    with zipfile.ZipFile(io.BytesIO(zipped(FILES))) as archive:
        infos = archive.infolist()
        assert {info.filename: archive.read(info) for info in infos} == FILES
    assert [info.filename for info in infos] == sorted(FILES)
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {info.external_attr >> 16 for info in infos} == {0o100644}
    assert {info.create_system for info in infos} == {3}


def test_write_zip_returns_compressed_sizes() -> None:
    sizes = write_zip(io.BytesIO(), FILES)
    assert sizes.keys() == FILES.keys()
    assert sizes["b/two.py"] < 100
    assert sizes["b/é.txt"] >= 64
