"""How often a sequential check errs, and after how many images it stops: computed, not simulated.

Both come from dynamic programming over (lost, won), image by image (``benchmarks.stopping_times``). Only the
median over random orders of one pair of models on the same 1,000 photos (``--scores``, an .npz with ``truth``
``[n]``, ``fp32`` and ``int8`` ``[n, classes]``) is drawn at random; its error is stated. Takes about
a minute on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.machine import machine
from benchmarks.options import parser
from benchmarks.result import Column, Figure, Result, as_text, command_line, now, write_result
from benchmarks.stopping_times import stopping_times
from edge_runtime.common.arrays import BoolArray, IntArray
from exporter.common.backend import load_keras
from exporter.statistics.sequential_gate import sequential_gate

MODULE = "benchmarks.sequential_gate"

MARGINS = (0.05, 0.02, 0.01, 0.005)
WON = (0.0, 0.005, 0.015, 0.03)
"""Won rates of the artifacts that are worse by exactly the margin."""

LOOKS = 5000
"""Images that are looked at one by one, for the errors."""

TRUTHS = (
    ("as good, 1 % discordant", 0.005, 0.005),
    ("as good, 1.7 % discordant", 0.009, 0.008),
    ("as good, 3 % discordant", 0.015, 0.015),
    ("as good, 5 % discordant", 0.025, 0.025),
    ("1 point worse, won 0.5 %", 0.015, 0.005),
    ("3 points worse, won 0.5 %", 0.035, 0.005),
    ("3 points worse, won 1.5 %", 0.045, 0.015),
    ("10 points worse, won 0.5 %", 0.105, 0.005),
    ("10 points worse, won 2 %", 0.12, 0.02),
)
"""Name, lost rate and won rate."""

MOST, MARGIN, ORDERS = 6000, 0.02, 500

METHOD = """The probability in per cent that a sequential check *ever* passes (*false pass*) or fails (*false
fail*) an artifact that is worse by exactly the margin, within 5,000 images that are looked at one by one; by the
share of images that only the artifact names right. Sums of probabilities over (lost, won), image by image."""

STOPS_METHOD = """How often a sequential check with a margin of 2 points has passed or failed within 6,000 images, and
the images after which half of all checks, and nine of ten, have stopped. Sums of probabilities over (lost, won), image
by image. *The ImageNet pair* is MobileNetV2 and its int8 file on 1,000 photos, in 500 random orders of the same
photos: that median is drawn at random, with a 95 % interval from the order statistics."""


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """Computes errors and stopping times, and writes both results.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = parser(MODULE, __doc__ or "")
    made.add_argument("--scores", type=Path, help="scores of two models on the same labelled photos (.npz)")
    options = made.parse_args(arguments)
    if options.scores is None and not options.quick:
        made.error("--scores is needed, but for --quick")
    results = [errors(options), stops(options)]
    for result in results:
        write_result(result, options.results)
    return results


def errors(options: argparse.Namespace) -> Result:
    """The result ``sequential-errors``.

    Args:
        options: What the command line said.
    """
    looks = 300 if options.quick else LOOKS
    rows = []
    worst = {"pass": 0.0, "fail": 0.0}
    for margin in MARGINS[:2] if options.quick else MARGINS:
        found = [stopping_times(won + margin, won, margin, looks) for won in WON]
        chances = {
            "pass": [float(one.passed.sum()) for one in found],
            "fail": [float(one.failed.sum()) for one in found],
        }
        for verdict, values in chances.items():
            worst[verdict] = max(worst[verdict], *values)
            rows.append((f"false {verdict}", f"{100 * margin:g}", *values))
    return Result(
        name="sequential-errors", group="sequential-errors", title="How often a sequential check errs",
        method=METHOD, command=command_line(MODULE), created=now(), quick=options.quick,
        machine=machine(load_keras()), settings={"looks": looks},
        columns=(Column("error"), Column("margin, points"),
                 *(Column(f"won {100 * won:g} %", "percent") for won in WON)),
        rows=tuple(sorted(rows, reverse=True)),
        figures=tuple(
            Figure(f"largest false-{verdict} rate within {looks:,} looks", rate, most=0.05)
            for verdict, rate in worst.items()
        ),
    )  # fmt: skip


def stops(options: argparse.Namespace) -> Result:
    """The result ``sequential-stops``.

    Args:
        options: What the command line said.
    """
    most = 300 if options.quick else MOST
    rows: list[tuple[str | float | int | None, ...]] = []
    medians: dict[str, int | None] = {}
    failed: dict[str, float] = {}
    for name, lost, won in TRUTHS[-2:] if options.quick else TRUTHS:
        found = stopping_times(lost, won, MARGIN, most)
        medians[name], ninth = found.quantile(0.5), found.quantile(0.9)
        failed[name] = float(found.failed.sum())
        rows.append((name, float(found.passed.sum()), failed[name], medians[name], ninth))
    figures: list[Figure] = []
    if not options.quick:
        taken = order_stops(options.scores, ORDERS, options.seed)
        low, middle, high, ninth = (int(np.sort(taken)[place]) for place in (227, 249, 271, 449))
        rows.insert(0, (f"the ImageNet pair ({low} to {high})", 1.0, 0.0, middle, ninth))
        figures = [
            Figure("median photos to a pass, the ImageNet pair in 500 orders", middle, most=450),
            Figure("median images, as good, 3 % discordant", medians["as good, 3 % discordant"] or most, most=600),
            Figure("median images, 10 points worse, won 0.5 %", medians["10 points worse, won 0.5 %"] or most,
                   most=110),
            Figure("3 points worse, won 0.5 %: fails within 6,000", failed["3 points worse, won 0.5 %"], least=0.9),
        ]  # fmt: skip
    return Result(
        name="sequential-stops", group="sequential-stops", title="When a sequential check stops",
        method=STOPS_METHOD, command=command_line(MODULE), created=now(), quick=options.quick,
        machine=machine(load_keras()),
        settings={"margin": MARGIN, "images": most, "orders": ORDERS, "seed": options.seed},
        columns=(Column("artifact"), Column("passes", "percent"), Column("fails", "percent"),
                 Column("median images", "count"), Column("90th percentile", "count")),
        rows=tuple(rows), figures=tuple(figures),
    )  # fmt: skip


def outcomes(scores: Path) -> tuple[BoolArray, BoolArray]:
    """Which photos each of the two models names right.

    Args:
        scores: An .npz with ``truth``, ``fp32`` and ``int8``.
    """
    with np.load(scores) as held:
        truth = held["truth"]
        return held["fp32"].argmax(axis=1) == truth, held["int8"].argmax(axis=1) == truth


def order_stops(scores: Path, orders: int, seed: int) -> IntArray:
    """Photos after which a pair of models passes, in random orders of the same photos.

    Args:
        scores: See :func:`outcomes`.
        orders: How many.
        seed: Seed of the orders.

    Returns:
        int64 ``[orders]``.

    Raises:
        ValueError: An order does not end with a pass.
    """
    right, right_now = outcomes(scores)
    random = np.random.default_rng(seed)
    found = []
    for _ in range(orders):
        order = random.permutation(len(right))
        decision = sequential_gate(right[order], right_now[order], MARGIN)
        if decision.verdict != "pass" or decision.stop is None:
            raise ValueError(f"an order of the photos ends with {decision.verdict}: {decision.reason}")
        found.append(decision.stop.images)
    return np.array(found, dtype=np.int64)


if __name__ == "__main__":
    for one in main():
        print(f"\n{as_text(one)}")
