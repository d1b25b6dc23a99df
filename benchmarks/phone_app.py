"""What both phone benchmarks share: a bundle, its app on a local host, browsers that open it, and facts.

The app and its host are those of ``snapship phone``; the browsers are what ``make acceptance`` and the system
offer.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.browsers.image_kinds import drawn
from benchmarks.browsers.protocol import Browser, MissingError, Name
from benchmarks.browsers.puppeteer import Driver, PuppeteerBrowser, packages_folder
from benchmarks.browsers.site import Site
from benchmarks.browsers.webkit import WebKitBrowser
from benchmarks.edge_model import facts
from benchmarks.options import check_photos, parser
from benchmarks.phone_model import jpegs, phone_bundle
from exporter.formats.onnx_run import cpu_report
from phone.making import PhoneConfig, make_app

PAGES = Path(__file__).with_name("browsers") / "pages"
ENGINES: tuple[Name, ...] = ("chromium", "firefox", "webkit")


def phone_parser(module: str, description: str) -> argparse.ArgumentParser:
    """Returns a parser with the options of both.

    Args:
        module: Such as ``benchmarks.phone_routes``.
        description: What is measured.
    """
    made = parser(module, description)
    made.add_argument("--data", type=Path, help="folder of ImageNet photos with a labels.txt")
    made.add_argument("--weights", type=Path, help="MobileNetV2 weights file with its head")
    made.add_argument(
        "--made", type=Path, help="folder that keeps the bundle for the next script (default: made each time)"
    )
    made.add_argument("--photos", type=int, default=60, help="photos to answer (default 60)")
    made.add_argument(
        "--browsers", default=",".join(ENGINES), metavar="NAMES", help="some of chromium,firefox,webkit"
    )
    made.add_argument(
        "--packages", type=Path, default=packages_folder(),
        help="node_modules with puppeteer-core and the app's engine (default: that of make acceptance)",
    )  # fmt: skip
    return made


def phone_app(made: argparse.ArgumentParser, options: Any, place: Path) -> tuple[Path, Site, list[Path]]:
    """Makes the bundle and its app, and serves it.

    Args:
        made: The parser, for its errors.
        options: What it read.
        place: A scratch folder.

    Returns:
        The bundle, the app's host with the benchmark's pages below ``/bench/`` and the photos below
        ``/photos/``, and the photos.
    """
    check_photos(made, options)
    photos = _drawn(place / "photos") if options.quick else jpegs(options.data, options.photos)
    data = None if options.quick else options.data
    bundle = phone_bundle(options.made or place / "made", data, options.weights)
    make_app(PhoneConfig(bundle, place / "app", engine=options.packages))
    return bundle, Site(place / "app", {"bench": PAGES, "photos": photos[0].parent}), photos


def browsers_of(options: Any, each: Callable[[Browser], None]) -> list[str]:
    """Starts the wanted browsers, one after the other, and ends each.

    Args:
        options: What the parser read.
        each: Called with each.

    Returns:
        Why some were left out.
    """
    driver, missing = Driver(options.packages), []
    try:
        for name in options.browsers.split(","):
            try:
                browser: Browser = WebKitBrowser() if name == "webkit" else PuppeteerBrowser(driver, name)
            except MissingError as reason:
                missing.append(f"{name}: {reason}")
                continue
            try:
                each(browser)
            finally:
                browser.close()
    finally:
        driver.close()
    return missing


def version_of(browser: Browser) -> str:
    """The engine's name and version, e.g. ``chromium 156``."""
    with browser.page() as tab:
        agent = str(tab.value("navigator.userAgent"))
    marks = {"chromium": "Chrome/", "firefox": "Firefox/", "webkit": "AppleWebKit/"}
    version = agent.partition(marks[browser.name])[2].partition(" ")[0]
    if browser.name == "webkit":
        # Its user agent has been frozen; the package knows.
        done = subprocess.run(["WebKitWebDriver", "--version"], capture_output=True, text=True, check=False)
        version = next((word for word in done.stdout.split() if word[:1].isdigit()), "GTK")
    return f"{browser.name} {version.rstrip('.0') if browser.name == 'chromium' else version}"


def phone_facts(browsers: list[str]) -> dict[str, str]:
    """Names the machine and the software that take part.

    Args:
        browsers: With their versions.
    """
    found = facts()
    flags = ", ".join(cpu_report().flags) or "unknown"
    return {"CPU": found.pop("CPU"), "CPU flags": flags, **found, "browsers": ", ".join(browsers)}


def large_photo(photo: Path, out: Path, size: tuple[int, int] = (4000, 3000)) -> Path:
    """A photo as large as a phone's, with its quality and colours.

    Args:
        photo: Any photo.
        out: A ``.jpg``.
        size: Of it.
    """
    with Image.open(photo) as picture:
        large = picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    large.save(out, quality=90, subsampling="4:2:0")
    return out


def _drawn(folder: Path) -> list[Path]:
    folder.mkdir(parents=True)
    paths = [folder / f"{number}.jpg" for number in range(4)]
    for number, path in enumerate(paths):
        drawn(320 + number, 240).save(path, quality=90)
    return paths
