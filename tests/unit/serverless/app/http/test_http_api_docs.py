"""docs/http-api.md names what there is, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from serverless.app.core import settings
from serverless.app.core.api_schema import Limits
from serverless.app.core.telemetry import RequestRecord, line
from serverless.app.http.openapi import document


@pytest.fixture(scope="module")
def guide() -> str:
    return (Path(__file__).parents[5] / "docs" / "http-api.md").read_text(encoding="utf-8")


def section(guide: str, title: str) -> str:
    return guide.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_paths(guide: str) -> None:
    rows = re.findall(r"^\| `(\w+) (\S+)` \|.*\| (yes|no) \|$", section(guide, "Paths"), re.MULTILINE)
    found = {
        (method.upper(), path, "yes" if "security" in operation else "no")
        for path, methods in document(Limits(1, 1, 1), "1", 5, keyed=True)["paths"].items()
        for method, operation in methods.items()
    }
    assert set(rows) == found


def test_statuses(guide: str) -> None:
    described = {
        int(status)
        for methods in document(Limits(1, 1, 1), "1", 5, keyed=True)["paths"].values()
        for operation in methods.values()
        for status in operation["responses"]
    }
    told = {int(status) for status in re.findall(r"\b([45]\d\d)\b", section(guide, "Errors"))}
    # Preflights, Starlette's own, and those of snapship serve.
    assert told == (described - {200}) | {403, 404, 405} | {408, 431}


def test_members_of_the_log(guide: str) -> None:
    rows = re.findall(r"^\| (`.*?) \|", section(guide, "The log"), re.MULTILINE)
    told = {name for row in rows for name in re.findall("`([a-z_]+)`", row)}
    assert told == {"time", "level", "cold_start", *RequestRecord.__struct_fields__}
    assert '"cold_start":' in line(RequestRecord("http"), namespace="", cold_start=False)


def test_variables(guide: str) -> None:
    told = re.findall("`(SNAPSHIP_[A-Z0-9_]+)`", section(guide, "Environment of the function"))
    known = re.findall("^SNAPSHIP_[A-Z0-9_]+", settings.__doc__ or "", re.MULTILINE)
    assert sorted(told) == sorted(known)
