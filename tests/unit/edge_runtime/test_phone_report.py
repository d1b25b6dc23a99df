"""Phone reports: what is read, and every kind of damage as one line."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.common.errors import DataError
from edge_runtime.phone_report import MAX_BYTES, read_phone_report

REPORT: dict[str, Any] = {
    "schema_version": 1,
    "made_by": "snapship phone",
    "created": "2026-11-29T21:00:00Z",
    "app": {
        "name": "digits",
        "version": "0" * 64,
        "artifact": "tflite-int8",
        "artifact_sha256": "1" * 64,
        "golden_sha256": "2" * 64,
    },
    "device": {
        "user_agent": "Mozilla/5.0 (Android 15; Mobile; rv:153.0) Gecko/153.0 Firefox/153.0",
        "platform": "Linux armv81",
        "screen": [412, 915],
        "memory_gb": None,
        "cores": 8,
        "secure_context": True,
    },
    "engine": {"name": "litertjs", "version": "2.5.3", "build": "compat"},
    "decoder": "own",
    "passed": True,
    "examples": [
        {"file": "golden/0.png", "failed": None, "max_abs_dp": 1e-7, "tolerance": 0.05, "detail": ""},
        {"file": "golden/1.png", "failed": None, "max_abs_dp": 3e-7, "tolerance": 0.05, "detail": ""},
    ],
    "first_try": {"decoder": "browser", "failed": "decode", "file": "golden/0.png", "differing": 2},
    "ms": {"load": 900, "replay": 250.5},
}


def written(folder: Path, change: Callable[[dict[str, Any]], object] = lambda report: None) -> Path:
    report = copy.deepcopy(REPORT)
    change(report)
    file = folder / "report.json"
    file.write_text(json.dumps(report))
    return file


def differs(report: dict[str, Any]) -> None:
    report["passed"] = False
    report["examples"][1].update(failed="pixels", max_abs_dp=0.2, detail="other pixels")


def test_a_report_is_read(tmp_path: Path) -> None:
    report = read_phone_report(written(tmp_path))
    assert report.passed
    assert report.first_difference is None
    assert report.max_abs_dp == 3e-7
    assert report.first_try is not None
    assert report.first_try.differing == 2


def test_first_difference(tmp_path: Path) -> None:
    report = read_phone_report(written(tmp_path, differs))
    assert report.first_difference is not None
    assert (report.first_difference.file, report.first_difference.failed) == ("golden/1.png", "pixels")


def no_scores(report: dict[str, Any]) -> None:
    differs(report)
    for example in report["examples"]:
        example.update(failed="file", max_abs_dp=None)


def test_without_scores_there_is_no_largest_difference(tmp_path: Path) -> None:
    assert read_phone_report(written(tmp_path, no_scores)).max_abs_dp is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda report: report.update(schema_version=2), "schema_version"),
        (lambda report: report.update(made_by="another tool"), "made_by"),
        (lambda report: report.update(created="yesterday"), "created"),
        (lambda report: report.update(created="2026-11-29T21:00:00"), "created"),
        (lambda report: report.update(more=1), "unknown field `more`"),
        (lambda report: report.pop("ms"), "missing required field `ms`"),
        (lambda report: report["app"].update(version="abc"), "version"),
        (lambda report: report.update(decoder="canvas"), "decoder"),
        (lambda report: report.update(examples=[]), "examples"),
        (lambda report: report["examples"][0].update(failed="model"), "failed"),
        (lambda report: report["examples"][0].update(max_abs_dp=-1), "max_abs_dp"),
        # Contradictions.
        (lambda report: report["examples"][0].update(max_abs_dp=0.06), "up to 0.05"),
        (lambda report: report["examples"][0].update(max_abs_dp=None), "up to 0.05"),
        (lambda report: report["examples"][0].update(failed="scores"), "passed must say"),
        (lambda report: report.update(passed=False), "passed must say"),
    ],
)
def test_damage_is_named(tmp_path: Path, change: Callable[[dict[str, Any]], object], words: str) -> None:
    file = written(tmp_path, change)
    with pytest.raises(DataError) as caught:
        read_phone_report(file)
    assert words in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1, 2]", b"null", b"\xff\xfe", b'{"schema_version": 1}', b"[" * 100_000, b"1e999", b"NaN"],
)
def test_other_content_is_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "report.json"
    file.write_bytes(content)
    with pytest.raises(DataError, match="A phone report must be the whole file") as caught:
        read_phone_report(file)
    assert "\n" not in str(caught.value)


def test_every_cut_of_a_report_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path)
    data = file.read_bytes()
    for length in range(len(data)):
        file.write_bytes(data[:length])
        with pytest.raises(DataError):
            read_phone_report(file)


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    with file.open("wb") as opened:
        opened.truncate(10**12)
    with pytest.raises(DataError, match=f"at most {MAX_BYTES:,} bytes"):
        read_phone_report(file)


@pytest.mark.parametrize("name", ["nowhere.json", ".", "a\0b"])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="must be a readable file"):
        read_phone_report(tmp_path / name)
