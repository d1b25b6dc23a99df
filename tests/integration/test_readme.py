"""Every command of the README runs, in its order, in an empty folder."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.slow
def test_readme_commands_run(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl, which the README uses")
    programs = tmp_path / "bin"
    programs.mkdir()
    # The interpreter that runs the tests, whether or not the console script is installed.
    (programs / "snapship").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m snapship "$@"\n')
    (programs / "snapship").chmod(0o755)
    script = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + "\n".join(blocks("sh"))
    work = tmp_path / "work"
    work.mkdir()
    environment = os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }

    done = subprocess.run(
        ["bash", "-c", script.replace("8000", str(free_port()))],
        cwd=work, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Verdict: pass" in done.stdout
    assert '"status":"ok"' in done.stdout
    assert '"label":"' in done.stdout

    for code in blocks("python"):
        run = subprocess.run(
            [sys.executable, "-c", code],
            cwd=work, env=environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        assert "pass" in run.stdout
