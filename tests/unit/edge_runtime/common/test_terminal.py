"""Progress: plain lines for a file, a bar for a terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edge_runtime.common.native_output import quiet
from edge_runtime.common.terminal import StepProgress


class Screen:
    """What a terminal was sent."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._parts: list[bytes] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        # Linux ends a terminal that nobody writes to any more with EIO.
        with contextlib.suppress(OSError):
            while part := os.read(self._descriptor, 4096):
                self._parts.append(part)

    def close(self) -> None:
        self._thread.join(timeout=10)
        assert not self._thread.is_alive(), "something still holds the terminal"
        os.close(self._descriptor)

    @property
    def text(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", b"".join(self._parts).decode())

    def wait_for(self, words: str) -> None:
        end = time.monotonic() + 10
        while words not in self.text:
            assert time.monotonic() < end, f"{words!r} did not appear in {self.text!r}"
            time.sleep(0.02)


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch, name: str = "xterm") -> Iterator[Screen]:
    """Makes stderr a terminal."""
    ours, theirs = pty.openpty()
    monkeypatch.setenv("TERM", name)
    monkeypatch.setenv("COLUMNS", "100")
    kept, screen = os.dup(2), Screen(ours)
    stream = os.fdopen(os.dup(theirs), "w")
    monkeypatch.setattr(sys, "stderr", stream)
    os.dup2(theirs, 2)
    try:
        yield screen
    finally:
        monkeypatch.undo()
        os.dup2(kept, 2)
        stream.close()
        os.close(kept)
        os.close(theirs)
        screen.close()


def three_steps(progress: StepProgress) -> None:
    for done in (1, 2):
        progress("decoding [x]", done, 2)
    progress("converting", 0, 0)


def test_no_terminal_gets_one_line_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    with StepProgress() as progress:
        three_steps(progress)
    shown = capsys.readouterr()
    assert shown.err == "decoding [x]\nconverting\n"
    assert shown.out == ""


def test_name_of_a_file_stays_one_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    with StepProgress() as progress:
        progress("Reading a\x1b[2J\nb", 0, 0)
    assert capsys.readouterr().err == "Reading a\\x1b[2J\\nb\n"


def test_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch, "dumb") as screen:
        with StepProgress() as progress:
            three_steps(progress)
        screen.wait_for("converting\r\n")
        assert "━" not in screen.text


def test_terminal_gets_a_bar_without_stale_numbers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with terminal(monkeypatch) as screen:
        with StepProgress() as progress:
            progress("loading", 0, 0)
            screen.wait_for("loading")
            progress("decoding [x]", 7, 40)
            screen.wait_for("7/40")
            assert "decoding [x]" in screen.text
            progress("converting", 0, 0)
            screen.wait_for("converting")
            time.sleep(0.3)
        for line in screen.text.splitlines():
            if "converting" in line or "loading" in line:
                assert "/" not in line
    assert capsys.readouterr().out == ""


def test_bar_goes_on_while_native_code_is_silenced(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as screen, StepProgress() as progress:
        progress("loading", 0, 0)
        with quiet():
            os.write(2, b"native chatter\n")
            progress("calibrating", 3, 9)
            screen.wait_for("3/9")
        assert "native chatter" not in screen.text
