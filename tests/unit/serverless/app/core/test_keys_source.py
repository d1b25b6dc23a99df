"""Keys that are read again."""

from __future__ import annotations

import inspect
import logging
import time

import pytest

from edge_runtime.common.errors import SnapshipError, UsageError
from serverless.app.core.keys import REREAD_SECONDS, KeySource, from_parameter, from_text, new_key
from serverless.app.core.settings import AppConfig

OLD, OLD_ENTRY = new_key("old")
NEW, NEW_ENTRY = new_key("new")


class Store:
    """A parameter with its own clock."""

    def __init__(self, text: str) -> None:
        self.text: str | None = text
        self.now = 0.0
        self.reads = 0

    def read(self) -> str:
        self.reads += 1
        if self.text is None:
            raise SnapshipError("AWS must answer. Received: nothing. Wait.")
        return self.text

    def source(self) -> KeySource:
        return KeySource(self.read, "the parameter", rereads=True, clock=lambda: self.now)


def test_rotation_needs_no_new_process() -> None:
    store = Store(OLD_ENTRY)
    source = store.source()
    store.text = f"{OLD_ENTRY},{NEW_ENTRY}"
    store.now = REREAD_SECONDS - 1
    assert not source.stale
    source.refresh()
    assert (source.keys.names, store.reads) == (("old",), 1)
    store.now = REREAD_SECONDS
    assert source.stale
    source.refresh()
    assert (source.keys.check(OLD), source.keys.check(NEW)) == ("old", "new")
    store.text = NEW_ENTRY
    store.now *= 2
    source.refresh()
    assert (source.keys.check(OLD), source.keys.check(NEW)) == (None, "new")


@pytest.mark.parametrize("text", [None, "", "nonsense"])
def test_a_failure_keeps_the_keys_and_is_not_tried_with_every_request(
    text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(OLD_ENTRY)
    source = store.source()
    store.text, store.now = text, REREAD_SECONDS
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            source.refresh()
    assert store.reads == 2
    assert source.keys.check(OLD) == "old"
    assert "keeping the old ones" in caplog.text
    assert OLD_ENTRY not in caplog.text


def test_the_same_text_keeps_what_was_checked() -> None:
    store = Store(OLD_ENTRY)
    source = store.source()
    source.keys.check(OLD)
    store.now = REREAD_SECONDS
    source.refresh()
    assert source.keys.known(OLD) == (True, "old")


def test_a_clock_that_was_set_back_makes_keys_stale_once() -> None:
    store = Store(OLD_ENTRY)
    store.now = 1_000_000.0
    source = store.source()
    store.text, store.now = NEW_ENTRY, 999_999.0
    assert source.stale
    source.refresh()
    assert (source.keys.names, source.stale) == (("new",), False)


def test_the_age_of_keys_is_measured_on_the_wall() -> None:
    # A function that is restored from a snapshot goes on with the snapshot's monotonic clock.
    for made in (KeySource, from_parameter):
        assert inspect.signature(made).parameters["clock"].default is time.time


@pytest.mark.parametrize("text", [None, "", " , "])
def test_no_keys_at_the_start_refuse_to_start(text: str | None) -> None:
    store = Store("")
    store.text = text
    with pytest.raises(SnapshipError):
        store.source()


def test_the_environments_keys_are_never_stale() -> None:
    source = from_text(OLD_ENTRY)
    assert not source.stale
    assert source.keys.names == ("old",)
    with pytest.raises(UsageError, match="SNAPSHIP_API_KEYS"):
        from_text("")


def test_keys_of_the_configuration() -> None:
    assert AppConfig("x").key_source() is None
    source = AppConfig("x", keys=OLD_ENTRY).key_source()
    assert source is not None
    assert source.keys.check(OLD) == "old"
