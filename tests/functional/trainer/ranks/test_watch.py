"""A rank that loses another one ends with one line, whatever else its process writes at that moment."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from edge_runtime.common.errors import EnvironmentMissingError

# Rank 1, whose native threads never stop writing, as JAX's do when it misses rank 0.
RANK = """
import os, sys, threading, time
from trainer.ranks.group import Alone
from trainer.ranks.watch import watched

class Second(Alone):
    rank, size = 1, 2
    def gather(self, data):
        return [sys.argv[1].encode(), data]

def write():
    while True:
        os.write(2, b"a line of native code\\n")

with watched(Second(), "127.0.0.1"):
    threading.Thread(target=write, daemon=True).start()
    print("watched", flush=True)
    if sys.argv[2] == "raises":
        raise RuntimeError("rank 0 does not answer")
    time.sleep(60)
"""


@pytest.mark.parametrize("meanwhile", ["trains", "raises"])
def test_rank_that_loses_rank_0_ends_with_one_line(meanwhile: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        words = [sys.executable, "-c", RANK, f"{server.getsockname()[1]} token", meanwhile]
        rank = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        server.settimeout(60)
        peer, _ = server.accept()
        assert rank.stdout is not None
        assert rank.stdout.readline() == "watched\n"
        # As the system does when the process of rank 0 is killed.
        peer.close()
    _, said = rank.communicate(timeout=60)
    assert rank.returncode == EnvironmentMissingError.exit_code
    assert said.startswith("Error: All ranks must run to the end. Received: rank 0 ended.")
    assert said.count("\n") == 1
