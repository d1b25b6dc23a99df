"""The page of ``check --ask`` in Chromium: it knows what Python would say, and its file goes back in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.asked_case import made_judgement, made_table
from benchmarks.browsers.protocol import MissingError
from benchmarks.browsers.puppeteer import Driver, PuppeteerBrowser, packages_folder
from exporter.unlabelled.answers import Answer, read_answers
from exporter.unlabelled.differing import Answers, Photo
from exporter.unlabelled.page import ask_page, check_ask, write_page
from exporter.unlabelled.tally import tally

LABELS = ('tulips, "red"', "<b>daisy</b>", "=roses")
MARGIN = 0.02
KEYS = {"(neither)": "n", "(both)": "b", "(cannot tell)": "t"}


@pytest.fixture(scope="module")
def chromium() -> Iterator[PuppeteerBrowser]:
    if not (Path(sys.prefix) / "acceptance" / "phone" / ".ready").is_file():
        pytest.skip("needs phone of make acceptance")
    driver = None
    try:
        driver = Driver(packages_folder())
        yield PuppeteerBrowser(driver, "chromium")
    except MissingError as missing:
        pytest.skip(f"needs chromium: {missing}")
    finally:
        if driver is not None:
            driver.close()


def answers() -> tuple[Answers, list[int]]:
    """390 photos; 20 differ on one artifact, 16 on another, some on both, one photo occurs three times."""
    copies = [*range(388), 0, 0]
    full, one, two = (np.zeros(390, np.int64) for _ in range(3))
    one[:20], two[10:26] = 1, 2
    one[388:] = 1
    return Answers(full, {"first": one, "second": two}), copies


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_page_says_what_python_says_after_every_answer(
    seed: int, chromium: PuppeteerBrowser, tmp_path: Path
) -> None:
    models, copies = answers()
    table = made_table(copies, LABELS)
    page = ask_page(
        "made up", (found := made_judgement(table, models, {}, MARGIN)).report, found, table.images, LABELS
    )
    assert page is not None
    file = write_page(tmp_path / "ask", page.html)
    check_ask(tmp_path / "ask", tmp_path / "photos")
    random = np.random.default_rng(seed)
    said: dict[str, Answer] = {}

    def verdicts() -> list[str]:
        return [
            tally(models.full, own, found.photos, said, margin=MARGIN).verdict
            for own in models.artifacts.values()
        ]

    with chromium.page(width=390, height=844) as tab:
        tab.open(file.as_uri())
        while True:
            assert tab.value("verdicts()") == verdicts()
            sha256 = tab.value("current?.sha256")
            if sha256 is None:
                break
            assert sha256 not in said
            photo = next(photo for photo in found.photos if photo.sha256 == sha256)
            # Each seed leans another way: harmless, lost, a mixture.
            weights = ([0.8, 0.05, 0.05, 0.1], [0.05, 0.9, 0.0, 0.05], [0.4, 0.3, 0.2, 0.1])[seed]
            choice = random.choice(4, p=weights)
            shown = [LABELS[index] for index in photo.classes]
            if choice == 1:
                said[sha256] = 0
                tab.key("asdf"[shown.index(LABELS[0])])
            else:
                word: Answer = ("(neither)", "", "(both)", "(cannot tell)")[choice]  # type: ignore[assignment]
                said[sha256] = word
                tab.key(KEYS[str(word)])
        stands = "inconclusive" not in verdicts()
        assert ("settled" in tab.text("#said")) == stands
        assert tab.value("document.documentElement.scrollWidth") <= 390
        # What is downloaded gives the same in Python.
        stored = tmp_path / "answers.csv"
        stored.write_text(tab.value("csv()"), "utf-8")
        assert read_answers(stored, found.photos, table.images, LABELS).answers == said
        # It survives a reload, and the last answer can be taken back.
        tab.reload()
        assert tab.value("verdicts()") == verdicts()
        tab.key("u")
        assert tab.value("[...answers.values()].filter(Boolean).length") == len(said) - 1
        assert not tab.complaints
        assert not tab.violations()
        assert not tab.foreign(file.as_uri())
        # Names are text.
        assert tab.value("document.querySelector('b')") is None


def test_the_browser_remembers_answers_that_are_still_about_what_is_asked(
    chromium: PuppeteerBrowser, tmp_path: Path
) -> None:
    """20 photos differ; then the artifact names another class on all of them."""
    table = made_table(list(range(390)), LABELS)

    def written(other: int, given: dict[str, Answer]) -> list[Photo]:
        full, own = np.zeros(390, np.int64), np.zeros(390, np.int64)
        own[:20] = other
        found = made_judgement(table, Answers(full, {"small": own}), given, MARGIN)
        page = ask_page("made up", found.report, found, table.images, LABELS)
        assert page is not None
        write_page(tmp_path / "ask", page.html)
        return list(found.photos)

    def remembered() -> dict[str, str]:
        found: dict[str, str] = tab.value("Object.fromEntries([...answers].filter(([, said]) => said))")
        return found

    with chromium.page(width=390, height=844) as tab:
        written(1, {})
        tab.open((tmp_path / "ask" / "ask.html").as_uri())
        order = []
        for key in ("n", "t", "b", "asdf"[tab.value("data.photos[3].shown").index(LABELS[0])]):
            order.append(tab.value("current.sha256"))
            tab.key(key)
        tab.reload()
        said = dict(zip(order, ("(neither)", "(cannot tell)", "(both)", LABELS[0]), strict=True))
        assert remembered() == said
        # "Neither" and "both" were about other classes.
        written(2, {})
        tab.reload()
        assert remembered() == {order[1]: "(cannot tell)", order[3]: LABELS[0]}
        # A corrected answers file is newer than what was said here.
        written(1, {order[3]: 1})
        tab.reload()
        assert remembered() == said | {order[3]: LABELS[1]}
