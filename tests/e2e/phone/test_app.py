"""The app in three browser engines: it proves itself, classifies, asks nobody else, and works without its host."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.browsers.app_page import ANSWER, REPORT, SETTLED, STATE
from benchmarks.browsers.protocol import Browser, Tab
from benchmarks.browsers.site import Site
from edge_runtime.phone_report import read_phone_report

pytestmark = pytest.mark.slow

MOST = 1e-5


@pytest.fixture(scope="session")
def site(app: Path, host: Callable[..., Site]) -> Site:
    return host(app)


@pytest.fixture(scope="session")
def tab(browser: Browser, site: Site) -> Tab:
    page = browser.page()
    page.open(site.url)
    page.until(SETTLED)
    return page


def test_the_first_start_says_that_the_answers_are_the_same(tab: Tab) -> None:
    state = tab.value(STATE)
    assert (state["state"], state["proof"]) == ("ready", "same"), tab.text("body")
    assert "gives the same answers" in tab.text("#proof")
    report = tab.value(REPORT)
    assert report["passed"]
    assert report["decoder"] == "browser"
    assert report["app"]["version"] == state["version"]
    assert [example["failed"] for example in report["examples"]] == [None] * len(report["examples"])
    assert max(example["max_abs_dp"] for example in report["examples"]) <= MOST


def test_chosen_photos_get_the_runtimes_answers(tab: Tab, photos: list[Path], expected: np.ndarray) -> None:
    for number, (photo, scores) in enumerate(zip(photos[:2], expected[:2], strict=True), 1):
        tab.choose("#photo-input", photo)
        tab.until(f"Number(document.querySelector('#answer').dataset.count) === {number}")
        answer = tab.value(ANSWER)
        assert (answer["kind"], answer["name"]) == ("photo", photo.name)
        assert int(answer["index"]) == scores.argmax()
        assert abs(float(answer["score"]) - scores.max()) <= MOST
        rows = tab.value(
            "[...document.querySelectorAll('#answer-bars > li')]"
            ".map((row) => [Number(row.dataset.index), Number(row.dataset.score)])"
        )
        assert [index for index, _ in rows] == list(np.argsort(-scores, kind="stable")[: len(rows)])
        assert all(abs(score - scores[index]) <= MOST for index, score in rows)


def test_nobody_else_is_asked_and_the_policy_holds(tab: Tab, site: Site) -> None:
    assert tab.foreign(site.url) == []
    assert tab.violations() == []
    assert tab.complaints == []
    policy = tab.value("document.querySelector('meta[http-equiv=Content-Security-Policy]').content")
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "'unsafe-eval'" not in policy
    # What is not in the folder is not asked for either.
    assert [path for path, status in site.seen if status != 200] == []


def test_without_its_host_it_starts_again_and_classifies(
    browser: Browser, app: Path, host: Callable[..., Site], photos: list[Path], expected: np.ndarray
) -> None:
    site = host(app)
    with browser.page() as tab:
        tab.open(site.url)
        tab.until(SETTLED)
        tab.until("document.documentElement.dataset.offline === 'ready'")
        site.close()
        tab.reload()
        tab.until(SETTLED)
        state = tab.value(STATE)
        assert (state["state"], state["proof"]) == ("ready", "same"), tab.text("body")
        # Not from what it remembers: again, and without a host.
        tab.value("document.querySelector('#report-data').textContent = ''")
        tab.click("#nav-about")
        tab.click("#replay-button")
        tab.until("document.querySelector('#report-data').textContent")
        assert tab.value(REPORT)["passed"]
        tab.choose("#photo-input", photos[5])
        tab.until("Number(document.querySelector('#answer').dataset.count) === 1")
        assert int(tab.value(ANSWER)["index"]) == expected[5].argmax()


def test_the_shared_report_is_one_that_selftest_reads(tab: Tab, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text(json.dumps(tab.value(REPORT)), encoding="utf-8")
    assert read_phone_report(file).passed
