"""The dependency audit of ``make check``: what it says of reports as pip-audit 2.10 prints them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / ".ci" / "audit.py"

HOLE = {
    "id": "PYSEC-2018-66",
    "fix_versions": ["0.12.3"],
    "aliases": ["CVE-2018-1000656"],
    "description": "...",
}
CANARY = {"name": "flask", "version": "0.5", "vulns": [HOLE]}
GOOD = [
    {"name": "numpy", "version": "2.4.1", "vulns": []},
    {"name": "typing-extensions", "version": "4.16.0", "vulns": []},
]
SKIPPED = {
    "name": "numpy",
    "skip_reason": "Dependency not found on PyPI and could not be audited: numpy (2.4.1)",
}
BAD = {
    "name": "numpy",
    "version": "2.4.1",
    "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["2.4.2"], "aliases": []}],
}


@pytest.fixture
def audit(tmp_path: Path):
    """Runs the script with a pip-audit that prints a report, or text."""

    def run(report: list[Any] | str, *words: str, accepted: str = "") -> subprocess.CompletedProcess[str]:
        text = report if isinstance(report, str) else json.dumps({"dependencies": report, "fixes": []})
        program = tmp_path / "pip-audit"
        program.write_text(f"#!{sys.executable}\nprint({text!r})\n")
        program.chmod(0o755)
        (tmp_path / "pins.txt").write_text(
            "# pins\nnumpy==2.4.1\ntyping_extensions==4.16.0 ; python_version > '3'\n"
        )
        (tmp_path / "accepted.txt").write_text(accepted)
        options = ["--pip-audit", str(program), "--accepted", str(tmp_path / "accepted.txt")]
        return subprocess.run(
            [sys.executable, SCRIPT, *options, *words, tmp_path / "pins.txt"], capture_output=True, text=True
        )

    return run


def test_nothing_known_passes_and_says_how_many(audit) -> None:
    done = audit([*GOOD, CANARY], "--strict")
    assert done.returncode == 0, done.stderr
    assert "nothing is known against 2 pinned packages" in done.stdout
    assert not done.stderr


def test_a_vulnerability_fails_and_is_named(audit) -> None:
    done = audit([BAD, GOOD[1], CANARY])
    assert done.returncode == 1
    assert "numpy 2.4.1: PYSEC-2026-1, fixed in 2.4.2" in done.stdout
    assert "flask" not in done.stdout


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        # What it prints where the service answers 404 to everything; its own exit code is 0.
        ([SKIPPED, {**SKIPPED, "name": "flask"}], "flask 0.5 is vulnerable"),
        ([*GOOD, {**CANARY, "vulns": []}], "flask 0.5 is vulnerable"),
        ([SKIPPED, GOOD[1], CANARY], "1 of 2 packages are unknown to it: numpy"),
        ("requests.exceptions.ConnectionError: ...", "could not ask its service"),
        ("", "could not ask its service"),
        ("null", "could not ask its service"),
    ],
)
def test_what_was_not_looked_up_is_never_a_pass(audit, report: list[Any] | str, reason: str) -> None:
    done = audit(report)
    assert done.returncode == 0
    assert "NOT CHECKED" in done.stderr
    assert reason in done.stderr
    assert "nothing is known" not in done.stdout
    assert audit(report, "--strict").returncode == 4


def test_a_program_that_is_missing_is_said(tmp_path: Path) -> None:
    words = [sys.executable, SCRIPT, "--strict", "--pip-audit", str(tmp_path / "gone")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 4
    assert "not installed" in done.stderr


def test_an_accepted_vulnerability_counts_again_after_its_day(audit) -> None:
    report = [BAD, GOOD[1], CANARY]
    assert audit(report, accepted="# why\nPYSEC-2026-1 until 2999-12-31 not reachable\n").returncode == 0
    assert audit(report, accepted="PYSEC-2026-1 until 2020-12-31 not reachable\n").returncode == 1
    refused = audit(report, accepted="PYSEC-2026-1 because\n")
    assert refused.returncode == 2
    assert "until YYYY-MM-DD" in refused.stderr


def test_every_pin_of_the_project_can_be_looked_up(tmp_path: Path) -> None:
    """Needs no service: a pin that the script cannot read would be exit code 2."""
    done = subprocess.run(
        [sys.executable, SCRIPT, "--pip-audit", str(tmp_path / "gone")], capture_output=True
    )
    assert done.returncode == 0
