"""What drives the browsers leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.browsers.protocol import MissingError, Name
from benchmarks.browsers.puppeteer import Driver, PuppeteerBrowser


@pytest.mark.parametrize("name", ["chromium", "firefox"])
def test_browsers_end_with_their_driver(
    phone_packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: Name
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    driver = Driver(phone_packages)
    try:
        PuppeteerBrowser(driver, name).page().open("about:blank")
    except MissingError as missing:
        pytest.skip(f"needs {name}: {missing}")
    finally:
        driver.close()
    used = [process for process in Path("/proc").glob("[0-9]*") if str(tmp_path) in command(process)]
    assert not used
    assert not list(tmp_path.glob("puppeteer*"))


def command(process: Path) -> str:
    try:
        return (process / "cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
