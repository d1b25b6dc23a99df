"""Progress: plain lines in a log, bars on a terminal, on stderr in both cases."""

from __future__ import annotations

import pytest

from trainer.console import ConsoleProgress
from trainer.progress import Event

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
