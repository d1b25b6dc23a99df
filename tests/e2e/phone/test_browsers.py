"""What drives the browsers leaves nothing behind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.browsers.protocol import MissingError, Name
from benchmarks.browsers.puppeteer import Driver, PuppeteerBrowser


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path: Chromium puts a socket there, whose path has a limit."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.mark.parametrize("name", ["chromium", "firefox"])
def test_browsers_end_with_their_driver(
    phone_packages: Path, short: Path, monkeypatch: pytest.MonkeyPatch, name: Name
) -> None:
    monkeypatch.setenv("TMPDIR", str(short))
    driver = Driver(phone_packages)
    try:
        PuppeteerBrowser(driver, name).page().open("about:blank")
    except MissingError as missing:
        pytest.skip(f"needs {name}: {missing}")
    finally:
        driver.close()
    used = [process for process in Path("/proc").glob("[0-9]*") if str(short) in command(process)]
    assert not used
    assert not list(short.glob("puppeteer*"))


def command(process: Path) -> str:
    try:
        return (process / "cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
