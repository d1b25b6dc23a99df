"""Decodes images apart from the test that started it; a line of JSON for each.

With the argument ``fork REFERENCE`` each gets a process of its own, so that none counts what another
left. That process then decodes the good image REFERENCE too: what decoding costs on this machine now.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path

import numpy as np

from edge_runtime.common.errors import ImageError
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import pixels

SPEC = InputSpec(height=224, width=224)


def peak_kilobytes() -> int:
    """This process's own peak; getrusage's includes that of the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def decode(path: str, reference: str | None) -> None:
    """Decodes one image and prints what it took, in processor seconds and megabytes."""
    before, start = peak_kilobytes(), time.process_time()
    try:
        pixels(path, SPEC)
        answer = "pixels"
    except ImageError as error:
        answer = f"ImageError: {error}"
    except BaseException:
        answer = traceback.format_exc()
    seconds, megabytes = time.process_time() - start, (peak_kilobytes() - before) / 1024
    found = {"answer": answer, "seconds": seconds, "megabytes": megabytes}
    if reference is not None:
        start = time.process_time()
        pixels(reference, SPEC)
        found["reference_seconds"] = time.process_time() - start
    print(json.dumps(found), flush=True)


def main() -> None:
    """Reads one path a line."""
    pixels(np.zeros((9, 9, 3), np.uint8), SPEC)
    reference = sys.argv[2] if sys.argv[1:2] == ["fork"] else None
    for line in sys.stdin:
        if reference is None:
            decode(line.rstrip("\n"), None)
            continue
        child = os.fork()
        if child == 0:
            decode(line.rstrip("\n"), reference)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status != 0:
            crash = {"answer": f"crash: {status}", "seconds": 0, "megabytes": 0, "reference_seconds": 1}
            print(json.dumps(crash), flush=True)


if __name__ == "__main__":
    main()
