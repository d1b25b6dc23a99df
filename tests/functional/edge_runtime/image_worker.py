"""Decodes images apart from the test that started it; a line of JSON for each.

With the argument ``fork`` each gets a process of its own, so that none counts what another left.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path

import numpy as np

from edge_runtime.errors import ImageError
from edge_runtime.preprocess import pixels
from edge_runtime.spec import InputSpec

SPEC = InputSpec(height=224, width=224)


def peak_kilobytes() -> int:
    """This process's own peak; getrusage's includes that of the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def decode(path: str) -> None:
    """Decodes one image and prints what it took."""
    before, start = peak_kilobytes(), time.process_time()
    try:
        pixels(path, SPEC)
        answer = "pixels"
    except ImageError as error:
        answer = f"ImageError: {error}"
    except BaseException:
        answer = traceback.format_exc()
    seconds, megabytes = time.process_time() - start, (peak_kilobytes() - before) / 1024
    print(json.dumps({"answer": answer, "seconds": seconds, "megabytes": megabytes}), flush=True)


def main() -> None:
    """Reads one path a line."""
    pixels(np.zeros((9, 9, 3), np.uint8), SPEC)
    for line in sys.stdin:
        if "fork" not in sys.argv:
            decode(line.rstrip("\n"))
            continue
        child = os.fork()
        if child == 0:
            decode(line.rstrip("\n"))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status != 0:
            print(json.dumps({"answer": f"crash: {status}", "seconds": 0, "megabytes": 0}), flush=True)


if __name__ == "__main__":
    main()
