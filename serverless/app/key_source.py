"""Where the API keys come from: the environment, or an SSM parameter that is read again now and then.

To rotate without a deploy: write the parameter with the new entry added, wait for
:data:`REREAD_SECONDS`, hand the new secret out, then write it without the old entry.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from serverless.app.keys import Keys, parse

REREAD_SECONDS = 300.0
"""How old keys may be before the parameter is read again."""

_log = logging.getLogger("snapship.serverless")


class KeySource:
    """Keys that may change while the process lives. Safe to use from several threads."""

    def __init__(
        self,
        read: Callable[[], str],
        name: str,
        *,
        rereads: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Reads the keys for the first time.

        Args:
            read: Gives the entries' text.
            name: Where it comes from, for messages.
            rereads: Whether it can change.
            clock: Seconds of the wall: a function that is restored from a snapshot may find its
                other clocks where they stood, and a snapshot may be weeks old.

        Raises:
            SnapshipError: They cannot be read, or there are none.
        """
        self._read, self._name, self._rereads, self._clock = read, name, rereads, clock
        self._text = read()
        self._keys = parse(self._text, name)
        self._read_at = clock()
        self._lock = threading.Lock()

    @property
    def keys(self) -> Keys:
        """The keys as they were last read."""
        return self._keys

    @property
    def stale(self) -> bool:
        """Whether it is time to read them again."""
        # A clock that was set back says nothing of the age.
        return self._rereads and not 0 <= self._clock() - self._read_at < REREAD_SECONDS

    def refresh(self) -> None:
        """Reads the keys again if it is time; keeps the old ones if that fails."""
        with self._lock:
            if not self.stale:
                return
            # Also after a failure: a service that is down is not asked with every request.
            self._read_at = self._clock()
            try:
                text = self._read()
                # Same text, same object: it remembers the secrets that it has checked.
                if text != self._text:
                    self._keys, self._text = parse(text, self._name), text
                    _log.info("API keys are now: %s", ", ".join(self._keys.names))
            except Exception as error:
                _log.warning("the API keys stay as they were: %s: %s", type(error).__name__, error)


def from_text(text: str) -> KeySource:
    """Keys of the environment.

    Args:
        text: Entries, as in SNAPSHIP_API_KEYS.

    Raises:
        UsageError: It holds none, or one that is no entry.
    """
    return KeySource(lambda: text, "SNAPSHIP_API_KEYS", rereads=False)


def from_parameter(name: str, clock: Callable[[], float] = time.time) -> KeySource:
    """Keys of an SSM parameter, a SecureString or a String.

    Args:
        name: Of the parameter.
        clock: Seconds, as :class:`KeySource`.

    Raises:
        SnapshipError: It cannot be read, or holds no keys.
    """
    client = None

    def read() -> str:
        nonlocal client
        # Here, since it loads boto3.
        from serverless.aws import answered
        from serverless.aws import client as client_of

        with answered(f"Reading the SSM parameter {name}"):
            client = client or client_of("ssm")
            return str(client.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])

    return KeySource(read, f"The SSM parameter {name}", rereads=True, clock=clock)
