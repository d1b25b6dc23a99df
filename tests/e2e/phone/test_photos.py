"""Sixty photos in three browser engines: the runtime's classes, and its scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.browsers.protocol import Browser, Tab
from benchmarks.browsers.site import Site

pytestmark = pytest.mark.slow

MOST = 1e-5
"""Largest difference of a score: XNNPACK in WebAssembly adds up in another order."""

ANSWERS = "(urls) => classifier.answers(urls)"


@pytest.fixture(scope="session")
def site(app: Path, pages: Path, photos: list[Path], host: Callable[..., Site]) -> Site:
    return host(app, {"photos": photos[0].parent, "pages": pages})


@pytest.fixture(scope="session")
def tab(browser: Browser, site: Site) -> Tab:
    page = browser.page()
    page.open(site.url + "pages/classify.html")
    page.until("globalThis.classifier")
    info = page.value("classifier.open()")
    assert "code" not in info, info
    return page


def test_every_photo_gets_the_runtimes_class_and_scores(
    tab: Tab, site: Site, photos: list[Path], expected: np.ndarray
) -> None:
    answers: list[dict[str, Any]] = tab.call(ANSWERS, [f"/photos/{photo.name}" for photo in photos])
    assert [answer for answer in answers if "code" in answer] == []
    scores = np.array([answer["scores"] for answer in answers])
    assert [answer["best"][0]["index"] for answer in answers] == list(expected.argmax(axis=1))
    assert np.abs(scores - expected).max() <= MOST
    assert {answer["type"] for answer in answers} == {"jpeg"}
    assert tab.foreign(site.url) == []
    assert tab.violations() == []


def test_the_golden_examples_replay_stage_by_stage(tab: Tab) -> None:
    report = tab.value("classifier.replay()")
    assert report["passed"], report
    assert report["decoder"] == "browser"
    assert report["first_try"] is None
    assert len(report["examples"]) >= 3
    for example in report["examples"]:
        assert example["failed"] is None
        assert example["max_abs_dp"] <= MOST


def test_what_is_no_photo_is_refused_and_the_next_one_answered(
    tab: Tab, site: Site, photos: list[Path], tmp_path: Path
) -> None:
    whole = photos[0].read_bytes()
    site.mounts["bad"] = tmp_path
    contents = {
        "empty.jpg": b"", "text.jpg": b"I am a text", "half.png": b"\x89PNG\r\n\x1a\n" + whole[:50],
        "photo.avif": b"\0\0\0\x1cftypavif" + whole[:50], "photo.tif": b"II*\0" + whole[:50],
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    answers = tab.call(ANSWERS, [*(f"/bad/{name}" for name in contents), f"/photos/{photos[0].name}"])
    codes = [answer.get("code") for answer in answers]
    assert codes == [*["not_an_image"] * 3, *["unsupported_image"] * 2, None]
    assert all("Received: " in answer["message"] for answer in answers[:-1])
