#!/usr/bin/env python3
"""Looks every pinned package up among known vulnerabilities, with pip-audit. Part of `make check`.

It never passes by silence: a package with a known hole is looked up beside the others, and where that one is not
reported, or others could not be looked up, nothing was checked and it says so.

Exit codes: 0 nothing is known against the pins, or it could not be checked (said on stderr); 1 a vulnerability;
2 bad usage; with --strict, 4 where it could not be checked.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

CANARY = ("flask", "0.5")
"""PYSEC-2018-66 and others: https://osv.dev/vulnerability/PYSEC-2018-66"""

TIMEOUT_SECONDS = 120

_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[A-Za-z0-9.!+_-]+)")

_ACCEPTED = re.compile(r"(?P<id>\S+) until (?P<until>\d{4}-\d{2}-\d{2}) (?P<reason>\S.*)")


def main() -> int:
    """Returns the exit code."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="files of pins (default constraints.txt)"
    )
    made.add_argument(
        "--pip-audit", default="pip-audit", metavar="PROGRAM", help="default: the one on the PATH"
    )
    made.add_argument(
        "--accepted", type=Path, default=Path(__file__).with_name("audit-accepted.txt"), metavar="FILE",
        help="lines 'ID until YYYY-MM-DD REASON'; after that day the vulnerability counts again",
    )  # fmt: skip
    made.add_argument("--strict", action="store_true", help="exit 4 where it could not be checked")
    options = made.parse_args()
    try:
        pins = sorted({pin for file in options.files or [ROOT / "constraints.txt"] for pin in pins_of(file)})
        accepted = accepted_of(options.accepted)
    except (OSError, ValueError) as error:
        made.error(str(error))
    found, unchecked = looked_up(options.pip_audit, pins)
    bad = [one for one in found if one[2] not in accepted]
    for name, version, id, fixed in bad:
        print(f"{name} {version}: {id}, fixed in {fixed or 'no version'}")
    if bad:
        print(
            f"Pinned packages must have no known vulnerability. Received: {len(bad)}. "
            "Pin a fixed version, or write the id, a day and the reason into .ci/audit-accepted.txt."
        )
    if unchecked:
        print(f"Dependency audit: NOT CHECKED, {unchecked}", file=sys.stderr)
    if bad:
        return 1
    if unchecked:
        return 4 if options.strict else 0
    print(f"Dependency audit: nothing is known against {len(pins)} pinned packages")
    return 0


def pins_of(file: Path) -> list[tuple[str, str]]:
    """Names and versions of a file of requirements; lines with options are not pins."""
    found = []
    for line in file.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].partition(";")[0].strip()
        if not text or text.startswith("-"):
            continue
        pin = _PIN.fullmatch(text)
        if pin is None:
            raise ValueError(f"Every package must be pinned as NAME==VERSION. Received: {line!r} in {file}.")
        found.append((pin["name"].lower(), pin["version"]))
    return found


def accepted_of(file: Path) -> set[str]:
    """Ids that are known and accepted today."""
    if not file.exists():
        return set()
    found = set()
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        entry = _ACCEPTED.fullmatch(line.strip())
        if entry is None:
            raise ValueError(f"A line must be 'ID until YYYY-MM-DD REASON'. Received: {line!r} in {file}.")
        if datetime.date.fromisoformat(entry["until"]) >= datetime.date.today():
            found.add(entry["id"])
    return found


def looked_up(program: str, pins: list[tuple[str, str]]) -> tuple[list[tuple[str, str, str, str]], str]:
    """Vulnerabilities as name, version, id and fixed versions; and why not everything was checked, or empty."""
    if not pins:
        return [], "there is no pin"
    path = shutil.which(program)
    if path is None:
        return [], f"pip-audit is not installed ({program})"
    if CANARY[0] in {name for name, _ in pins}:
        raise SystemExit(f"CANARY must be a package that is not used. Received: {CANARY[0]}. Choose another.")
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / "requirements.txt"
        asked.write_text(
            "".join(f"{name}=={version}\n" for name, version in [*pins, CANARY]), encoding="utf-8"
        )
        words = [
            path,
            "-r",
            str(asked),
            "--no-deps",
            "--disable-pip",
            "--progress-spinner",
            "off",
            "-f",
            "json",
        ]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
            report: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
        except subprocess.TimeoutExpired:
            return [], f"the service did not answer in {TIMEOUT_SECONDS} seconds"
        except (OSError, ValueError, KeyError, TypeError):
            reason = done.stderr.strip().splitlines()[-1:] or ["no output"]
            return [], f"pip-audit could not ask its service: {reason[0][:200]}"
    found = [
        (each["name"], each["version"], hole["id"], ", ".join(hole.get("fix_versions", [])))
        for each in report
        for hole in each.get("vulns", [])
    ]
    if CANARY[0] not in {name for name, *_ in found}:
        return found, (
            f"the service does not know that {CANARY[0]} {CANARY[1]} is vulnerable, "
            "so its silence about others says nothing"
        )
    checked = {each["name"].lower() for each in report if "vulns" in each}
    missing = sorted(name for name, _ in pins if _normal(name) not in {_normal(each) for each in checked})
    reason = (
        f"{len(missing)} of {len(pins)} packages are unknown to it: {', '.join(missing)[:200]}"
        if missing
        else ""
    )
    return [one for one in found if one[0] != CANARY[0]], reason


def _normal(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
