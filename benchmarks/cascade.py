"""What a cascade costs and keeps: agreement with the full model, images passed on, mean latency.

int8 and fp32 files of MobileNetV2 are made as `snapship export --cascade` makes them, once per fifth of the
ImageNet sample, which the other four fifths calibrate; every photo is judged by a cascade that has not seen
it. Without --scores, and with --quick, the random halves of stored scores are left out.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine
from benchmarks.options import parser
from benchmarks.quantization import FOLDS
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result
from benchmarks.tiny import TINY_WIDTH, tiny_photos
from benchmarks.views import AS_IS, in_views
from edge_runtime.common.progress import no_progress
from edge_runtime.engines import Engine, open_engine
from exporter.cascade.making import make_cascade
from exporter.cascade.threshold import threshold
from exporter.common.backend import load_keras
from exporter.config.export_config import ExportConfig
from exporter.convert.builder import Builder
from exporter.convert.image_sets import Tables, image_sets
from exporter.formats.kinds import CASCADE, CASCADE_FIRST, CASCADE_SECOND
from exporter.repair.artifact_repair import ArtifactRepair
from exporter.source.full_model import find_source, load_source
from exporter.source.scoring import full_scorer
from exporter.statistics.confidence import confidence_of
from trainer import models

MODULE = "benchmarks.cascade"

AGREEMENT, PASSED_ON, LATENCY = 0.995, 0.20, 0.75
"""Least agreement with the full model, most images passed on, most mean latency by fp32's."""

FAST_INT8 = 0.55
"""Where int8 takes more than this, by fp32's latency, nothing is promised of the cascade's."""

SPLITS = 500
WAYS = (CASCADE_SECOND, CASCADE_FIRST, CASCADE)

METHOD = """*Photos*: MobileNetV2 at 224; each fifth of {photos} ImageNet photos is judged by the files and the
threshold that the other fifths made. *Agreement* is with the full model in Keras. *Latency* is the mean over the
photos of the median of {rounds} rounds, by that of tflite-fp32; the ways alternate photo by photo on one thread.
*Views*: each photo also without its borders and mirrored, ten times as many images. *Stored scores*: 1,000 photos;
the threshold is made from one random half, and the other is judged, {splits} times; *worst* is the least agreement and
the largest share passed on of any split."""


@dataclass(frozen=True)
class Part:
    """One fifth, judged.

    Attributes:
        reference: The full model's answers ``[n]``.
        answers: Those of each way.
        alone: Which images are photos as they are, bool ``[n]``.
        passed_on: Which images the cascade passed on, bool ``[n]``.
        ms: Milliseconds per photo and way, medians of the rounds.
        margin: The threshold.
    """

    reference: np.ndarray
    answers: dict[str, np.ndarray]
    alone: np.ndarray
    passed_on: np.ndarray
    ms: dict[str, np.ndarray]
    margin: float


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = parser(MODULE, __doc__ or "")
    made.add_argument("--data", type=Path, help="folder that holds imagenet-sample/")
    made.add_argument("--weights", type=Path, help="MobileNetV2 weights file with its head")
    made.add_argument("--scores", type=Path, help="imagenet-scores.npz: truth, fp32, int8")
    made.add_argument("--folds", type=int, default=FOLDS, help="fifths to judge, at most 5 (default 5)")
    made.add_argument("--rounds", type=int, default=7, help="rounds over the photos (default 7)")
    options = made.parse_args(arguments)
    if not options.quick and (options.data is None or options.weights is None):
        made.error("--data and --weights are needed, but for --quick")
    if not 1 <= options.folds <= FOLDS:
        made.error(f"--folds must be 1 to {FOLDS}. Received: {options.folds}.")
    facts = machine(load_keras())
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        configs = _configs(options, place)
        parts = [_part(config, place / f"part-{index}", options) for index, config in enumerate(configs)]
    result = _result(options, facts, command_line(MODULE, arguments), parts)
    print(f"wrote {write_result(result, options.results)}: {result.rows}", file=sys.stderr)
    return result


def halves(first: np.ndarray, full: np.ndarray, seed: int, splits: int) -> tuple[np.ndarray, np.ndarray]:
    """Agreement and share passed on of the halves that did not make the threshold.

    Args:
        first: int8 scores, float32 ``[n, classes]``.
        full: The full model's.
        seed: Of the splits.
        splits: How many.

    Returns:
        Two float64 ``[splits]``.
    """
    differs, margin = first.argmax(axis=1) != full.argmax(axis=1), confidence_of(first)
    random = np.random.default_rng(seed)
    found = []
    for _ in range(splits):
        order = random.permutation(len(first))
        made, judged = order[: len(order) // 2], order[len(order) // 2 :]
        kept = margin[judged] >= threshold(first[made], full[made])
        found.append((1.0 - np.mean(differs[judged] & kept), np.mean(~kept)))
    agreement, passed_on = np.array(found).T
    return agreement, passed_on


def _configs(options: Any, place: Path) -> list[ExportConfig]:
    full = place / "imagenet.keras"
    build: dict[str, Any] = {"input_shape": (224, 224, 3), "classes": 1000, "weights": options.weights}
    common: dict[str, Any] = {"source": full, "out": "unused", "fit": "crop", "cascade": True}
    if options.quick:
        photos = tiny_photos(place / "photos")
        build = {"input_shape": (32, 32, 3), "classes": 3, "weights": None, "width": TINY_WIDTH}
    else:
        photos = options.data / "imagenet-sample"
        common["labels"] = photos / "labels.txt"
    models.build("mobilenet_v2", **build).save(full)
    made = []
    for fold in range(1 if options.quick else options.folds):
        views = in_views(
            photos, place / f"fold-{fold}", lambda index, split, fold=fold: index % FOLDS != fold
        )
        made.append(ExportConfig(data=views, **common))
    return made


def _part(config: ExportConfig, folder: Path, options: Any) -> Part:
    folder.mkdir()
    source = find_source(config.source, labels=config.labels, fit=config.fit)
    sets, model = image_sets(config, source), load_source(source)
    assert sets.judging is not None
    labels = source.labels or sets.judging.labels
    with ExitStack() as stack:
        tables = Tables(sets, labels, model, config.calibration, stack, no_progress)
        assert tables.judging is not None
        builder = Builder(model, "model", labels, tables.calibrating, folder, no_progress)
        builder.make(tuple(kind for kind in config.kinds if kind.name in WAYS))
        repair = ArtifactRepair(config, model, labels, builder, tables, no_progress)
        repair.run()
        cascade = make_cascade(builder.files, repair, no_progress)
        files = {kind.name: (path, kind.format) for kind, path in builder.files.items()}
        engines: dict[str, Engine] = {
            name: open_engine(*files[name], name) for name in (CASCADE_SECOND, CASCADE_FIRST)
        }
        both = engines[CASCADE] = cascade.open()
        for engine in engines.values():
            stack.callback(engine.close)
        pixels = tables.judging.pixels
        answers: dict[str, list[int]] = {name: [] for name in WAYS}
        passed_on = []
        for image in pixels:
            before = both.passed_on
            for name, engine in engines.items():
                answers[name].append(int(engine.run(np.asarray(image)).argmax()))
            passed_on.append(both.passed_on > before)
        alone = np.array([AS_IS in Path(item.ref).parts for item in tables.judging.images.items])
        return Part(
            reference=full_scorer(model)(pixels).argmax(axis=1),
            answers={name: np.array(found) for name, found in answers.items()},
            alone=alone,
            passed_on=np.array(passed_on),
            ms=_times(engines, np.asarray(pixels)[alone], 2 if options.quick else options.rounds),
            margin=cascade.margin,
        )


def _times(engines: dict[str, Engine], photos: np.ndarray, rounds: int) -> dict[str, np.ndarray]:
    taken = {name: np.empty((rounds, len(photos))) for name in engines}
    for turn in range(rounds):
        for place, photo in enumerate(photos):
            for name, engine in engines.items():
                start = time.perf_counter()
                engine.run(photo)
                taken[name][turn, place] = 1000.0 * (time.perf_counter() - start)
    return {name: np.median(times, axis=0) for name, times in taken.items()}


def _result(options: Any, facts: dict[str, str], command: str, parts: list[Part]) -> Result:
    def whole(values: list[np.ndarray]) -> np.ndarray:
        return np.concatenate(values)

    alone, passed_on = whole([part.alone for part in parts]), whole([part.passed_on for part in parts])
    reference = whole([part.reference for part in parts])
    ms = {name: float(whole([part.ms[name] for part in parts]).mean()) for name in WAYS}
    rows: list[tuple[Cell, ...]] = []
    for title, chosen, timed in (("photos", alone, True), ("views", np.ones(len(alone), dtype=bool), False)):
        for name in WAYS:
            same = whole([part.answers[name] for part in parts]) == reference
            share = float(passed_on[chosen].mean()) if name == CASCADE else None
            ratio = ms[name] / ms[CASCADE_SECOND] if timed else None
            rows.append((title, int(chosen.sum()), name, float(same[chosen].mean()), share, ratio))
    agreement, share, ratio = rows[2][3:]
    assert isinstance(agreement, float)
    assert isinstance(share, float)
    fast = ms[CASCADE_FIRST] / ms[CASCADE_SECOND]
    figures = [
        Figure("photos: agreement of the cascade", agreement, least=AGREEMENT),
        Figure("photos: share passed on", share, most=PASSED_ON),
        Figure("photos: latency of int8 by fp32's", fast),
        Figure("photos: mean latency of the cascade by fp32's", float(ratio or 0.0),
               most=LATENCY if fast <= FAST_INT8 else None),
    ]  # fmt: skip
    if options.scores is not None and not options.quick:
        stored = np.load(options.scores)
        first, full = stored["int8"].astype(np.float32), stored["fp32"].astype(np.float32)
        agreed, passed = halves(first, full, options.seed, SPLITS)
        rows += [
            ("stored scores", len(first) // 2, f"{CASCADE}, mean", float(agreed.mean()), float(passed.mean()), None),
            ("stored scores", len(first) // 2, f"{CASCADE}, worst", float(agreed.min()), float(passed.max()), None),
        ]  # fmt: skip
        figures += [
            Figure("stored scores: splits with the agreement", float(np.mean(agreed >= AGREEMENT)), least=0.95),
            Figure("stored scores: share passed on, worst split", float(passed.max()), most=PASSED_ON),
        ]  # fmt: skip
    return Result(
        name="cascade", group="cascade", title="int8 with fp32 behind it",
        method=METHOD.format(photos=int(alone.sum()), rounds=options.rounds, splits=SPLITS),
        command=command, created=now(), quick=options.quick, machine=facts,
        settings={
            "margins": [part.margin for part in parts], "ms": ms, "folds": len(parts), "rounds": options.rounds,
            "seed": options.seed,
        },
        columns=(
            Column("images"), Column("n", "count"), Column("artifact"), Column("agreement", "percent"),
            Column("passed on", "percent"), Column("latency", "ratio"),
        ),
        rows=tuple(rows), figures=tuple(figures),
    )  # fmt: skip


if __name__ == "__main__":
    main()
