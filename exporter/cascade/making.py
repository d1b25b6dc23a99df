"""Makes the cascade of an export from two of its artifacts; nothing is written but its line in the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle.manifest import Cascade
from edge_runtime.common.errors import ModelFileError
from edge_runtime.common.progress import Progress
from edge_runtime.engines import open_engine
from edge_runtime.engines.cascade import CascadeEngine
from exporter.cascade.threshold import threshold
from exporter.formats.kinds import CASCADE, CASCADE_FIRST, CASCADE_SECOND, KINDS, Kind
from exporter.judge.verdict import CheckReport
from exporter.repair.artifact_repair import ArtifactRepair
from exporter.source.candidate import Candidate, cascade_candidate
from exporter.source.scoring import file_scores


@dataclass(frozen=True)
class MadeCascade:
    """A cascade of two files.

    Attributes:
        first: The file that sees every image.
        second: The file that sees what the first passes on.
        margin: The threshold.
    """

    first: Path
    second: Path
    margin: float

    def open(self, threads: int = 1) -> CascadeEngine:
        """Loads both files.

        Args:
            threads: Threads of one inference.
        """
        first, second = (
            open_engine(file, KINDS[kind].format, file.name, threads=threads)
            for kind, file in ((CASCADE_FIRST, self.first), (CASCADE_SECOND, self.second))
        )
        return CascadeEngine(first, second, self.margin)

    @property
    def candidate(self) -> Candidate:
        """What the gate judges."""
        size = self.first.stat().st_size + self.second.stat().st_size
        return cascade_candidate(CASCADE, self.first, KINDS[CASCADE_FIRST].format, size, self.open)

    def described(self, report: CheckReport) -> Cascade:
        """Its line in the manifest.

        Args:
            report: What was found of it.
        """
        found = report.artifacts[CASCADE]
        return Cascade(CASCADE, CASCADE_FIRST, CASCADE_SECOND, self.margin, found.passed_on or 0.0)


def make_cascade(files: Mapping[Kind, Path], repair: ArtifactRepair, progress: Progress) -> MadeCascade:
    """Makes the cascade of an export's artifacts, once they are repaired.

    Args:
        files: The artifacts by kind.
        repair: Has close-ups of calibration-side images, and the full model's scores of them.
        progress: Progress callback.

    Raises:
        ModelFileError: One of its artifacts could not be made.
    """
    by_name = {kind.name: file for kind, file in files.items()}
    missing = [kind for kind in (CASCADE_FIRST, CASCADE_SECOND) if kind not in by_name]
    if missing:
        raise ModelFileError(
            f"A cascade needs {CASCADE_FIRST} and {CASCADE_SECOND}. Received: no {missing[0]}, which could not be "
            "made. Leave --cascade out."
        )
    pixels, full = repair.close_ups
    first = file_scores(
        by_name[CASCADE_FIRST].read_bytes(),
        KINDS[CASCADE_FIRST].format,
        pixels,
        full.shape[1],
        progress=progress,
        step="finding the cascade's threshold",
    )
    return MadeCascade(by_name[CASCADE_FIRST], by_name[CASCADE_SECOND], threshold(first, full))
