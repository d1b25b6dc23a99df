"""Notices that another rank has ended, where no launcher of ours does: the others would wait for it in vain.

JAX finds out after a minute, and then aborts with a dump of its stack. Here every rank keeps a connection to rank 0,
which the system closes when a process ends, however it ends.
"""

from __future__ import annotations

import os
import secrets
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress

from edge_runtime.common.errors import EnvironmentMissingError, SnapshipError
from edge_runtime.common.native_output import quiet, write_past
from trainer.ranks.group import Group

_GRACE_S = 5.0
"""Seconds that a rank has to end by its own error, which says more, when another has ended."""

_CONNECTING_S = 60.0

_FINISHED, _FAILED = b".", b"!"
"""What a rank sends when it leaves: it has finished, or it tells an error itself."""


def ended(rank: int, how: str = "") -> EnvironmentMissingError:
    """The error of a run that lost a rank.

    Args:
        rank: The rank.
        how: How it ended, if that is known: ``by SIGKILL``.
    """
    return EnvironmentMissingError(
        f"All ranks must run to the end. Received: rank {rank} ended{how and ' '}{how}. "
        "Run the same command to go on after the last epoch."
    )


@contextmanager
def watched(group: Group, host: str) -> Iterator[None]:
    """Ends this process, with one line on stderr and exit code 4, when another rank ends before it.

    Closes the group: rank 0, which the others depend on, last.

    Args:
        group: The ranks.
        host: Rank 0's machine.

    Raises:
        EnvironmentMissingError: Another rank ended, which this one met as an error, or cannot be reached.
    """
    try:
        peers = _connected(group, host)
    except OSError as error:
        raise EnvironmentMissingError(
            f"All ranks must reach rank 0. Received: {host}, {error.strerror or error}. "
            "Open the network between the machines."
        ) from error
    watch = _Watch(peers)
    # The other ranks say nothing but an error of ours; JAX would dump its stack when it misses rank 0.
    with quiet() if group.rank else nullcontext():
        try:
            yield
        except SnapshipError:
            watch.leave(group, _FAILED)
            raise
        except Exception as error:
            lost = watch.lost()
            if lost is not None and group.rank:
                watch.end(lost)
            watch.leave(group, _FAILED)
            if lost is not None:
                raise ended(lost) from error
            raise
        watch.leave(group, _FINISHED)


class _Watch:
    """A thread that reads from all connections, until the rank at the other end has left."""

    def __init__(self, peers: dict[socket.socket, int]) -> None:
        self._peers = peers
        # Whoever holds it tells what happened: this thread, or the one that trains.
        self._telling = threading.Lock()
        self._left = threading.Event()
        self._noticed = threading.Event()
        self._lost: int | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def leave(self, group: Group, word: bytes) -> None:
        """Leaves the group and tells the others; rank 0 tells them first, and leaves when they have."""
        with self._telling:
            self._left.set()
        if group.rank:
            group.close()
        for peer in self._peers:
            with suppress(OSError):
                peer.sendall(word)
                peer.shutdown(socket.SHUT_WR)
        if not group.rank:
            self._thread.join(_CONNECTING_S if word == _FINISHED else 2 * _GRACE_S)
            group.close()

    def lost(self) -> int | None:
        """The rank that has ended, waiting for a moment for the news."""
        self._noticed.wait(_GRACE_S)
        return self._lost

    def end(self, rank: int) -> None:
        """Ends this process with one line, and returns only where it has left.

        Args:
            rank: The rank that ended.
        """
        with self._telling:
            if self._left.is_set():
                return
            with suppress(OSError):
                write_past(f"Error: {ended(rank)}\n")
            os._exit(EnvironmentMissingError.exit_code)

    def _read(self) -> None:
        with selectors.DefaultSelector() as selector:
            for connected in self._peers:
                selector.register(connected, selectors.EVENT_READ, connected)
            while selector.get_map():
                for key, _ in selector.select():
                    peer: socket.socket = key.data
                    selector.unregister(peer)
                    word = b""
                    with suppress(OSError):
                        word = peer.recv(1)
                    if word != _FINISHED:
                        self._notice(self._peers[peer], word)

    def _notice(self, rank: int, word: bytes) -> None:
        if self._lost is None:
            self._lost = rank
        self._noticed.set()
        # JAX aborts at once where rank 0 is gone.
        if not self._left.wait(_GRACE_S if rank or word else 0.0):
            self.end(self._lost)


def _connected(group: Group, host: str) -> dict[socket.socket, int]:
    """Connections by the rank at their other end: rank 0 has one to each, the others one to rank 0."""
    if group.rank == 0:
        with socket.create_server((host if host.startswith("127.") else "", 0)) as server:
            server.settimeout(_CONNECTING_S)
            token = secrets.token_hex(16)
            group.gather(f"{server.getsockname()[1]} {token}".encode())
            return _accepted(server, token.encode(), group.size - 1)
    port, _, token = group.gather(b"")[0].decode().partition(" ")
    peer = socket.create_connection((host, int(port)), _CONNECTING_S)
    peer.settimeout(None)
    peer.sendall(token.encode() + group.rank.to_bytes(4, "big"))
    return {peer: 0}


def _accepted(server: socket.socket, token: bytes, count: int) -> dict[socket.socket, int]:
    peers: dict[socket.socket, int] = {}
    while len(peers) < count:
        peer, _ = server.accept()
        peer.settimeout(_CONNECTING_S)
        said = b""
        with suppress(OSError):
            said = peer.recv(len(token) + 4, socket.MSG_WAITALL)
        if not secrets.compare_digest(said[: len(token)], token):
            # A stranger.
            peer.close()
            continue
        peer.settimeout(None)
        peers[peer] = int.from_bytes(said[len(token) :], "big")
    return peers
