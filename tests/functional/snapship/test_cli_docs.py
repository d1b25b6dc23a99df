"""``docs/cli.md`` is what the commands' ``--help`` says today."""

from __future__ import annotations

from snapship.clidocs import PAGE, page
from snapship.commands import COMMANDS


def test_page_is_current() -> None:
    assert PAGE.is_file(), "Run: python -m snapship.clidocs"
    assert PAGE.read_text(encoding="utf-8") == page(), "Run: python -m snapship.clidocs"


def test_page_has_every_command_and_no_machine_s_paths() -> None:
    text = page()
    for name in COMMANDS:
        assert f"### snapship {name}\n" in text
    assert "/home/" not in text
    assert max(map(len, text.splitlines())) <= 110
