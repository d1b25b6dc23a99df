"""Three browser engines, a static host, and the phone app that both meet."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from benchmarks.browsers.image_kinds import drawn
from benchmarks.browsers.protocol import Browser, MissingError, Name
from benchmarks.browsers.puppeteer import Driver, PuppeteerBrowser
from benchmarks.browsers.site import Site
from benchmarks.browsers.webkit import WebKitBrowser
from benchmarks.phone_model import jpegs, phone_bundle
from edge_runtime import Classifier
from phone.making import PhoneConfig, make_app

ENGINES: tuple[Name, ...] = ("chromium", "firefox", "webkit")

ROOT = Path(__file__).resolve().parents[3]
WEIGHTS = "weights/mobilenet_v2_1.0_224_imagenet.weights.h5"
PHOTOS = 60


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
            except MissingError as missing:
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


@pytest.fixture(scope="session")
def real() -> Path | None:
    """The folder of real photos and weights; None where there are none, and drawn ones take their place."""
    folder = ROOT.parent / "shared"
    return folder if (folder / "data" / "imagenet-sample").is_dir() and (folder / WEIGHTS).is_file() else None


@pytest.fixture(scope="session")
def bundle(real: Path | None, once: Callable[..., Any]) -> Path:
    """ImageNet's MobileNetV2 as int8; where there are no weights, a small network."""
    photos, weights = (real / "data" / "imagenet-sample", real / WEIGHTS) if real else (None, None)
    return cast(Path, once("phone-model", lambda folder: phone_bundle(folder, photos, weights)))


@pytest.fixture(scope="session")
def photos(real: Path | None, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """60 JPEGs: photos, or drawn ones."""
    if real:
        return jpegs(real / "data" / "imagenet-sample", PHOTOS)
    folder = tmp_path_factory.mktemp("drawn")
    made = []
    for number in range(PHOTOS):
        made.append(folder / f"{number}.jpg")
        drawn(200 + 3 * number, 320 - number).save(made[-1], quality=90)
    return made


@pytest.fixture(scope="session")
def make(phone_packages: Path) -> Callable[..., Path]:
    """Makes an app of a bundle, as ``snapship phone`` does."""

    def made(bundle: Path, out: Path, **options: Any) -> Path:
        make_app(PhoneConfig(bundle, out, engine=phone_packages, **options))
        return out

    return made


@pytest.fixture(scope="session")
def app(bundle: Path, make: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app of the bundle. Read only."""
    return make(bundle, tmp_path_factory.mktemp("app") / "app")


@pytest.fixture(scope="session")
def expected(bundle: Path, photos: list[Path]) -> np.ndarray:
    """The runtime's scores of the photos, float32 ``[photos, classes]``."""
    with Classifier.open(bundle, "tflite-int8") as classifier:
        return np.stack([classifier.scores(photo) for photo in photos])


@pytest.fixture(scope="session")
def pages() -> Path:
    """Pages that use the app's modules without the app."""
    return Path(__file__).with_name("pages")
