"""One deployment of a name at a time: an object in the code bucket says who is deploying.

It is written on condition that there is none yet (``If-None-Match: *``), so S3 picks one of several
simultaneous writers. A thread renews it every minute; a lock that was not renewed for five minutes
was left by a killed process, and is taken over on condition that it has not changed (``If-Match``).

If the holder was a process of this machine, its end is noticed at once, provided the system can tell
machines and processes apart. Host name and process id are not enough for that: containers of one
image share them, and ids are reused. Linux also reports the boot id, the namespace of the process
ids, and when a process started.

The lock is always in the bucket of the account and region, even if ``--bucket`` names another one
for the packages: everybody who changes a name must look in the same place.
"""

from __future__ import annotations

import getpass
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from edge_runtime.common.errors import SnapshipError
from serverless.aws import Ignoring, answered
from serverless.deploy.config.errors import LockedError
from serverless.deploy.stack.bucket import CodeBucket

EXPIRES_S = 300
RENEW_S = 60

_CHANGED = ("PreconditionFailed", "412", "NoSuchKey", "404")
"""Codes of a conditional request whose object has changed or is gone."""

_PROC = Path("/proc")

_START = 19
"""Index of the start time among the fields of ``/proc/PID/stat`` after the name (proc_pid_stat(5): 22)."""


class Holder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is deploying.

    Attributes:
        id: Random, different for every command.
        user: The user who started it.
        host: The machine's host name.
        pid: The process id there.
        doing: The command, e.g. ``snapship deploy``.
        since: Start, in seconds of Unix time.
        until: When the lock expires if it is not renewed, in seconds of Unix time.
        place: The machine, see :func:`machine`.
        started: The process, see :func:`process_started`.
    """

    id: str
    user: str
    host: str
    pid: int
    doing: str
    since: float
    until: float
    place: str = ""
    started: str = ""


class Lock:
    """A lock that is held."""

    def __init__(self, bucket: CodeBucket, key: str, holder: Holder, etag: str) -> None:
        """Starts renewing it.

        Args:
            bucket: The bucket with the lock.
            key: The lock's key.
            holder: This process.
            etag: ETag of the object as written.
        """
        self._bucket, self._key, self._holder, self._etag = bucket, key, holder, etag
        self._lost: str | None = None
        self._ended = threading.Event()
        # Written only by the renewing thread and, after its end, by release().
        self._thread = threading.Thread(target=self._renew, name="snapship-lock", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Checks before every change that the lock is still ours.

        Raises:
            LockedError: Somebody else has taken over the lock.
        """
        if self._lost is not None:
            raise LockedError(
                f"A deployment must keep its lock. Received: {self._lost}. Wait for the other one, then repeat."
            )

    def release(self) -> None:
        """Releases the lock; one that is no longer ours is left alone."""
        self._ended.set()
        self._thread.join()
        if self._lost is None:
            s3 = self._bucket.aws.client("s3")
            with answered("Releasing the lock"), Ignoring(*_CHANGED):
                s3.delete_object(**self._bucket.owner, Key=self._key, IfMatch=self._etag)

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_S):
            renewed = msgspec.structs.replace(self._holder, until=time.time() + EXPIRES_S)
            try:
                etag = _put(self._bucket, self._key, renewed, IfMatch=self._etag)
            except SnapshipError:
                # AWS does not answer; there is time to retry until the lock expires.
                if time.time() > self._holder.until:
                    self._lost = "it could not be renewed and has expired"
                    return
                continue
            if etag is None:
                self._lost = "another process has taken it over"
                return
            self._holder, self._etag = renewed, etag


def lock_key(name: str) -> str:
    """Key of a deployment's lock.

    Args:
        name: The deployment's name.
    """
    return f"locks/{name}.json"


@contextmanager
def held(bucket: CodeBucket, name: str, doing: str) -> Iterator[Lock]:
    """Holds the lock of a name.

    Args:
        bucket: The account's code bucket, which must exist.
        name: The deployment's name.
        doing: The command, which others see in their message.

    Raises:
        LockedError: Somebody else holds it; the message says who, and since when.
    """
    now, pid, key = time.time(), os.getpid(), lock_key(name)
    process = (machine(), process_started(pid))
    id, host = uuid.uuid4().hex, socket.gethostname()
    holder = Holder(id, _user(), host, pid, doing, now, now + EXPIRES_S, *process)
    lock = Lock(bucket, key, holder, _take(bucket, key, name, holder))
    try:
        yield lock
    finally:
        lock.release()


def holder_of(bucket: CodeBucket, name: str) -> Holder | None:
    """Who is deploying; None if nobody is, or the holder has ended.

    Args:
        bucket: The account's code bucket.
        name: The deployment's name.
    """
    found = _get(bucket, lock_key(name))
    return None if found is None or _dead(found[0]) else found[0]


def _take(bucket: CodeBucket, key: str, name: str, holder: Holder) -> str:
    etag = _put(bucket, key, holder, IfNoneMatch="*")
    if etag is None:
        found = _get(bucket, key)
        if found is None:
            # Released at this very moment.
            etag = _put(bucket, key, holder, IfNoneMatch="*")
        elif _dead(found[0]):
            etag = _put(bucket, key, holder, IfMatch=found[1])
        else:
            raise _busy(name, found[0])
    if etag is None:
        other = _get(bucket, key)
        raise (
            _busy(name, other[0])
            if other
            else LockedError(
                f"Only one process may deploy {name} at a time. Received: several at once. Repeat in a moment."
            )
        )
    return etag


def _dead(holder: Holder) -> bool:
    if time.time() > holder.until:
        return True
    if not holder.started or holder.place != machine():
        # Another machine, or one that cannot be told apart from others: wait until the lock expires.
        return False
    return process_started(holder.pid) != holder.started


def _busy(name: str, holder: Holder) -> LockedError:
    minutes = max(0.0, time.time() - holder.since) / 60
    left = max(0.0, holder.until - time.time())
    return LockedError(
        f"Only one process may change {name} at a time. Received: {holder.doing} by {holder.user} on {holder.host} "
        f"(process {holder.pid}) for {minutes:.0f} minutes. Wait for it; if it was killed, its lock expires in "
        f"{left:.0f} s."
    )


def _put(bucket: CodeBucket, key: str, holder: Holder, **condition: str) -> str | None:
    """The new object's ETag; None if the condition does not hold."""
    s3 = bucket.aws.client("s3")
    body = msgspec.json.encode(holder)
    # ConditionalRequestConflict: two conditional writes at the same moment.
    with answered("Taking the lock"), Ignoring(*_CHANGED, "ConditionalRequestConflict", "409"):
        etag: str = s3.put_object(
            **bucket.owner, Key=key, Body=body, ContentType="application/json", **condition
        )["ETag"]
        return etag
    return None


def _get(bucket: CodeBucket, key: str) -> tuple[Holder, str] | None:
    found = None
    with answered("Reading the lock"), Ignoring("NoSuchKey", "NoSuchBucket", "404"):
        found = bucket.aws.client("s3").get_object(**bucket.owner, Key=key)
        body = found["Body"].read()
    if found is None:
        return None
    try:
        holder = msgspec.json.decode(body, type=Holder)
    except msgspec.DecodeError:
        # Written by another version of snapship, or damaged: it expires by its age.
        written = found["LastModified"].timestamp()
        holder = Holder("", "somebody", "another version", 0, "a change", written, written + EXPIRES_S)
    return holder, found["ETag"]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "somebody"


def machine() -> str:
    """Boot id of this machine and namespace of its process ids; empty if the system reports neither."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink(_PROC / 'self/ns/pid')}"
    except (OSError, ValueError):
        return ""


def process_started(pid: int) -> str:
    """When a process of this machine started, in ticks; empty if there is none or it cannot be found out.

    Args:
        pid: The process id.
    """
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        # The name is in parentheses and may contain any character.
        return text.rpartition(")")[2].split()[_START]
    except (OSError, IndexError):
        return ""
