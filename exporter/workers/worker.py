"""What a worker process of a check does: opens all models, compares itself with the driver, and scores batches."""

from __future__ import annotations

import os
import platform
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from edge_runtime.common.native_output import quiet
from edge_runtime.common.temporary import temporary_folder
from edge_runtime.engines import Engine
from edge_runtime.engines.cascade import CascadeEngine
from edge_runtime.engines.cpu import cpu
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from edge_runtime.workers.crew import Machine, Piece
from exporter.source.scoring import Scorer, engine_scorer, output_scorer
from exporter.workers.sent_models import OpenedModels, SentModels


@dataclass(frozen=True)
class Step:
    """One way to run one of the models.

    Attributes:
        way: The full model, an artifact, an artifact with exact kernels, or a further output of an artifact.
        name: The artifact; empty for the full model.
        output: The further output.
    """

    way: Literal["full", "artifact", "exact", "output"]
    name: str = ""
    output: str = ""

    def __str__(self) -> str:
        """For messages."""
        return {"full": "the full model", "exact": f"{self.name} with exact kernels"}.get(self.way, self.name)


@dataclass(frozen=True)
class Batch:
    """Images to score.

    Attributes:
        step: With what.
        first: Row of the first one.
        pixels: uint8 ``[n, height, width, channels]``.
    """

    step: Step
    first: int
    pixels: UInt8Array


@dataclass(frozen=True)
class Scored:
    """The scores of a batch.

    Attributes:
        first: Row of its first image.
        scores: float32 ``[n, classes]``, or ``[n, size]`` of a further output.
        seen: Images that a cascade saw; 0 for one file.
        passed_on: Of these, images that it passed on.
    """

    first: int
    scores: Float32Array
    seen: int = 0
    passed_on: int = 0


@dataclass(frozen=True)
class Job:
    """What a worker gets beside the models; can be pickled.

    Attributes:
        models: How they are opened.
        threads: Threads of one inference.
        probes: Images, uint8 ``[n, height, width, channels]``.
        expected: The driver's scores of these, by step; a worker whose scores differ in a bit takes no part.
    """

    models: SentModels
    threads: int
    probes: UInt8Array
    expected: Mapping[Step, Float32Array]


class CheckWorker:
    """Scores batches in one process, each image as the check itself would.

    Attributes:
        machine: What it says of itself.
    """

    def __init__(
        self, machine: Machine, scorers: Mapping[Step, Scorer], engines: Mapping[Step, Engine]
    ) -> None:
        """See :meth:`open`."""
        self.machine, self._scorers, self._engines = machine, scorers, engines

    @classmethod
    def open(cls, job: Job, sent: Path) -> CheckWorker:
        """Opens every model of the job, and scores the probes.

        Args:
            job: The work.
            sent: The zip with the models.

        Returns:
            A worker; its :attr:`machine` says why if it must take no part.

        Raises:
            SnapshipError: A model does not open here.
        """
        machine = Machine(platform.node(), os.getpid(), cpu=cpu().name, flags=cpu().flags)
        # All is opened and has run once before the files are removed: nobody removes them when a worker is killed.
        with temporary_folder() as folder:
            with zipfile.ZipFile(sent) as archive:
                archive.extractall(folder)
            engines, scorers = _opened(job, job.models.opened(folder))
            for step, expected in job.expected.items():
                found = scorers[step](job.probes)
                if not np.array_equal(found, expected, equal_nan=True):
                    change = float(np.nanmax(np.abs(found - expected)))
                    reason = f"{platform.node()}: scores of {step} differ by up to {change:.2g}"
                    return cls(replace(machine, refused=reason), {}, {})
        return cls(machine, scorers, engines)

    def work(self, piece: Piece[Batch]) -> Scored:
        """Scores the one batch of a shard.

        Args:
            piece: A shard.

        Raises:
            ModelFileError: An engine refuses an image.
        """
        (batch,) = piece.items
        engine = self._engines.get(replace(batch.step, way="artifact", output=""))
        before = _passed_on(engine)
        if batch.step.way == "output":
            assert engine is not None
            return Scored(batch.first, output_scorer(engine, batch.step.output)(batch.pixels))
        scores = self._scorers[batch.step](batch.pixels)
        seen, passed_on = (now - then for now, then in zip(_passed_on(engine), before, strict=True))
        return Scored(batch.first, scores, seen, passed_on)


def _opened(job: Job, models: OpenedModels) -> tuple[dict[Step, Engine], dict[Step, Scorer]]:
    """The engine and the scorer of each step."""
    engines: dict[Step, Engine] = {}
    scorers: dict[Step, Scorer] = {Step("full"): models.full}
    candidates = {one.name: one for one in models.candidates}
    for step, expected in job.expected.items():
        if step.way != "full":
            with quiet():
                engines[step] = candidates[step.name].open(job.threads, exact=step.way == "exact")
            scorers[step] = engine_scorer(engines[step], expected.shape[1])
    return engines, scorers


def _passed_on(engine: Engine | None) -> tuple[int, int]:
    return (engine.seen, engine.passed_on) if isinstance(engine, CascadeEngine) else (0, 0)
