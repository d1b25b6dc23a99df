"""Runs ``score`` as a program, with photos that do harm: ``python driver.py JSON``.

The JSON: fields of ``ScoreConfig``, ``log`` (a file that gets the name of each photo when it is scored), ``harm``
(by name: ``end``, ``raise``) and ``pause_s`` (before each photo).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from edge_runtime.score.job import Job
from edge_runtime.score.photos import Photo
from edge_runtime.score.processes import Processes
from edge_runtime.score.scorer import Rows, Scorer
from edge_runtime.score.scoring import ScoreConfig, score


class Harmed(Scorer):
    """A scorer for which some photos are fatal."""

    settings: dict[str, Any]

    def rows(self, photos: Sequence[Photo]) -> Rows:
        found: Rows = []
        for photo in photos:
            with open(self.settings["log"], "a") as log:
                log.write(f"{photo.name}\n")
            time.sleep(self.settings.get("pause_s", 0.0))
            harm = self.settings.get("harm", {}).get(Path(photo.name).name)
            if harm == "end":
                os.kill(os.getpid(), signal.SIGKILL)
            if harm == "raise":
                raise ValueError("no such luck")
            found += super().rows([photo])
        return found


def opened(settings: dict[str, Any], job: Job, bundle: Path) -> Scorer:
    scorer = Harmed.open(job, bundle)
    scorer.settings = settings
    return scorer


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    settings = {name: given.pop(name) for name in ("log", "harm", "pause_s") if name in given}
    config = ScoreConfig(**{**given, "bundle": Path(given["bundle"])})
    report = score(config, start=partial(Processes, opened=partial(opened, settings)))
    print(json.dumps(report.to_dict()))
