"""API keys: a random secret for the client, a salted hash of it for the server.

An entry is one line, ``NAME:scrypt:N:R:P:SALT:HASH`` with salt and hash in hex; several
are separated by commas or line breaks. The entries alone do not allow anyone to call. They come
from the environment, a file, or an SSM parameter; the last two are reread regularly.

To rotate: add the new entry (to a file or parameter without a deployment; then wait
:data:`REREAD_SECONDS`), hand out the new secret, then remove the old entry.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from edge_runtime.common.errors import UsageError
from edge_runtime.common.text import quoted, shortened

N, R, P = 1 << 12, 8, 1
"""scrypt's cost, RFC 7914: 4 MiB. A secret has 256 random bits, so guessing is hopeless at any
cost; a low one keeps a flood of wrong keys cheap."""

SALT_BYTES = 16
HASH_BYTES = 32
SECRET_BYTES = 32

PREFIX = "snap_"
"""Prefix of secrets, so that secret scanners find leaked ones."""

MAX_KEYS = 32
"""Each wrong key costs this many hashes."""

MAX_SECRET = 256
"""Maximum length in characters; a longer secret is rejected without hashing."""

MAX_MEMORY = 64 * 1024 * 1024
"""Memory of one hash in bytes; an entry that needs more is a mistake."""

REMEMBERED = 1024
"""Number of wrong secrets remembered, so that they are not hashed again."""

REREAD_SECONDS = 300.0
"""Maximum age of the keys before the source is reread."""

_log = logging.getLogger("snapship.serverless")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_ENTRY = re.compile(
    rf"(?P<name>{_NAME.pattern}):scrypt:(?P<n>[0-9]{{1,8}}):(?P<r>[0-9]{{1,3}}):(?P<p>[0-9]{{1,3}})"
    r":(?P<salt>(?:[0-9a-f]{2}){8,64}):(?P<hash>(?:[0-9a-f]{2}){16,64})"
)


@dataclass(frozen=True)
class Key:
    """One entry.

    Attributes:
        name: The key's owner.
        n: scrypt's cost, a power of 2.
        r: scrypt's block size.
        p: scrypt's parallelization.
        salt: Random bytes.
        hash: The secret's scrypt hash.
    """

    name: str
    n: int
    r: int
    p: int
    salt: bytes
    hash: bytes

    def matches(self, secret: bytes) -> bool:
        """Whether this is its secret, compared in constant time."""
        # OpenSSL counts a little more than RFC 7914's 128 * N * r.
        found = hashlib.scrypt(
            secret, salt=self.salt, n=self.n, r=self.r, p=self.p, maxmem=2 * MAX_MEMORY, dklen=len(self.hash)
        )
        return hmac.compare_digest(found, self.hash)

    def __str__(self) -> str:
        return f"{self.name}:scrypt:{self.n}:{self.r}:{self.p}:{self.salt.hex()}:{self.hash.hex()}"


class Keys:
    """Several keys, any of which is accepted. Safe to use from several threads."""

    def __init__(self, keys: tuple[Key, ...]) -> None:
        """Checks the list of keys.

        Args:
            keys: At least one.

        Raises:
            UsageError: There are none or too many, or a name occurs twice.
        """
        names = [key.name for key in keys]
        if not 1 <= len(keys) <= MAX_KEYS or len(set(names)) != len(names):
            raise UsageError(
                f"API keys must be 1 to {MAX_KEYS} entries with distinct names. Received: {len(keys)} "
                f"({shortened(', '.join(names))}). Make one with: snapship keys new NAME"
            )
        self._keys = keys
        # Separate, so that a flood of wrong secrets does not evict a right one.
        self._right: dict[bytes, str] = {}
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        # Secrets are remembered as digests keyed per process, useless outside it.
        self._pepper = secrets.token_bytes(32)
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the keys, in order."""
        return tuple(key.name for key in self._keys)

    def known(self, secret: str) -> tuple[bool, str | None]:
        """Looks a secret up without hashing.

        Returns:
            Whether it has been checked before, and the key's name if it was right.
        """
        if len(secret) > MAX_SECRET:
            return True, None
        digest = self._digest(secret)
        with self._lock:
            if digest in self._right:
                return True, self._right[digest]
            if digest not in self._wrong:
                return False, None
            self._wrong.move_to_end(digest)
            return True, None

    def check(self, secret: str) -> str | None:
        """Finds the key of a secret. The first check costs one hash per key, later ones none.

        Args:
            secret: As the client sent it.

        Returns:
            The key's name; None if it matches no key.
        """
        checked, name = self.known(secret)
        if checked:
            return name
        encoded = secret.encode("utf-8", "surrogatepass")
        # Always hash with all keys: the time must not reveal which one matched.
        fitting = [key.name for key in self._keys if key.matches(encoded)]
        name = fitting[0] if fitting else None
        with self._lock:
            if name is not None:
                self._right[self._digest(secret)] = name
            else:
                self._wrong[self._digest(secret)] = None
                while len(self._wrong) > REMEMBERED:
                    self._wrong.popitem(last=False)
        return name

    def _digest(self, secret: str) -> bytes:
        encoded = secret.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(encoded, key=self._pepper, digest_size=32).digest()


def new_key(name: str) -> tuple[str, str]:
    """Makes a key.

    Args:
        name: Its owner: letters, digits, dot, dash, underscore.

    Returns:
        The secret, which is stored nowhere, and its entry for the server.

    Raises:
        UsageError: The name has other characters.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            "A key's name must be 1 to 64 letters, digits, dots, dashes or underscores. "
            f"Received: {quoted(name)}. Pass for example phone-app."
        )
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    salt = secrets.token_bytes(SALT_BYTES)
    hash = hashlib.scrypt(secret.encode(), salt=salt, n=N, r=R, p=P, maxmem=2 * MAX_MEMORY, dklen=HASH_BYTES)
    return secret, str(Key(name, N, R, P, salt, hash))


def parse(text: str, source: str = "The API keys") -> Keys:
    """Reads entries.

    Args:
        text: Entries, separated by commas or line breaks.
        source: Where the text comes from, for messages.

    Raises:
        UsageError: There are none, or one is invalid; the message shows at most its name.
    """
    entries = [part.strip() for part in re.split(r"[,\n]", text) if part.strip()]
    if not entries:
        raise UsageError(
            f"{source} must contain at least one key. Received: none. Make one with: snapship keys new NAME"
        )
    return Keys(tuple(_parse_entry(entry, place, source) for place, entry in enumerate(entries, 1)))


def _parse_entry(entry: str, place: int, source: str) -> Key:
    found = _ENTRY.fullmatch(entry)
    if found is not None:
        n, r, p = (int(found[name]) for name in ("n", "r", "p"))
        if n >= 2 and n & (n - 1) == 0 and r >= 1 and 1 <= p <= 16 and 128 * n * r <= MAX_MEMORY:
            return Key(found["name"], n, r, p, bytes.fromhex(found["salt"]), bytes.fromhex(found["hash"]))
        reason = f"{found['name']} with N={n}, r={r}, p={p}"
    else:
        # Not the text: it may be a secret pasted here by mistake.
        reason = f"entry {place} of {len(entry)} characters"
    raise UsageError(
        f"{source} must be entries NAME:scrypt:N:R:P:SALT:HASH, with N a power of 2 and at most "
        f"{MAX_MEMORY:,} bytes of work. Received: {reason}. Make one with: snapship keys new NAME"
    )


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
