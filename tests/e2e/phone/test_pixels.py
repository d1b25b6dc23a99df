"""The pixels of three browser engines against the runtime's, for every kind of image, size and fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.browsers.image_kinds import EXACT, image_kinds
from benchmarks.browsers.protocol import Browser, Tab
from benchmarks.browsers.site import Site
from edge_runtime.golden import image_hashes
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import pixels

pytestmark = pytest.mark.slow

INPUTS = (
    InputSpec(224, 224, 3, "stretch"),
    InputSpec(160, 160, 3, "crop"),
    InputSpec(96, 96, 3, "stretch"),
    InputSpec(96, 128, 3, "crop"),
    InputSpec(112, 112, 3, "stretch", "plain"),
    InputSpec(64, 64, 1, "crop"),
)
"""Sizes above and below the pictures', both fits, both resizes, colour and gray."""

LARGE_INPUTS = INPUTS[:2]

NOT_IN_MOZJPEG = {"cmyk.jpg", "cmyk with black.jpg"}
"""What is left to the browser, whatever the app has chosen."""

COMPARE = "(images, decoder) => compareAll(images, decoder)"


@dataclass(frozen=True)
class Prepared:
    """Images on a host, and what the runtime makes of them."""

    site: Site
    images: list[dict[str, Any]]
    close: frozenset[str]


@pytest.fixture(scope="session")
def prepared(
    app: Path,
    pages: Path,
    host: Callable[..., Site],
    photos: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Prepared:
    """Every made image and some photos, with the runtime's pixels for each input."""
    folder = tmp_path_factory.mktemp("images")
    real = [(photo.name, photo.read_bytes(), EXACT) for photo in photos[:12]]
    images, close = [], []
    for number, (name, content, closeness) in enumerate([*image_kinds(), *real]):
        inputs = LARGE_INPUTS if len(content) > 1_000_000 else INPUTS
        suffix = name.rpartition(".")[2]
        (folder / f"{number}.{suffix}").write_bytes(content)
        wanted = b"".join(np.ascontiguousarray(pixels(content, spec)).tobytes() for spec in inputs)
        (folder / f"{number}.bin").write_bytes(wanted)
        if closeness != EXACT:
            close.append(name)
        images.append({
            "name": name, "url": f"/images/{number}.{suffix}", "expected": f"/images/{number}.bin",
            "sha256": image_hashes(content, INPUTS[0])[0],
            "inputs": [
                {"height": spec.height, "width": spec.width, "channels": spec.channels, "fit": spec.fit,
                 "resize": spec.resize}
                for spec in inputs
            ],
        })  # fmt: skip
    return Prepared(host(app, {"images": folder, "pages": pages}), images, frozenset(close))


@pytest.fixture(scope="session")
def tab(browser: Browser, prepared: Prepared) -> Tab:
    page = browser.page()
    page.open(prepared.site.url + "pages/pixels.html")
    page.until("globalThis.compareAll")
    return page


def test_pixels_of_every_image_are_the_runtimes(tab: Tab, prepared: Prepared) -> None:
    found = tab.call(COMPARE, prepared.images, "browser")
    assert not [f"{name}: {entry['error']}" for name, entry in found.items() if "error" in entry]
    far = {name: entry for name, entry in found.items() if max(entry["most"]) > (name in prepared.close)}
    assert far == {}
    assert [
        name for name, entry in found.items() if not entry["decoded"] and name not in prepared.close
    ] == []


def test_pixels_of_the_apps_own_decoders_are_the_runtimes(tab: Tab, prepared: Prepared) -> None:
    own = [image for image in prepared.images if image["url"].lower().endswith(("jpg", "jpeg", "png"))]
    found = tab.call(COMPARE, own, "own")
    assert not [f"{name}: {entry['error']}" for name, entry in found.items() if "error" in entry]
    assert {name for name, entry in found.items() if entry["decoder"] != "own"} == NOT_IN_MOZJPEG
    far = [name for name, entry in found.items() if any(entry["most"]) or not entry["decoded"]]
    assert set(far) <= prepared.close & NOT_IN_MOZJPEG


def test_a_page_that_compares_wrongly_would_be_seen(tab: Tab, prepared: Prepared) -> None:
    one = next(image for image in prepared.images if image["name"] == "444.jpg")
    other = next(image for image in prepared.images if image["name"] == "420.jpg")
    found = tab.call(COMPARE, [{**one, "expected": other["expected"], "sha256": other["sha256"]}], "browser")
    assert max(found["444.jpg"]["most"]) > 1, json.dumps(found)
    assert not found["444.jpg"]["decoded"]
