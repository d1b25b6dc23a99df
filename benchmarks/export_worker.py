"""One export in a process of its own; started by :mod:`benchmarks.export_speed`, on any commit's package.

    PYTHONPATH=CHECKOUT python -P export_worker.py '{"source": RUN, "out": BUNDLE, ...}'

The argument holds the fields of :class:`exporter.ExportConfig`. Printed is JSON: seconds by stage, seconds of
processor time, and what came out.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time

from exporter import ExportConfig, export
from exporter.common.backend import load_keras


class StageClock:
    """Adds up the seconds of each stage that an export reports."""

    def __init__(self) -> None:
        """Starts with the stage before the first report."""
        self.seconds: dict[str, float] = {}
        self._stage, self._since = "finding the source", time.perf_counter()

    def __call__(self, step: str, done: int, total: int) -> None:
        """Called by the export.

        Args:
            step: What it is doing.
            done: How much is done.
            total: How much there is.
        """
        if step != self._stage:
            self.stop()
            self._stage = step

    def stop(self) -> None:
        """Books the time since the stage began."""
        now = time.perf_counter()
        self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._since
        self._since = now


def main(words: str) -> None:
    """Exports once.

    Args:
        words: JSON, the fields of the export's configuration.
    """
    config = ExportConfig(**json.loads(words))
    load_keras()
    clock, processor = StageClock(), time.process_time()
    bundle = export(config, clock)
    clock.stop()
    entries = bundle.manifest.artifacts
    found = {
        "stages": clock.seconds,
        "processor": time.process_time() - processor,
        "verdicts": {entry.kind: entry.verdict for entry in entries},
        "sha256": {entry.kind: hashlib.sha256(bundle.read(entry.file)).hexdigest() for entry in entries},
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
