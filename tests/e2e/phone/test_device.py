"""What depends on the device: installing, a camera, a file from disk, a canvas that lies, no secure context."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.browsers.app_page import ANSWER, REPORT, SETTLED, STATE
from benchmarks.browsers.film import film_of
from benchmarks.browsers.protocol import Browser, MissingError, Name, Tab
from benchmarks.browsers.puppeteer import INSECURE, camera_flags
from benchmarks.browsers.site import Site
from benchmarks.browsers.trap import Trap

pytestmark = pytest.mark.slow

MOST = 1e-5

CHROMIUMS_OWN = (".google.com", ".googleapis.com", ".gvt1.com")
"""What the browser asks for itself, whichever page is open."""

Start = Callable[..., Browser]
Browsers = Callable[[Name], Browser]


@pytest.fixture(scope="session")
def site(app: Path, host: Callable[..., Site]) -> Site:
    return host(app)


def classified(tab: Tab, photo: Path, count: int = 1) -> dict[str, str]:
    """What the page says of a photo, the first one of it."""
    tab.choose("#photo-input", photo)
    tab.until(f"Number(document.querySelector('#answer').dataset.count) === {count}")
    answer: dict[str, str] = tab.value(ANSWER)
    return answer


def same(answer: dict[str, str], scores: np.ndarray) -> bool:
    return int(answer["index"]) == scores.argmax() and abs(float(answer["score"]) - scores.max()) <= MOST


def test_no_thread_of_it_asks_anybody_else(
    start: Start, host: Callable[..., Site], app: Path, photos: list[Path], pages: Path
) -> None:
    trap, site = Trap(), host(app, {"pages": pages})
    browser = start("chromium", flags=trap.flags)
    try:
        with browser.page() as tab:
            tab.open(site.url)
            tab.until(f"{SETTLED} && document.documentElement.dataset.offline === 'ready'")
            classified(tab, photos[4])
            asked = trap.names
            # It would be seen: a worker without a policy asks.
            tab.open(site.url + "pages/asking.html")
            tab.until("globalThis.asked")
        assert "example.org" in trap.names
        assert [name for name in asked if not name.endswith(CHROMIUMS_OWN)] == []
    finally:
        browser.close()
        trap.close()


def test_chromium_would_install_it(browsers: Browsers, site: Site) -> None:
    # A tab with storage of its own is a private one, in which nothing can be installed.
    with browsers("chromium").page(shared=True) as tab:
        tab.open(site.url)
        tab.until(SETTLED)
        manifest = tab.devtools("Page.getAppManifest")
        assert manifest["errors"] == []
        assert manifest["url"] == site.url + "manifest.webmanifest"
        assert tab.devtools("Page.getInstallabilityErrors")["installabilityErrors"] == []


def test_the_camera_answers_live_and_the_shutter_takes_a_photo(
    start: Start, site: Site, photos: list[Path], expected: np.ndarray, real: Path | None, tmp_path: Path
) -> None:
    surest = int(expected.max(axis=1).argmax())
    try:
        film = film_of(photos[surest], tmp_path / "film.mjpeg")
    except MissingError as missing:
        pytest.skip(f"needs ffmpeg: {missing}")
    browser = start("chromium", flags=camera_flags(film))
    try:
        filmed(browser, site, expected[surest].argmax() if real else None)
    finally:
        browser.close()


def test_firefoxs_camera_answers_live_too(browsers: Browsers, site: Site) -> None:
    # Its fake camera films coloured noise.
    filmed(browsers("firefox"), site, None)


def filmed(browser: Browser, site: Site, best: int | None) -> None:
    """Opens the camera, waits for live answers, takes a photo."""
    with browser.page() as tab:
        tab.open(site.url)
        tab.until(SETTLED)
        tab.click("#camera-button")
        tab.until("document.documentElement.dataset.camera === 'live'")
        tab.until("Number(document.querySelector('#answer').dataset.frames) >= 3")
        answer = tab.value(ANSWER)
        assert answer["kind"] == "live"
        assert best is None or int(answer["index"]) == best
        tab.click("#shutter")
        tab.until("Number(document.querySelector('#answer').dataset.count) === 1")
        answer = tab.value(ANSWER)
        assert answer["kind"] == "photo"
        assert best is None or int(answer["index"]) == best
        assert int(answer["width"]) >= 320
        assert tab.complaints == []
        assert tab.violations() == []


@pytest.mark.parametrize("name", ["chromium", "firefox"])
def test_the_single_file_opens_from_disk(
    browsers: Browsers, name: Name, single_file: Path, photos: list[Path], expected: np.ndarray
) -> None:
    with browsers(name).page() as tab:
        tab.open(single_file.as_uri())
        tab.until(SETTLED)
        state = tab.value(STATE)
        assert (state["state"], state["proof"]) == ("ready", "same"), tab.text("body")
        assert tab.value(REPORT)["passed"]
        assert same(classified(tab, photos[1]), expected[1])
        assert tab.foreign(single_file.as_uri()) == []
        assert tab.violations() == []
        assert tab.complaints == []


@pytest.fixture(scope="session")
def single_file(bundle: Path, make: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("single")
    make(bundle, place / "app", single_file=place / "app.html")
    return place / "app.html"


def test_a_noisy_canvas_is_named_and_repaired(
    start: Start, site: Site, photos: list[Path], expected: np.ndarray
) -> None:
    browser = start("firefox", prefs={"privacy.resistFingerprinting": True})
    try:
        with browser.page() as tab:
            tab.open(site.url)
            tab.until(SETTLED)
            state = tab.value(STATE)
            assert (state["state"], state["proof"]) == ("ready", "own"), tab.text("body")
            report = tab.value(REPORT)
            assert report["passed"]
            assert report["decoder"] == "own"
            assert report["first_try"]["failed"] == "decode"
            assert report["first_try"]["differing"] == len(report["examples"])
            answer = classified(tab, photos[2])
            assert answer["decoder"] == "own"
            assert same(answer, expected[2])
    finally:
        browser.close()


@pytest.mark.parametrize("name", ["chromium", "firefox"])
def test_without_a_secure_context_it_classifies_and_says_what_is_missing(
    browsers: Browsers, name: Name, site: Site, photos: list[Path], expected: np.ndarray
) -> None:
    with browsers(name).page() as tab:
        tab.open(site.url_at(INSECURE))
        assert tab.value("[isSecureContext, typeof crypto.subtle, typeof navigator.serviceWorker]") == [
            False, "undefined", "undefined",
        ]  # fmt: skip
        tab.until(SETTLED)
        state = tab.value(STATE)
        assert (state["state"], state["proof"]) == ("ready", "same"), tab.text("body")
        assert tab.value(REPORT)["device"]["secure_context"] is False
        assert tab.value("document.querySelector('#insecure-note').checkVisibility()")
        assert "https" in tab.text("#insecure-note")
        assert same(classified(tab, photos[3]), expected[3])
        assert tab.complaints == []
