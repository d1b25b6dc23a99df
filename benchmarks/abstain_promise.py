"""Whether rules keep their promises: on simulated images of known error, and on the scores of 1,000 photos.

Error rates of simulated images are known for every confidence, so that a rule either keeps its promise or not. The
photos' scores are split into random halves: one makes the rules, the other is answered by them. Halves of one set
are not independent, so they show the mean and not how much it varies between users. With --bundle and its run, every
artifact that runs here is judged likewise on the run's val images.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine
from benchmarks.options import parser
from benchmarks.result import Column, Figure, Result, command_line, now, write_result
from edge_runtime.bundle.bundle import Bundle
from edge_runtime.common.arrays import Float64Array, IntArray
from edge_runtime.engines.result import Float32Array
from edge_runtime.statistics.binomial import most_errors
from exporter.common.backend import load_keras
from exporter.rules.abstain import fit_abstain
from exporter.rules.fitting import RuleWishes, answers, fit_rules, try_rules
from exporter.source.candidate import artifact_candidate
from exporter.source.images import choose_split, decode_table, run_images
from exporter.source.scoring import engine_scorer
from exporter.statistics.confidence import confidence_of

MODULE = "benchmarks.abstain_promise"
SCORES = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "imagenet-scores.npz"

LIMIT, COVERAGE = 0.05, 0.9
IMAGES = (200, 500, 1000)

World = Callable[[Float64Array], Float64Array]
"""The error rate at a confidence, which is uniform over 0..1."""

WORLDS: dict[str, World] = {
    "just above the limit everywhere": lambda sure: np.full(sure.shape, LIMIT + 0.0005),
    "falling with the confidence": lambda sure: 0.25 * (1.0 - sure) ** 1.5,
    "none, then much": lambda sure: np.where(sure > 0.4, 0.0, 0.3),
    "surest fifth wrong more often": lambda sure: np.where(
        sure > 0.8, 0.12, np.where(sure > 0.45, 0.02, 0.2)
    ),
    "surest half just above, then none": lambda sure: np.where(
        sure > 0.5, LIMIT + 0.002, np.where(sure > 0.46, 0, 0.1)
    ),
    "waves around the limit": lambda sure: LIMIT + 0.001 + 0.045 * np.sin(40.0 * sure),
}

METHOD = """How often a rule for at most 5 % errors is made whose true error rate is above 5 %: simulated images whose
confidence is uniform and whose error rate is a known function of it; ± is two standard errors. *All thresholds*: the
loosest of all thresholds whose own exact test passes, instead of the shipped rule."""

HALVES_METHOD = """Rules made from one random half of the images and applied to the other, mean over the halves.
*Covered*: share of images whose true label is among the candidates, asked for: 90 %. *Candidates*: labels per image;
*adaptive*: the same with adaptive prediction sets that cover as much. *Rule*: in what share of the halves there was a
rule for at most 5 % errors; *answered*, *wrong*: by it; *best score*: answered with the best score as confidence
instead of the margin."""

Models = Mapping[str, tuple[Float32Array, IntArray]]
"""Scores and true classes by name."""


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """Simulates, splits, and writes both results.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = parser(MODULE, __doc__ or "")
    made.add_argument("--scores", type=Path, default=SCORES, help="npz with truth, fp32 and int8")
    made.add_argument("--bundle", nargs=2, action="append", default=[], metavar=("BUNDLE", "RUN"))
    made.add_argument(
        "--runs", type=int, default=4000, help="simulated exports per world and number of images"
    )
    made.add_argument("--halves", type=int, default=200, help="random halves")
    options = made.parse_args(arguments)
    if options.quick:
        options.runs, options.halves = min(options.runs, 50), min(options.halves, 5)
    results = [simulated(options), halved(options)]
    for result in results:
        write_result(result, options.results)
    return results


def broken(world: World, n: int, runs: int) -> tuple[float, float]:
    """Share of simulated exports whose rule breaks its promise: the shipped rule, and all thresholds at once.

    Args:
        world: The error rate at a confidence.
        n: Images of each export.
        runs: Number of exports.
    """
    fine = (np.arange(100_000) + 0.5) / 100_000
    above = np.cumsum(world(fine)[::-1])[::-1] / np.arange(len(fine), 0, -1)
    allowed = np.array([most_errors(count, LIMIT) for count in range(1, n + 1)])
    generator = np.random.default_rng(n)
    ours = naive = 0
    for _ in range(runs):
        confidence = generator.random(n)
        wrong = generator.random(n) < world(confidence)
        rule = fit_abstain(confidence, wrong, LIMIT).rule
        ours += rule is not None and bool(_rate(above, rule.threshold) > LIMIT)
        order = np.argsort(-confidence)
        passing = np.flatnonzero(np.cumsum(wrong[order]) <= allowed)
        naive += bool(len(passing)) and bool(_rate(above, float(confidence[order[passing[-1]]])) > LIMIT)
    return ours / runs, naive / runs


def _rate(above: Float64Array, threshold: float) -> float:
    return float(above[min(len(above) - 1, int(threshold * len(above)))])


def simulated(options: argparse.Namespace) -> Result:
    """The result ``abstain-promise``.

    Args:
        options: What the command line said.
    """
    rows, worst = [], 0.0
    for name, world in WORLDS.items():
        for n in IMAGES:
            ours, naive = broken(world, n, options.runs)
            error = 2.0 * math.sqrt(max(ours * (1.0 - ours), 1.0 / options.runs) / options.runs)
            worst = max(worst, ours)
            rows.append((name, n, f"{100 * ours:.2f} ± {100 * error:.2f} %", naive))
    return Result(
        name="abstain-promise", group="abstain-promise", title="How often a rule breaks its promise", method=METHOD,
        command=command_line(MODULE), created=now(), quick=options.quick, machine=machine(load_keras()),
        settings={"runs": options.runs, "max_error": LIMIT},
        columns=(
            Column("error rate"), Column("images", "count"), Column("broken"), Column("all thresholds", "percent"),
        ),
        rows=tuple(rows),
        figures=(Figure("largest share of broken promises", worst, most=LIMIT + 0.01),),
    )  # fmt: skip


def models(options: argparse.Namespace) -> Models:
    """The photos' scores, and those of every bundle's artifacts on the val images of its run.

    Args:
        options: What the command line said.
    """
    found: dict[str, tuple[Float32Array, IntArray]] = {}
    if options.scores.is_file():
        stored = np.load(options.scores)
        truth = stored["truth"].astype(np.int64)
        found |= {f"ImageNet {arm}": (stored[arm].astype(np.float32), truth) for arm in ("fp32", "int8")}
    for folder, run in options.bundle:
        bundle = Bundle.open(folder)
        manifest = bundle.manifest
        images = choose_split(run_images(Path(run)), "val").relabelled(manifest.labels)
        with decode_table(images, manifest.input) as table:
            for entry in manifest.artifacts:
                one = artifact_candidate(
                    entry.kind, bundle.model(entry), entry.format, entry.bytes, entry.file, manifest.input
                )
                if not one.unusable:
                    with closing(one.open(1)) as engine:
                        scores = engine_scorer(engine, len(manifest.labels))(table.pixels)
                    found[f"{manifest.name} {entry.kind}"] = scores, table.truth
    return found


def halved(options: argparse.Namespace) -> Result:
    """The result ``abstain-halves``.

    Args:
        options: What the command line said.
    """
    tried = models(options)
    rows = [
        (name, len(truth), *_halves(scores, truth, options.halves)) for name, (scores, truth) in tried.items()
    ]
    figures = [*_coverage(rows)]
    for name in tried:
        prefix, _, arm = name.rpartition(" ")
        other = f"{prefix} {arm.replace('fp32', 'int8')}"
        if arm in ("fp32", "tflite-fp32") and other in tried:
            alike = alike_on_halves(tried[name][0], tried[other][0], tried[name][1], options.halves)
            if alike:
                figures += [
                    Figure(
                        f"{prefix}: fp32 and int8 answer alike where both answer, mean",
                        float(np.mean(alike)),
                        least=0.99,
                    ),
                    Figure(f"{prefix}: the same in the worst half", float(np.min(alike))),
                ]
    columns = (
        Column("model"), Column("images", "count"), Column("top-1", "percent"), Column("covered", "percent"),
        Column("candidates", "ratio"), Column("adaptive", "ratio"), Column("rule", "percent"),
        Column("answered", "percent"), Column("wrong", "percent"), Column("best score", "percent"),
    )  # fmt: skip
    return Result(
        name="abstain-halves", group="abstain-halves", title="Rules on other images", method=HALVES_METHOD,
        command=command_line(MODULE), created=now(), quick=options.quick, machine=machine(load_keras()),
        settings={"halves": options.halves, "max_error": LIMIT, "coverage": COVERAGE},
        columns=columns, rows=tuple(rows), figures=tuple(figures),
    )  # fmt: skip


def _coverage(rows: Sequence[tuple[Any, ...]]) -> Iterator[Figure]:
    """The least and the largest mean coverage, apart for models that are above it without any rule.

    Args:
        rows: Of the table.
    """
    below = [row[3] for row in rows if row[2] < COVERAGE]
    above = [row[3] for row in rows if row[2] >= COVERAGE]
    if below:
        yield Figure("least mean coverage where top-1 is below 90 %", min(below), least=0.89)
        yield Figure("largest mean coverage where top-1 is below 90 %", max(below), most=0.915)
    if above:
        yield Figure("least mean coverage where top-1 is 90 % or more", min(above), least=0.89)


def halves(n: int, count: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Random halves of n images: which make rules, and which are answered.

    Args:
        n: Images.
        count: Number of halves.
    """
    generator = np.random.default_rng(0)
    for _ in range(count):
        order = generator.permutation(n)
        yield order[: n // 2], order[n // 2 :]


def _halves(scores: Float32Array, truth: IntArray, count: int) -> tuple[float | None, ...]:
    """The cells of one model from ``top-1`` on."""
    covered, sizes, adaptive, ruled, answered, wrong, top = [], [], [], [], [], [], []
    best = confidence_of(scores, "top")
    for half, rest in halves(len(truth), count):
        rules = fit_rules(scores[half], truth[half], RuleWishes(LIMIT, COVERAGE), data_sha256="").rules
        if rules is not None:
            trial = try_rules(scores[rest], truth[rest], rules)
            if trial.covered is not None and trial.mean_size is not None:
                covered.append(trial.covered / len(rest))
                sizes.append(trial.mean_size)
                adaptive.append(adaptive_size(scores[half], truth[half], scores[rest]))
            ruled.append(trial.answered is not None)
            answered.append((trial.answered or 0) / len(rest))
            if trial.answered and trial.errors is not None:
                wrong.append(trial.errors / trial.answered)
        other = fit_abstain(best[half], scores[half].argmax(axis=1) != truth[half], LIMIT, kind="top").rule
        top.append(0.0 if other is None else float((best[rest] >= other.threshold).mean()))
    cells = (covered, sizes, adaptive, ruled, answered, wrong, top)
    top1 = float((scores.argmax(axis=1) == truth).mean())
    return (top1, *(float(np.mean(cell)) if cell else None for cell in cells))


def adaptive_size(made: Float32Array, truth: IntArray, other: Float32Array) -> float:
    """Labels per image of adaptive sets (Romano, Sesia and Candes 2020): the best, until their scores add up.

    Args:
        made: Scores that make the rule, float32 ``[m, classes]``.
        truth: Their true classes ``[m]``.
        other: Scores of other images.
    """
    generator = np.random.default_rng(0)

    def masses(scores: Float32Array) -> Float64Array:
        """Scores of all better labels and a random part of the label's own, best label first."""
        ranked = -np.sort(-scores.astype(np.float64), axis=1)
        found: Float64Array = np.cumsum(ranked, axis=1) - generator.random((len(scores), 1)) * ranked
        return found

    rows = np.arange(len(truth))
    better = (made > made[rows, truth][:, None]).sum(axis=1)
    true_masses = np.sort(masses(made)[rows, better])
    limit = true_masses[min(len(rows) - 1, math.ceil(COVERAGE * (len(rows) + 1)) - 1)]
    return float(np.maximum((masses(other) <= limit).sum(axis=1), 1).mean())


def alike_on_halves(one: Float32Array, other: Float32Array, truth: IntArray, count: int) -> list[float]:
    """Of the images that both models answer, the share with the same answer, in each half in which both have a rule.

    Args:
        one: Scores, float32 ``[n, classes]``.
        other: Scores of the other model.
        truth: True classes ``[n]``.
        count: Number of halves.
    """
    found = []
    for half, rest in halves(len(truth), count):
        both = np.ones(len(rest), dtype=np.bool_)
        for scores in (one, other):
            rules = fit_rules(scores[half], truth[half], RuleWishes(LIMIT), data_sha256="").rules
            answered = None if rules is None else answers(scores[rest], rules)
            both &= np.False_ if answered is None else answered
        if both.any():
            found.append(float((one[rest].argmax(axis=1) == other[rest].argmax(axis=1))[both].mean()))
    return found


if __name__ == "__main__":
    main()
