"""The app's version, and which ``app.json`` is ours."""

from __future__ import annotations

import pytest

from phone.app.app_json import FileEntry, file_entries, listed_files, version_of


def test_entries_are_sorted_and_leave_out_what_changes_on_its_own() -> None:
    entries = file_entries({"z.js": b"z", "a/b.js": b"", "app.json": b"{}", "sw.js": b"x"})
    assert list(entries) == ["a/b.js", "z.js"]
    assert entries["a/b.js"] == FileEntry(
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", 0
    )


def test_version_depends_on_paths_and_contents_alone() -> None:
    one, other = FileEntry("a" * 64, 1), FileEntry("b" * 64, 1)
    version = version_of({"x": one, "y": other})
    assert version == version_of({"y": other, "x": one})
    # sha256 of "x aaa...\ny bbb...\n", computed by sha256sum.
    assert version == "6204576fa74ce14f5545679ffe50c659e18d809c66ef904eba6eaaeb159c14c2"
    assert version not in (version_of({"x": other, "y": one}), version_of({"x": one}), version_of({}))


@pytest.mark.parametrize(
    ("data", "ours"),
    [
        (
            b'{"schema_version": 1, "made_by": "snapship 0.1.0", "files": {"a": {}}}',
            {"a", "app.json", "sw.js"},
        ),
        (b'{"schema_version": 9, "made_by": "snapship 9.0", "files": {}, "more": 1}', {"app.json", "sw.js"}),
        (b'{"schema_version": 1, "made_by": "snapship 0.1.0"}', set()),
        (b'{"expo": {"name": "x"}}', set()),
        (b'{"schema_version": 1, "made_by": "another", "files": {"a": {}}}', set()),
        (b"[]", set()),
        (b"", set()),
        (b"\xff", set()),
    ],
)
def test_files_of_an_app_are_known_by_its_list(data: bytes, ours: set[str]) -> None:
    assert listed_files(data) == ours
