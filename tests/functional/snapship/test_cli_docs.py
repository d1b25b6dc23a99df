"""``docs/cli.md`` is what the commands' ``--help`` says today."""

from __future__ import annotations

import subprocess
import sys

from snapship.clidocs import PAGE, page
from snapship.commands import COMMANDS


def test_page_is_current() -> None:
    # In a process of its own: click keeps a command's help option as its first caller made it.
    done = subprocess.run(
        [sys.executable, "-m", "snapship.clidocs", "--check"],
        cwd=PAGE.parent.parent, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_page_has_every_command_and_no_machine_s_paths() -> None:
    text = page()
    for name in COMMANDS:
        assert f"### snapship {name}\n" in text
    assert "/home/" not in text
    assert max(map(len, text.splitlines())) <= 110
