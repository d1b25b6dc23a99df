"""Where the API keys come from: the environment, a file, or an SSM parameter that is reread regularly.

To rotate without a deployment: add the new entry to the parameter, wait :data:`REREAD_SECONDS`, hand
out the new secret, then remove the old entry.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from serverless.app.keys import Keys, parse

REREAD_SECONDS = 300.0
"""Maximum age of the keys before the source is reread."""

_log = logging.getLogger("snapship.serverless")


class KeySource:
    """Keys that may change during the life of the process. Safe to use from several threads."""

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
            read: Returns the text of the entries.
            name: Where it comes from, for messages.
            rereads: Whether it can change.
            clock: Wall clock in seconds: in a function restored from a snapshot, which may be weeks
                old, other clocks may not have advanced.

        Raises:
            SnapshipError: They cannot be read or are invalid.
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
        """Whether it is time to reread them."""
        # A clock that was set back says nothing about the age.
        return self._rereads and not 0 <= self._clock() - self._read_at < REREAD_SECONDS

    def refresh(self) -> None:
        """Rereads the keys if it is time; keeps the old ones if that fails."""
        with self._lock:
            if not self.stale:
                return
            # Also after a failure: a service that is down is not called with every request.
            self._read_at = self._clock()
            try:
                text = self._read()
                # Unchanged text keeps the object, which remembers the secrets it has checked.
                if text != self._text:
                    self._keys, self._text = parse(text, self._name), text
                    _log.info("API keys are now: %s", ", ".join(self._keys.names))
            except Exception as error:
                _log.warning(
                    "could not reread the API keys, keeping the old ones: %s: %s", type(error).__name__, error
                )


def from_text(text: str) -> KeySource:
    """Keys from the environment.

    Args:
        text: Entries, as in SNAPSHIP_API_KEYS.

    Raises:
        UsageError: It contains no entry, or an invalid one.
    """
    return KeySource(lambda: text, "SNAPSHIP_API_KEYS", rereads=False)


def from_parameter(name: str, clock: Callable[[], float] = time.time) -> KeySource:
    """Keys from an SSM parameter, a SecureString or a String.

    Args:
        name: The parameter's name.
        clock: Seconds, as :class:`KeySource`.

    Raises:
        SnapshipError: It cannot be read, or contains no valid keys.
    """
    client = None

    def read() -> str:
        nonlocal client
        # Imported here, since it loads boto3.
        from serverless.aws import answered
        from serverless.aws import client as client_of

        with answered(f"Reading the SSM parameter {name}"):
            client = client or client_of("ssm")
            return str(client.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])

    return KeySource(read, f"The SSM parameter {name}", rereads=True, clock=clock)
