"""The app's scripts that need no browser, tested by Node's own test runner: one test per ``*.test.mjs``."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
SCRIPTS = sorted(FOLDER.glob("*.test.mjs"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name.removesuffix(".test.mjs"))
def test_script(script: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node")
    command = [node, "--test", "--test-reporter=tap", script.name]
    ran = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "\n# pass 0\n" not in ran.stdout
