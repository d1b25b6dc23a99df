from __future__ import annotations

import os
import threading

import pytest

from edge_runtime.common.native_output import quiet, restore, write_past


def test_native_lines_are_dropped_and_stderr_comes_back(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        os.write(2, b"chatter\n")
        with quiet():
            os.write(2, b"more\n")
        os.write(2, b"and more\n")
    os.write(2, b"kept\n")
    assert capfd.readouterr().err == "kept\n"


def test_error_inside_restores_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), quiet():
        raise RuntimeError
    os.write(2, b"kept\n")
    assert capfd.readouterr().err == "kept\n"


def test_overlapping_threads_restore_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with quiet():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with quiet():
        thread.start()
        assert entered.wait(10)
    os.write(2, b"still dropped\n")
    leave.set()
    thread.join()
    os.write(2, b"kept\n")
    assert capfd.readouterr().err == "kept\n"


def test_debugging_shows_everything(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SNAPSHIP_DEBUG", "1")
    with quiet():
        os.write(2, b"chatter\n")
    assert capfd.readouterr().err == "chatter\n"


def test_restore_gives_stderr_back_after_an_interrupted_entry(capfd: pytest.CaptureFixture[str]) -> None:
    # What Ctrl-C between the redirection and the block leaves behind.
    block = quiet()
    block.__enter__()
    os.write(2, b"chatter\n")
    restore()
    os.write(2, b"kept\n")
    assert capfd.readouterr().err == "kept\n"
    restore()
    with quiet():
        os.write(2, b"chatter\n")
    os.write(2, b"kept too\n")
    assert capfd.readouterr().err == "kept too\n"
    # The forgotten block may still end; nothing is restored twice.
    block.__exit__(None, None, None)
    with quiet():
        os.write(2, b"chatter\n")
    assert capfd.readouterr().err == ""


def test_last_words_go_past_a_redirection_that_stays(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        write_past("said\n")
        os.write(2, b"chatter\n")
    write_past("said too\n")
    assert capfd.readouterr().err == "said\nsaid too\n"
