"""Makes the rules for unknown things of an export's artifacts, and adds the output that they read to their files."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

from edge_runtime.common.arrays import IntArray
from edge_runtime.common.native_output import quiet
from edge_runtime.common.progress import Progress
from edge_runtime.engines.result import Float32Array
from exporter.convert.builder import Builder
from exporter.convert.image_sets import Tables
from exporter.formats.kinds import CASCADE, CASCADE_FIRST, Kind
from exporter.rules.known import FittedKnown, Unknown, fit_known, why_no_features
from exporter.source.candidate import Candidate
from exporter.source.images import PixelTable


class KnownRules:
    """The rules for unknown things of one export."""

    def __init__(self, unknown: Unknown, judging: PixelTable, tables: Tables, progress: Progress) -> None:
        """Prepares; nothing is made yet.

        Args:
            unknown: What the rules read.
            judging: The images that give the thresholds.
            tables: Has the images of the calibration side, from which the score's parameters come.
            progress: Progress callback.
        """
        self._unknown, self._judging, self._tables, self._progress = unknown, judging, tables, progress
        self._candidates: Mapping[str, Candidate] = {}
        self._refused: Mapping[str, str] = {}
        self._made: dict[str, FittedKnown] = {}

    def add_features(self, builder: Builder, kinds: tuple[Kind, ...]) -> None:
        """Gives finished files the features output, if a rule can be made from it.

        Args:
            builder: Has the files, after repair.
            kinds: Their kinds.
        """
        if self._unknown != "scores" and not why_no_features(
            len(self._judging.truth), self._calibration_truth()
        ):
            self._refused = builder.add_features(kinds)

    def judges(self, candidates: list[Candidate]) -> None:
        """Tells it the files as they ship, cascade included.

        Args:
            candidates: What the gate judges.
        """
        self._candidates = {one.name: one for one in candidates}

    def make(self, kind: str, scores: Float32Array) -> FittedKnown:
        """Makes the rule of one artifact; if it reads features, a cascade has that of its first file.

        Args:
            kind: The artifact's kind; a cascade comes after its files.
            scores: Its scores of the judging images, float32 ``[n, classes]``.
        """
        first = self._made.get(CASCADE_FIRST)
        if kind == CASCADE and first is not None and first.rule is not None and first.rule.output:
            return first
        pixels, truth = self._judging.pixels[:0], None
        if self._unknown != "scores":
            truth = self._calibration_truth()
            pixels = pixels if truth is None else self._tables.calibration_side().pixels
        with quiet():
            engine = self._candidates[kind].open(1)
        with closing(engine):
            self._made[kind] = fit_known(
                engine, scores, self._judging.pixels, pixels, truth, self._unknown,
                kind=kind, refused=self._refused.get(kind, ""), progress=self._progress,
            )  # fmt: skip
        return self._made[kind]

    def _calibration_truth(self) -> IntArray | None:
        """True classes of the calibration side; None if there is none, or it shows other things."""
        if not self._tables.has_calibration_side:
            return None
        side = self._tables.calibration_side()
        return side.truth if self._tables.labelled else None
