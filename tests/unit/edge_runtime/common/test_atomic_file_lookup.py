"""A path that cannot be looked up is no path that is not there, on any Python."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_runtime import Bundle
from edge_runtime.common.atomic_file import is_there, written_aside
from edge_runtime.common.errors import BundleError, DataError, UsageError
from edge_runtime.dataset import open_dataset
from serverless.deploy.package.archive import check_context_path, check_zip_path

LONG = "x" * 300


def test_files_folders_links_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    assert is_there(tmp_path)
    assert is_there(tmp_path / "file")
    assert not is_there(tmp_path / "nothing")
    assert not is_there(tmp_path / "file" / "below")
    assert not is_there(tmp_path / "nul\0")
    assert not is_there(tmp_path / "link")
    assert is_there(tmp_path / "link", follow_links=False)


def test_name_that_is_too_long_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        is_there(tmp_path / LONG)


def test_long_name_is_told_for_what_it_is_before_any_work(tmp_path: Path) -> None:
    path = tmp_path / LONG
    with pytest.raises(BundleError, match="File name too long"):
        Bundle.open(path)
    with pytest.raises(DataError, match="File name too long"):
        open_dataset(str(path))
    for refuse in (check_zip_path, check_context_path):
        with pytest.raises(UsageError, match="File name too long"):
            refuse(path, False)
    with pytest.raises(UsageError, match="too long"), written_aside(path):
        pytest.fail("the work has begun")
    assert os.listdir(tmp_path) == []
