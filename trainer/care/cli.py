"""``snapship data``: parse, call, print."""

from __future__ import annotations

import json

import click

from edge_runtime.atomic_file import check_file
from edge_runtime.dataset import open_dataset
from edge_runtime.errors import DataError, LeakError
from edge_runtime.terminal import Column, print_table, printable
from trainer.care.check import INPUT_SIZE, check_data
from trainer.care.duplicates import ImagePair
from trainer.care.report import DataReport
from trainer.console import ConsoleProgress
from trainer.downloads import ensure_downloaded

_SHOWN = 5
"""Examples printed of each kind; --json and --report have all."""

_SHOWN_CLASSES = 20


@click.group()
def data() -> None:
    """Check a data set before training.

    \b
    Example:
      snapship data check photos/
    """


@data.command()
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
        # Only the page needs Jinja2.
        from trainer.care.page import write_page

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


def how(pair: ImagePair) -> str:
    """Returns in a few words how two images are the same."""
    if pair.exact:
        return "equal"
    return f"{'mirrored' if pair.mirrored else 'same image'}, {pair.difference:.0%} different"
