"""One deployment of a name at a time: an object in the code bucket says who is at it.

It is written on the condition that there is none (``If-None-Match: *``), which S3 decides
for all who ask at once. A thread renews it every minute; one that was not renewed for
five is the rest of a process that was killed, and is taken over on the condition that it
is still the same (``If-Match``). A process of this machine that has ended is noticed at
once, where the system tells machines and processes apart (process.py).

It lies in the bucket of the account and region, also where ``--bucket`` names another for
the packages: all who change a name must look at the same place.
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
from typing import Any

import msgspec

from edge_runtime.errors import SnapshipError
from serverless.aws import Connection, answered, code_of
from serverless.deploy import process
from serverless.deploy.bucket import CodeBucket, code_bucket
from serverless.deploy.errors import BusyError

EXPIRES_S = 300
RENEW_S = 60


class Holder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is deploying.

    Attributes:
        id: Random, another for every command.
        user: Who started it.
        host: On which machine.
        pid: Number of the process there.
        doing: Such as ``deploy``.
        since: When it began, in seconds of Unix time.
        until: When it counts as dead if it is not renewed.
        place: Of :func:`serverless.deploy.process.place`.
        started: Of :func:`serverless.deploy.process.started`.
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
            bucket: Where it lies.
            key: Its key.
            holder: This process.
            etag: Of the object as written.
        """
        self._bucket, self._key, self._holder, self._etag = bucket, key, holder, etag
        self._lost: str | None = None
        self._ended = threading.Event()
        # Only the renewing thread and, after its end, release() write.
        self._thread = threading.Thread(target=self._renew, name="snapship-lock", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Before every step that changes something.

        Raises:
            BusyError: Somebody else has taken the lock over.
        """
        if self._lost is not None:
            raise BusyError(
                f"A deployment must keep its lock. Received: {self._lost}. Wait for the other one, then repeat."
            )

    def release(self) -> None:
        """Gives it back; a lock that is no longer ours is left alone."""
        self._ended.set()
        self._thread.join()
        if self._lost is None:
            s3 = self._bucket.aws.client("s3")
            with answered("Giving the lock back"):
                try:
                    s3.delete_object(**self._bucket.owner, Key=self._key, IfMatch=self._etag)
                except s3.exceptions.ClientError as error:
                    if code_of(error) not in ("PreconditionFailed", "412", "NoSuchKey", "404"):
                        raise

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_S):
            renewed = msgspec.structs.replace(self._holder, until=time.time() + EXPIRES_S)
            try:
                etag = _put(self._bucket, self._key, renewed, IfMatch=self._etag)
            except SnapshipError:
                # AWS does not answer; until the lock expires there is time to try again.
                if time.time() > self._holder.until:
                    self._lost = "it could not be renewed and has expired"
                    return
                continue
            if etag is None:
                self._lost = "another process has taken it over"
                return
            self._holder, self._etag = renewed, etag


def bucket_of_locks(aws: Connection) -> CodeBucket:
    """Where the locks of an account and region lie; it may not be there.

    Args:
        aws: Where.
    """
    return code_bucket(aws)


@contextmanager
def held(bucket: CodeBucket, name: str, doing: str) -> Iterator[Lock]:
    """Holds the lock of a name meanwhile.

    Args:
        bucket: Of :func:`bucket_of_locks`, which must be there.
        name: The deployment's.
        doing: What the other one is told.

    Raises:
        BusyError: Somebody else holds it; the message says who and since when.
    """
    now = time.time()
    pid = os.getpid()
    holder = Holder(
        uuid.uuid4().hex,
        _user(),
        socket.gethostname(),
        pid,
        doing,
        now,
        now + EXPIRES_S,
        process.place(),
        process.started(pid),
    )
    key = f"locks/{name}.json"
    lock = Lock(bucket, key, holder, _take(bucket, key, name, holder))
    try:
        yield lock
    finally:
        lock.release()


def holder_of(bucket: CodeBucket, name: str) -> Holder | None:
    """Who is deploying; None when nobody is, or only the rest of a process that ended.

    Args:
        bucket: Of :func:`bucket_of_locks`.
        name: The deployment's.
    """
    found = _get(bucket, f"locks/{name}.json")
    return None if found is None or _dead(found[0]) else found[0]


def _take(bucket: CodeBucket, key: str, name: str, holder: Holder) -> str:
    etag = _put(bucket, key, holder, IfNoneMatch="*")
    if etag is None:
        found = _get(bucket, key)
        if found is None:
            # Given back in this very moment.
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
            else BusyError(
                f"Only one process may deploy {name} at a time. Received: others take turns. Repeat in a moment."
            )
        )
    return etag


def _dead(holder: Holder) -> bool:
    if time.time() > holder.until:
        return True
    if not holder.started or holder.place != process.place():
        # Another machine, or one that cannot be told from another: until the lock expires.
        return False
    return process.started(holder.pid) != holder.started


def _busy(name: str, holder: Holder) -> BusyError:
    minutes = max(0.0, time.time() - holder.since) / 60
    left = max(0.0, holder.until - time.time())
    return BusyError(
        f"Only one process may change {name} at a time. Received: {holder.doing} by {holder.user} on {holder.host} "
        f"(process {holder.pid}) for {minutes:.0f} minutes. Wait for it; if it was killed, its lock ends in "
        f"{left:.0f} s."
    )


def _put(bucket: CodeBucket, key: str, holder: Holder, **condition: str) -> str | None:
    """The new object's ETag; None when the condition does not hold."""
    s3: Any = bucket.aws.client("s3")
    with answered("Taking the lock"):
        try:
            body = msgspec.json.encode(holder)
            etag: str = s3.put_object(
                **bucket.owner, Key=key, Body=body, ContentType="application/json", **condition
            )["ETag"]
        except s3.exceptions.ClientError as error:
            # The second: two conditional writes at the same moment.
            if code_of(error) in (
                "PreconditionFailed",
                "412",
                "ConditionalRequestConflict",
                "409",
                "NoSuchKey",
            ):
                return None
            raise
    return etag


def _get(bucket: CodeBucket, key: str) -> tuple[Holder, str] | None:
    s3 = bucket.aws.client("s3")
    with answered("Reading the lock"):
        try:
            found = s3.get_object(**bucket.owner, Key=key)
        except s3.exceptions.ClientError as error:
            if code_of(error) in ("NoSuchKey", "NoSuchBucket", "404"):
                return None
            raise
        body = found["Body"].read()
    try:
        return msgspec.json.decode(body, type=Holder), found["ETag"]
    except msgspec.DecodeError:
        # Of another version of snapship, or broken: it counts as dead from its age on.
        written = found["LastModified"].timestamp()
        return Holder("", "somebody", "another version", 0, "a change", written, written + EXPIRES_S), found[
            "ETag"
        ]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "somebody"
