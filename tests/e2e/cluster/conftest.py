"""A Ray cluster on loopback, in the environment that ``make acceptance`` makes, with a token of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ACTOR = "ray::WorkerActor"
"""What Ray calls the processes of workers."""


@dataclass
class RayCluster:
    """A running cluster of two nodes with a core each.

    Attributes:
        address: Its head.
        client: The same for Ray Client.
        python: The interpreter of Ray's environment.
        process: Runs it.
        environment: Variables with its token.
    """

    address: str
    client: str
    python: str
    process: subprocess.Popen[str]
    environment: dict[str, str]

    def run(self, *words: str, **more: str) -> subprocess.Popen[str]:
        """Starts a program of this checkout in Ray's environment."""
        return subprocess.Popen(
            [self.python, *words], env={**self.environment, "PYTHONPATH": self._path(), **more},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ended(self, *words: str, seconds: float = 180.0) -> subprocess.CompletedProcess[str]:
        """Runs a program to its end.

        Ray gives its server for a client half a minute to start, and busy machines take longer: then it runs again.
        """
        for _ in range(3):
            done = result_of(self.run(*words), seconds)
            if "Initialization failure" not in done.stderr:
                break
        return done

    def _path(self) -> str:
        return os.pathsep.join(filter(None, [str(ROOT), self.environment.get("PYTHONPATH")]))

    def remove_node(self) -> None:
        """Kills the second node."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("remove\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "removed\n"


def result_of(process: subprocess.Popen[str], seconds: float = 180.0) -> subprocess.CompletedProcess[str]:
    """Waits for the end of a program."""
    out, err = process.communicate(timeout=seconds)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.fixture(scope="session")
def ray_python() -> str:
    folder = Path(sys.prefix) / "acceptance" / "ray"
    if not (folder / ".ready").is_file():
        log = folder / "log.txt"
        lines = log.read_text(encoding="utf-8").strip().splitlines() if log.is_file() else []
        pytest.skip(f"needs ray of make acceptance: {(lines or ['not installed'])[-1]}")
    return str(folder / "bin" / "python")


@pytest.fixture(scope="session")
def ray_cluster(ray_python: str) -> Iterator[RayCluster]:
    with started_cluster(ray_python) as cluster:
        yield cluster


@contextmanager
def started_cluster(ray_python: str, **more: str) -> Iterator[RayCluster]:
    """Starts a cluster, and ends it.

    Args:
        ray_python: The interpreter of Ray's environment.
        more: Variables of its machines, and of the drivers.
    """
    # Sockets deep below it have a name of at most 107 bytes, so it is not where other tests write.
    place = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "PYTHONPATH"))}
    environment = {
        **kept, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_TMPDIR": str(place),
        "RAY_USAGE_STATS_ENABLED": "0", "HOME": str(place), **more,
    }  # fmt: skip
    log = (place / "log.txt").open("w")
    process = subprocess.Popen(
        [ray_python, str(Path(__file__).parent / "two_nodes.py")],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    address, _, client = process.stdout.readline().strip().partition(" ")
    assert client, (place / "log.txt").read_text()
    yield RayCluster(address, client, ray_python, process, environment)
    process.stdin.close()
    process.wait(60)
    shutil.rmtree(place, ignore_errors=True)
