"""``snapship data check``: parse, call, print; and its page, with copies side by side, which opens offline."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from edge_runtime.common.atomic_file import check_file, write_whole
from edge_runtime.common.errors import DataError, LeakError, SnapshipError
from edge_runtime.common.html_page import data_uri, fitted, render_page
from edge_runtime.common.terminal import Column, print_table, printable
from edge_runtime.dataset import ImageSet, open_dataset
from edge_runtime.dataset.imageset import Item
from edge_runtime.image.preprocess import decoded
from trainer.core.cache import ensure_downloaded
from trainer.data_checks.check import INPUT_SIZE, check_data
from trainer.data_checks.duplicates import ImagePair
from trainer.data_checks.report import DataReport
from trainer.progress.console import ConsoleProgress

MOST_PAIRS = 100
"""Maximum number of pairs shown per kind; each takes about 20 kB."""

_SHOWN = 5
"""Examples printed of each kind; --json and --report have all."""

_SHOWN_CLASSES = 20
_SIDE = 240


@dataclass(frozen=True)
class Shown:
    """A pair with its pictures as data URIs."""

    pair: ImagePair
    first: str
    second: str


@click.command()
@click.argument("data")
@click.option(
    "--size",
    type=click.IntRange(8, 8192),
    default=INPUT_SIZE,
    show_default=True,
    help="Side of the model's input in pixels; much smaller images are reported.",
)
@click.option("--report", help="Write an HTML page with the copies side by side.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document to stdout and nothing else.")
def check(data: str, size: int, report: str | None, as_json: bool) -> None:
    """Find leaks, copies, conflicting labels and odd files in DATA.

    Reports val images that are also in train (a leak; even if resized, recompressed,
    brightened or mirrored), copies under two labels, unreadable files, classes with too few
    images, imbalance and odd sizes. Nothing is changed.

    \b
    Example:
      snapship data check photos/
      snapship data check photos.zip --report copies.html

    \b
    Exit code: 0 no leak, 1 a leak, 2 the data cannot be used for training.
    """
    if report is not None:
        check_file(report, "--report")
    with ConsoleProgress() as progress:
        ensure_downloaded(data, progress)
        images = open_dataset(data)
        found = check_data(images, input_size=size, progress=progress)
    if report is not None:
        write_page(report, found, images)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2))
    else:
        _print(found)
        if report is not None:
            click.echo(f"report  {printable(report)}")
    if found.refusal:
        raise DataError(found.refusal)
    if found.has_leak:
        raise LeakError(
            f"No val image may also be in train. Received: {len(found.leaks)} in {found.source}, the first: "
            f"{found.leaks[0].first.ref} ({found.leaks[0].second.ref}). Remove them from one of the splits."
        )


def write_page(path: str | os.PathLike[str], report: DataReport, images: ImageSet) -> None:
    """Writes the page atomically.

    Args:
        path: The file to create or replace.
        report: The findings.
        images: The data set, to read the images from.

    Raises:
        EnvironmentMissingError: Jinja2 is not installed.
        UsageError: The file cannot be written.
    """
    items = {item.ref: item for item in images.items}
    sections = [
        (title, words, _shown(pairs, images, items), max(0, len(pairs) - MOST_PAIRS))
        for title, words, pairs in (
            ("Leaks", "Val images that are also in train.", report.leaks),
            ("Conflicts", "The same image under two labels.", report.conflicts),
            ("Copies", "Copies in the same class and split.", report.repeats),
        )
        if pairs
    ]
    val = sum(entry.val for entry in report.classes)
    largest = max((entry.train for entry in report.classes), default=1)
    values = {"report": report, "sections": sections, "val": val, "largest": largest}
    template = Path(__file__).parent / "templates" / "data.html"
    text = render_page(template, values, purpose="The data report", extra="train")
    write_whole(Path(path), text, "--report")


def how(pair: ImagePair) -> str:
    """Returns in a few words how two images are the same."""
    if pair.exact:
        return "equal"
    return f"{'mirrored' if pair.mirrored else 'same image'}, {pair.difference:.0%} different"


def _print(found: DataReport) -> None:
    val = sum(entry.val for entry in found.classes)
    click.echo(
        f"{len(found.classes)} classes, {found.images - val:,} train and {val:,} val images, "
        f"{len(found.unreadable)} unreadable, {len(found.skipped)} files skipped"
    )
    if found.sizes.median is not None:
        width, height = found.sizes.median
        click.echo(f"median size {width}x{height}")
    rows = [[finding.level, finding.kind, printable(finding.message)] for finding in found.findings]
    if rows:
        print_table([Column("level"), Column("kind"), Column("finding")], rows)
    else:
        click.echo("No findings.")
    for title, pairs in (("leaks", found.leaks), ("conflicts", found.conflicts), ("copies", found.repeats)):
        _print_pairs(title, pairs)
    _print_lines("unreadable", found.unreadable)
    _print_lines("skipped", found.skipped)
    ordered = sorted(found.classes, key=lambda entry: (entry.train, entry.label))
    table = [[printable(entry.label), str(entry.train), str(entry.val)] for entry in ordered[:_SHOWN_CLASSES]]
    click.echo("")
    print_table([Column("class"), Column("train", True), Column("val", True)], table)
    if len(ordered) > _SHOWN_CLASSES:
        click.echo(f"and {len(ordered) - _SHOWN_CLASSES} larger classes")


def _print_pairs(title: str, pairs: tuple[ImagePair, ...]) -> None:
    """Prints the first pairs of a kind, and the number of the others."""
    if not pairs:
        return
    click.echo("")
    columns = [Column(title), Column("label"), Column("copy of"), Column("label"), Column("how")]
    rows = [
        [printable(pair.first.ref), printable(pair.first.label), printable(pair.second.ref),
         printable(pair.second.label), how(pair)]
        for pair in pairs[:_SHOWN]
    ]  # fmt: skip
    print_table(columns, rows)
    if len(pairs) > _SHOWN:
        click.echo(f"and {len(pairs) - _SHOWN:,} more {title}")


def _print_lines(title: str, lines: tuple[str, ...]) -> None:
    for line in lines[:_SHOWN]:
        click.echo(f"{title}  {printable(line)}")
    if len(lines) > _SHOWN:
        click.echo(f"and {len(lines) - _SHOWN:,} more {title}")


def _shown(pairs: Sequence[ImagePair], images: ImageSet, items: Mapping[str, Item]) -> list[Shown]:
    return [
        Shown(pair, *(_pictured(images, items[picture.ref]) for picture in (pair.first, pair.second)))
        for pair in pairs[:MOST_PAIRS]
    ]


def _pictured(images: ImageSet, item: Item) -> str:
    """The upright image as a data URI; empty if its file no longer exists."""
    try:
        picture = decoded(images.read(item), 1 if images.gray else 3)
    except SnapshipError:
        return ""
    return data_uri(fitted(picture, _SIDE), quality=85)
