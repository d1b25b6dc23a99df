"""Runs ``score`` as a program, with photos that do harm: ``python driver.py JSON``.

The JSON: fields of ``ScoreConfig``, and

* ``log``: a file that gets the name of each photo when it is scored,
* ``harm``: by name of a photo, ``end`` or ``raise``,
* ``pause_s``: seconds before each photo,
* ``otherwise``: a file to be made; the worker that makes it has an engine that answers otherwise,
* ``meet``: a folder to be made, where two workers wait for each other before they score: the work is little,
  and a slow second one would come too late for any,
* ``ray``: the address of a cluster; without it, processes of this machine.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from edge_runtime.engines.litert import TfliteEngine
from edge_runtime.score.job import Job
from edge_runtime.score.parts import Rows
from edge_runtime.score.photos import Photo
from edge_runtime.score.scorer import Scorer
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
    if "otherwise" in settings:
        with suppress(FileExistsError):
            os.close(os.open(settings["otherwise"], os.O_CREAT | os.O_EXCL))
            run = TfliteEngine.run
            TfliteEngine.run = lambda engine, pixels: run(engine, pixels)[::-1].copy()
    scorer = Harmed.open(job, bundle)
    scorer.settings = settings
    if "meet" in settings:
        met(Path(settings["meet"]))
    return scorer


def met(folder: Path) -> None:
    """Waits until two processes have been here."""
    folder.mkdir(exist_ok=True)
    (folder / str(os.getpid())).touch()
    while len(list(folder.iterdir())) < 2:
        time.sleep(0.02)


def main(given: dict[str, Any]) -> None:
    names = ("log", "harm", "pause_s", "otherwise", "meet")
    settings = {name: given.pop(name) for name in names if name in given}
    address = given.pop("ray", None)
    config = ScoreConfig(**{**given, "bundle": Path(given["bundle"])})
    opening = partial(opened, settings)
    if address is None:
        report = score(config, open_scorer=opening)
    else:
        from cluster.connection import joined
        from cluster.ray_crew import RayCrew

        with joined(address) as ray:
            report = score(config, start=partial(RayCrew, ray), available=2, open_scorer=opening)
    print(json.dumps(report.to_dict()))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
