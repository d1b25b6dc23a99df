"""The threat model names tests; each must exist, and each row must name one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security.md"

NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


def rows_of_threats() -> list[str]:
    """Rows of the tables whose head ends with "shown by"."""
    found, inside = [], False
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| threat |"):
            assert line.endswith("| shown by |")
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("|---"):
            found.append(line)
    return found


def test_every_threat_has_a_control_and_a_test() -> None:
    rows = rows_of_threats()
    assert len(rows) > 40
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert len(cells) == 4, row
        assert all(cells), row
        assert NAMED.search(cells[3]), row
        assert not NAMED.sub("", cells[3]).strip(", |"), row


@pytest.mark.parametrize(
    ("file", "name"), sorted({pair for row in rows_of_threats() for pair in NAMED.findall(row)})
)
def test_named_test_exists(file: str, name: str) -> None:
    files = [
        path for path in (ROOT / "tests").rglob(file) if f"def {name}(" in path.read_text(encoding="utf-8")
    ]
    assert files, f"docs/security.md names {file}::{name}"
