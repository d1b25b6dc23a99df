"""The progress line on a terminal, fitted to its width."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from trainer.meter import Reading
from trainer.progress import Event

MIN_BAR, MAX_BAR = 8, 40
"""Columns of the bar."""

_GAP = "  "


@dataclass(frozen=True)
class _Part:
    """A piece of the line; pieces with the highest rank are dropped first."""

    text: str
    style: str
    rank: int


def progress_line(reading: Reading, width: int, ascii_only: bool = False) -> Text:
    """Returns one line that fits the width.

    Args:
        reading: What to show.
        width: Columns of the terminal.
        ascii_only: Whether the terminal can show only ASCII.
    """
    before, after = _before(reading.event), _after(reading)
    has_bar = reading.event.total > 1
    while True:
        used = sum(cell_len(part.text) + len(_GAP) for part in (*before, *after)) - len(_GAP)
        room = width - used - (len(_GAP) if has_bar else 0)
        if room >= (MIN_BAR if has_bar else 0):
            break
        weakest = max((*before, *after), key=lambda part: part.rank)
        if not weakest.rank:
            has_bar = has_bar and room >= 1
            break
        before = [part for part in before if part is not weakest]
        after = [part for part in after if part is not weakest]
    bar = [_bar(reading.event, min(MAX_BAR, room), ascii_only)] if has_bar else []
    pieces = [Text(part.text, part.style) for part in before] + bar
    pieces += [Text(part.text, part.style) for part in after]
    line = Text(_GAP, no_wrap=True, overflow="ellipsis").join(pieces)
    line.no_wrap, line.overflow = True, "ellipsis"
    line.truncate(width, overflow="crop" if ascii_only else "ellipsis")
    return line


def duration(seconds: float) -> str:
    """``0:42``, ``12:05`` or ``1:02:03``.

    Args:
        seconds: Not negative.
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def speed(images_per_second: float) -> str:
    """``8.4 img/s`` or ``1,240 img/s``.

    Args:
        images_per_second: Above 0.
    """
    return f"{images_per_second:,.{1 if images_per_second < 10 else 0}f} img/s"


def _before(event: Event) -> list[_Part]:
    parts = [_Part(event.stage, "bold", 0)]
    if event.epochs:
        parts.append(_Part(f"epoch {max(1, event.epoch)}/{event.epochs}", "", 3))
    return parts


def _after(reading: Reading) -> list[_Part]:
    parts, event = [], reading.event
    if event.total > 1:
        whole = str(event.total)
        parts.append(_Part(f"{event.done:>{len(whole)}}/{whole}", "dim", 5))
    if reading.images_per_second is not None:
        parts.append(_Part(speed(reading.images_per_second), "cyan", 2))
    if reading.left is not None:
        parts.append(_Part(f"{duration(reading.left)} left", "", 1))
    elif reading.elapsed >= 1:
        parts.append(_Part(duration(reading.elapsed), "dim", 1))
    if event.epochs and reading.val is not None and reading.best is not None:
        parts.append(_Part(f"val {reading.val:.1%}", "green", 1))
        parts.append(_Part(f"best {reading.best:.1%}", "green", 4))
    return parts


def _bar(event: Event, width: int, ascii_only: bool) -> Text:
    full = round(width * min(1.0, event.done / event.total))
    signs = "#-" if ascii_only else "━━"
    return Text.assemble((signs[0] * full, "green"), (signs[1] * (width - full), "bright_black"))
