"""Three browser engines, a static host, and the phone app that both meet."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from benchmarks.browsers.protocol import Browser, Missing, Name
from benchmarks.browsers.puppeteer import Driver, PuppeteerBrowser
from benchmarks.browsers.site import Site
from benchmarks.browsers.webkit import WebKitBrowser

ENGINES: tuple[Name, ...] = ("chromium", "firefox", "webkit")


@pytest.fixture(scope="session")
def phone_packages() -> Path:
    """What npm installed for the phone app and its tests."""
    folder = Path(sys.prefix) / "acceptance" / "phone"
    if not (folder / ".ready").is_file():
        log = folder / "log.txt"
        lines = log.read_text(encoding="utf-8").strip().splitlines() if log.is_file() else []
        pytest.skip(f"needs phone of make acceptance: {(lines or ['not installed'])[-1]}")
    return folder / "node_modules"


@pytest.fixture(scope="session")
def start(request: pytest.FixtureRequest) -> Iterator[Callable[..., Browser]]:
    """Starts a browser by name; it ends with the session, or before by ``close``."""
    drivers: list[Driver] = []
    with ExitStack() as stack:

        def started(name: Name, **options: Any) -> Browser:
            try:
                if name == "webkit":
                    browser: Browser = WebKitBrowser(**options)
                    stack.callback(browser.close)
                    return browser
                if not drivers:
                    drivers.append(Driver(request.getfixturevalue("phone_packages")))
                    stack.callback(drivers[0].close)
                return PuppeteerBrowser(drivers[0], name, **options)
            except Missing as missing:
                pytest.skip(f"needs {name}: {missing}")

        yield started


@pytest.fixture(scope="session")
def browsers(start: Callable[..., Browser]) -> Callable[[Name], Browser]:
    """The browser of an engine with its usual settings, started once."""
    started: dict[Name, Browser] = {}

    def browser(name: Name) -> Browser:
        if name not in started:
            started[name] = start(name)
        return started[name]

    return browser


@pytest.fixture(scope="session", params=ENGINES)
def browser(request: pytest.FixtureRequest, browsers: Callable[[Name], Browser]) -> Browser:
    """Each engine in turn."""
    return browsers(request.param)


@pytest.fixture(scope="session")
def host() -> Iterator[Callable[..., Site]]:
    """Serves a folder as any static host does; it ends with the session."""
    with ExitStack() as stack:

        def serve(folder: Path, mounts: dict[str, Path] | None = None) -> Site:
            site = Site(folder, mounts)
            stack.callback(site.close)
            return site

        yield serve
