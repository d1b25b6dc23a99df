"""Progress: plain lines in a log, bars on a terminal, on stderr in both cases."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from trainer.progress import Event
from trainer.progress.console import ConsoleProgress

EVENTS = (
    Event("pixels", 0, 2, "decoding 2 images"),
    Event("pixels", 1, 2),
    Event("pixels", message="skipped \x1b[31mred\n:smile:[bold].png"),
    Event("train", 1, 3, "train epoch 1"),
)


def show(quiet: bool = False) -> None:
    with ConsoleProgress(quiet) as progress:
        for event in EVENTS:
            progress(event)


def test_log_has_one_line_a_message_and_nothing_a_terminal_acts_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "decoding 2 images", r"skipped \x1b[31mred\n:smile:[bold].png", "train epoch 1"]  # fmt: skip


def test_terminal_shows_messages_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    show()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert r"skipped \x1b[31mred\n:smile:[bold].png" in captured.err
    assert "train epoch 1" in captured.err


def test_quiet_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    show(quiet=True)
    assert capsys.readouterr() == ("", "")


TRAINING = (
    Event("data", message="opening [red]photos[/red] :smile: \x1b[31m"),
    Event("train", 0, 40, "train: up to 2 epochs", epoch=1, epochs=2),
    *(Event("train", done, 40, images=32 * done, epoch=1, epochs=2) for done in range(1, 21)),
    Event("train", 20, 40, "train epoch 1: val 0.9", {"val_accuracy": 0.912}, images=640, epoch=1, epochs=2),
    *(Event("train", done, 40, images=32 * done, epoch=2, epochs=2) for done in range(21, 40)),
)


class Ticking:
    """A clock on which every look takes a tenth of a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.1
        return self.now


def terminal(width: int) -> Console:
    return Console(
        file=io.StringIO(), force_terminal=True, width=width, height=20, color_system="truecolor",
        legacy_windows=False, _environ={"TERM": "xterm"},
    )  # fmt: skip


def sent(console: Console) -> str:
    """What the terminal was sent, without what moves its cursor and colours its text."""
    assert isinstance(console.file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue()).replace("\r", "\n")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_live_line_has_speed_time_left_and_val_and_never_wraps(width: int) -> None:
    console = terminal(width)
    with ConsoleProgress(console=console, clock=Ticking()) as progress:
        for event in TRAINING:
            progress(event)
            assert progress._live is not None
            progress._live.refresh()
    shown = [line for line in sent(console).splitlines() if "━" in line]
    assert shown
    assert max(map(len, shown)) < width
    last = shown[-1]
    assert last.startswith("train  ")
    assert re.search(r"[\d,]+ img/s  0:\d\d left  val 91\.2%", last)
    assert ("best 91.2%" in last) == (width == 120 or width == 80)
    assert "epoch 2/2" in last


def test_live_line_works_without_images_and_epochs() -> None:
    console = terminal(80)
    with ConsoleProgress(console=console, clock=Ticking()) as progress:
        for done in range(1, 5):
            progress(Event("features", done, 9))
        assert progress._live is not None
        progress._live.refresh()
    last = [line for line in sent(console).splitlines() if "━" in line][-1]
    assert re.fullmatch(r"features  ━+  4/9  0:0\d left", last.strip())


def test_names_of_files_are_no_markup() -> None:
    console = terminal(80)
    with ConsoleProgress(console=console, clock=Ticking()) as progress:
        progress(TRAINING[0])
    assert r"opening [red]photos[/red] :smile: \x1b[31m" in sent(console)


def test_long_message_is_not_cut() -> None:
    console = terminal(60)
    name = "x" * 150
    with ConsoleProgress(console=console) as progress:
        progress(Event("pixels", 1, 2, f"skipped {name}"))
    assert f"skipped {name}" in sent(console)


def test_log_tells_the_pace_of_each_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    with ConsoleProgress(clock=Ticking()) as progress:
        for event in TRAINING:
            progress(event)
    line = next(line for line in capsys.readouterr().err.splitlines() if "epoch 1" in line)
    assert re.fullmatch(r"train epoch 1: val 0\.9 \[[\d,]+ img/s, 0:\d\d left\]", line)


def test_dumb_terminal_gets_plain_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    show()
    assert "\x1b[" not in capsys.readouterr().err


def test_what_is_printed_meanwhile_stays_on_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with ConsoleProgress() as progress:
        progress(Event("train", 1, 3))
        print("a result")
    assert capsys.readouterr().out == "a result\n"
