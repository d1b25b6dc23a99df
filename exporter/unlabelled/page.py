"""``--ask``: the page that asks about photos on which models differ.

It holds the photos, the answers to choose from, and the gate as a table, so that it knows without statistics when
every verdict stands. It does not show which model said what: the buttons are shuffled, and no count of lost or won
images is shown while it asks.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.common.atomic_file import usable_path, write_whole
from edge_runtime.common.errors import UsageError
from edge_runtime.common.html_page import data_uri, fitted, render_page
from edge_runtime.dataset import ImageSet
from edge_runtime.dataset.layout import is_ignored
from edge_runtime.image.preprocess import decoded
from exporter.statistics.gate_limits import gate_limits
from exporter.unlabelled.answers import Answer
from exporter.unlabelled.differing import Photo
from exporter.unlabelled.judging import UnlabelledJudgement
from exporter.unlabelled.record import UnlabelledReport

PAGE_FILE = "ask.html"
ANSWERS_FILE = "answers.csv"
"""What a browser may have stored beside the page."""

_MARK = "<!-- snapship check --ask -->"
_TEMPLATES = Path(__file__).parent / "templates"

MOST_PHOTOS = 1_000
"""Photos on one page; more would take a day to answer, and 100 MB."""

_SIDES = ((100, 720), (300, 560), (MOST_PHOTOS, 400))
"""Up to this many photos, the longest side of each in pixels: a page of some ten megabytes at most."""


@dataclass(frozen=True)
class AskPage:
    """The page.

    Attributes:
        html: The file.
        open: Photos on it without an answer.
    """

    html: str
    open: int


def page_file(folder: str | os.PathLike[str]) -> Path:
    """The file of the page.

    Args:
        folder: What ``--ask`` was given.
    """
    return Path(folder) / PAGE_FILE


def check_ask(folder: Path, photos: Path) -> None:
    """Checks before the work that the page can be written: the folder is new, empty, or has an earlier page.

    Args:
        folder: What ``--ask`` was given.
        photos: The folder of the photos.

    Raises:
        UsageError: It holds something else, is no folder, or is in the folder of the photos.
    """
    if folder.absolute().resolve().is_relative_to(photos.absolute().resolve()):
        # With a sub-folder, the same photos would be another data set at the next check.
        raise UsageError(
            f"--ask must write beside the photos, not among them. Received: --ask {folder} and --data {photos}. "
            "Pass another folder."
        )
    with usable_path(folder, "--ask", "The folder of the page must be writable"):
        if not folder.exists():
            return
        names = sorted(entry.name for entry in folder.iterdir() if not is_ignored([entry.name]))
        page = page_file(folder)
        others = [name for name in names if name != PAGE_FILE and not _is_answers(name)]
        if page.is_file() and _MARK not in page.read_text("utf-8", errors="replace")[:200]:
            others.insert(0, PAGE_FILE)
    if others:
        raise UsageError(
            f"--ask writes into a folder of its own. Received: {folder}, which holds {others[0]}. "
            "Pass a new folder."
        )


def _is_answers(name: str) -> bool:
    """Whether a browser may have stored it: a second download gets a number."""
    return name.startswith("answers") and name.endswith(".csv")


def write_page(folder: Path, html: str) -> Path:
    """Writes the page; an earlier one is replaced, answers beside it stay.

    Args:
        folder: What ``--ask`` was given.
        html: The page.

    Returns:
        The file.

    Raises:
        UsageError: It cannot be written.
    """
    page = page_file(folder)
    write_whole(page, html, "--ask")
    return page


def ask_page(
    name: str, report: UnlabelledReport, found: UnlabelledJudgement, images: ImageSet, labels: Sequence[str]
) -> AskPage | None:
    """Renders the page.

    Args:
        name: What was checked.
        report: The result so far; a verdict in it that answers cannot change is not asked about.
        found: The judgement it comes from.
        images: The photos.
        labels: The class names.

    Returns:
        None if no answer can change a verdict that is open.

    Raises:
        EnvironmentMissingError: Jinja2 is not installed.
    """
    open_ = [kind for kind, one in report.artifacts.items() if one.answers_at_least is not None]
    if not open_:
        return None
    # What passes may be open again after an undo; the verdict of the others has another reason.
    kinds = [
        kind
        for kind, one in report.artifacts.items()
        if one.differing and (kind in open_ or one.verdict == "pass")
    ]
    pairs = {photo.sha256: _pairs(photo, found, kinds) for photo in found.photos}
    ranked = sorted(
        (photo for photo in found.photos if pairs[photo.sha256]),
        key=lambda photo: -sum(weight for kind, _, _, weight in pairs[photo.sha256] if kinds[kind] in open_),
    )
    shown, rest = ranked[:MOST_PHOTOS], ranked[MOST_PHOTOS:]
    given = found.given.answers
    most = max(report.artifacts[kind].differing for kind in kinds)
    limits = gate_limits(report.n, report.margin)
    side = next(side for count, side in _SIDES if len(shown) <= count)
    data = {
        "id": hashlib.sha256(f"{report.data_sha256} {'/'.join(labels)}".encode()).hexdigest()[:16],
        "mostLost": limits.most_lost[: most + 1].tolist(),
        "mostWon": limits.most_won[: most + 1].tolist(),
        "kinds": [
            {"name": kind, "open": sum(w for photo in rest for at, _, _, w in pairs[photo.sha256] if kinds[at] == kind)}
            for kind in kinds
        ],
        "photos": [
            {
                "sha256": photo.sha256,
                "file": photo.file,
                "copies": len(photo.rows),
                "shown": [labels[index] for index in photo.classes],
                "pairs": pairs[photo.sha256],
                "answer": _text(given.get(photo.sha256), labels),
                "picture": data_uri(fitted(decoded(_read(images, photo), 3), side), "JPEG", quality=82),
            }
            for photo in shown
        ],
    }  # fmt: skip
    script = (_TEMPLATES / "ask.js").read_text("utf-8")
    values: dict[str, Any] = {
        "mark": _MARK,
        "name": name,
        "data": data,
        "script": script,
        "script_sha256": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "rest": len(rest),
    }
    html = render_page(_TEMPLATES / "ask.html", values, purpose="Asking about photos", extra="export")
    return AskPage(html, sum(photo.sha256 not in given for photo in shown))


def _pairs(photo: Photo, found: UnlabelledJudgement, kinds: Sequence[str]) -> list[tuple[int, int, int, int]]:
    """By artifact: its place, the full model's and its own answer as places of buttons, and the number of copies."""
    counted: dict[tuple[int, int, int], int] = {}
    for place, kind in enumerate(kinds):
        for row in photo.rows:
            full, own = int(found.answers.full[row]), int(found.answers.artifacts[kind][row])
            if full != own:
                key = place, photo.classes.index(full), photo.classes.index(own)
                counted[key] = counted.get(key, 0) + 1
    return [(*key, count) for key, count in counted.items()]


def _read(images: ImageSet, photo: Photo) -> Any:
    return images.read(next(item for item in images.items if item.sha256 == photo.sha256))


def _text(answer: Answer | None, labels: Sequence[str]) -> str:
    if answer is None:
        return ""
    return labels[answer] if isinstance(answer, int) else answer
