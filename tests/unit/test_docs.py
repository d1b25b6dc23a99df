"""The documentation is whole: links lead somewhere, the index names every page, nothing refers to what is not here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    path for folder in (".", "docs", "findings", "benchmarks") for path in (ROOT / folder).glob("*.md")
)


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Anchors of the page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_of_a_page_lead_to_files_and_headings(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", prose(page)):
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("folder", [DOCS, ROOT / "findings"], ids=name)
def test_index_names_every_file_of_its_folder(folder: Path) -> None:
    index = folder / ("index.md" if folder == DOCS else "README.md")
    linked = set(re.findall(r"\]\(([\w.-]+)\)", index.read_text(encoding="utf-8")))
    assert linked == {path.name for path in folder.iterdir() if path.is_file()} - {index.name}


@pytest.mark.parametrize("page", [*PAGES, *sorted((ROOT / "findings").glob("*.sh"))], ids=name)
def test_source_files_that_a_page_names_exist(page: Path) -> None:
    # What a recipe creates is not there yet.
    text = re.sub(r"Create `[^`]+`", "", page.read_text(encoding="utf-8"))
    named = re.findall(
        r"\b(?:edge_runtime|trainer|exporter|serverless|snapship|benchmarks|tests)/[\w/.-]+\.(?:py|c|toml|sh)\b",
        text,
    )
    assert not [file for file in named if not (ROOT / file).exists()]


def test_where_to_change_what_names_files_and_what_is_in_them() -> None:
    rows = re.findall(
        r"^\| ([^|]+\?) \| `([^`|]+)`[^|]* \| `([^`|]+)` \|$",
        (DOCS / "architecture.md").read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    assert len(rows) >= 20
    assert not [
        (question, file, name)
        for question, file, name in rows
        if not re.search(rf"\b{name}\b", (ROOT / file).read_text(encoding="utf-8"))
    ]


def test_readme_and_contributing_name_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, flags=re.MULTILINE))
    shown = set(re.findall(r'echo "make (\w+) ', makefile))
    assert shown == targets - {"help", "clean"}
    for page in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert set(re.findall(r"^make (\w+)", text, flags=re.MULTILINE)) <= targets


def test_picture_of_the_report_is_small() -> None:
    assert (DOCS / "images" / "report.png").stat().st_size < 200_000
