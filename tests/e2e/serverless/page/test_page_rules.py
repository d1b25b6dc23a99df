"""The page with a bundle that has rules: what is not sure or not known never looks like an answer."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.bundle.rules import AbstainRule, KnownRule, Rules, SetRule
from serverless.app import create_app

Tab = Callable[..., Any]

RULES = Rules(
    350, "0" * 64, abstain=AbstainRule(0.05, "top", 0.95, 320, 6), sets=SetRule(0.9, 0.05),
    known=KnownRule("entropy", -0.4, 0.95),
)  # fmt: skip


@pytest.fixture(scope="module")
def ruled_url(
    serve: Callable[[Any], str],
    digits_bundle: Path,
    put_rules: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    folder = tmp_path_factory.mktemp("ruled") / "digits.bundle"
    shutil.copytree(digits_bundle, folder)
    put_rules(folder, RULES)
    return serve(create_app(folder, artifact="tflite-fp32"))


@pytest.mark.parametrize("dark", [False, True])
def test_doubt_takes_the_place_of_the_answer(
    tab: Tab, ruled_url: str, pictures: list[Path], dark: bool
) -> None:
    page = tab(ruled_url, width=390, dark=dark)
    unknown, unsure, sure = pictures[2], pictures[3], pictures[0]
    for count, (picture, title, spoken) in enumerate(
        (
            (unknown, "Unknown", "Unknown. This does not look like anything that the model was trained on."),
            (unsure, "Not sure", "Not sure. The model is not sure enough to answer. It may be: 3, 9"),
        ),
        start=1,
    ):
        page.give(picture)
        page.until(f"document.querySelectorAll('.shots button').length === {count} && !busy")
        page.until("document.querySelector('#answer .scores')")
        assert page.text("#answer .doubt h3") == title
        assert page.text("#answer .best") == ""
        assert page.text("#status") == f"{picture.name}: {spoken}"
        assert page.text(".shots li:first-child b") == title
    assert page.text("[aria-label=Candidates]").split() == ["3", "9"]
    page.give(sure)
    page.until("document.querySelector('#answer .best')")
    assert page.text("#answer .best").split() == ["0", ">", "99.9", "%"]
    assert page.text("#answer .doubt") == ""
    assert page.text("[aria-label=Candidates]") == ""
    assert page.value("document.documentElement.scrollWidth") == 390
    assert page.complaints == []
