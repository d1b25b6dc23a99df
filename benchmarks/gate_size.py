"""How often the gate errs, and how often it can decide: by enumeration, without random numbers.

For each number of images and each margin, the shipped code finds the results that pass and those that
fail, and their probability is summed directly over a grid of worlds in which the artifact is worse by exactly
the margin. The previous rule and the plain score test are computed beside it. By default all numbers of images
from 20 to 200 and every 1.5 % up to 5,000 (about 4 minutes on two cores); --dense takes every number (about 3
hours). Also writes the table of docs/ci.md.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.gate_rules import largest, passes_by_former, passes_by_score, probability
from benchmarks.machine import machine
from benchmarks.options import parser
from benchmarks.result import (
    RESULTS,
    Column,
    Figure,
    Result,
    as_text,
    command_line,
    now,
    read_results,
    write_result,
)
from exporter.common.backend import load_keras
from exporter.statistics.gate_limits import passing as passes_by_bound

MODULE = "benchmarks.gate_size"
PAGE = RESULTS.parent.parent / "docs" / "ci.md"

MARGINS = (0.05, 0.02, 0.01, 0.005)
IMAGES = (200, 500, 1000, 2000, 5000)
"""Rows of the table of power."""

CHANGED = 0.03
"""Share of images that only one of the two models names right, half of them each, for the power."""

FEWEST, MOST = 20, 5000
RARE = 0.30
"""Most discordant images of the first grid of worlds; the second goes on to all of them."""

RULES = {"the gate": passes_by_bound, "the gate before": passes_by_former, "score test": passes_by_score}
"""By name, what passes at a number of images and a drop; what fails, with the models changed over."""

METHOD = """The gate's error rates if the artifact is worse by exactly the margin: the largest probability in per cent
that it passes (*false pass*) or fails (*false fail*), over all tested numbers of images and a grid of worlds in which
up to 30 % of the images are classified correctly by only one model; *at* the number of images where it occurs. *Any*:
the same without the limit of 30 %. *The gate before*: Agresti and Min's bound, and Clopper and Pearson's where
nothing is won. *Score test*: Tango's statistic against 1.645. Probabilities are sums of binomial terms."""

POWER_METHOD = """How often an artifact passes that is exactly as good as the full model, by margin, if 3 % of the
images are classified correctly by only one model, half of them by each. *Not below on the same images*: how often at
least as many images are won as lost, although the true rates are 3 % lost and 1 % won; such an artifact passes a
comparison with a baseline."""

Rates = dict[tuple[str, float, str], tuple[float, float]]
"""By rule, margin and ``pass`` or ``fail``: the largest rate with up to 30 % discordant, and with any."""


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """Computes sizes and powers, writes both results and the table of docs/ci.md.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = parser(MODULE, __doc__ or "")
    made.add_argument("--dense", action="store_true", help="every number of images from 20 to 5,000")
    made.add_argument("--page", type=Path, default=PAGE, help="page with the table (default docs/ci.md)")
    options = made.parse_args(arguments)
    results = [sizes(options), powers(options)]
    for result in results:
        write_result(result, options.results)
    if not options.quick:
        write_table(results[1], options.page)
    return results


def numbers(dense: bool, quick: bool) -> list[int]:
    """Numbers of images to try.

    Args:
        dense: Every number.
        quick: Only a few.
    """
    if quick:
        return [20, 59, 150, 300]
    if dense:
        return list(range(FEWEST, MOST + 1))
    found = list(range(FEWEST, 201))
    while found[-1] < MOST:
        found.append(min(MOST, found[-1] + max(1, round(0.015 * found[-1]))))
    return found


def rates(n: int) -> Rates:
    """The largest false-pass and false-fail rates of all rules and margins.

    Args:
        n: Images.
    """
    found: Rates = {}
    for margin in MARGINS:
        few = (RARE - margin) / 2.0 * np.linspace(0.0, 1.0, 81) ** 2
        angles = np.linspace(np.arcsin(np.sqrt(2.0 * few[-1] / (1.0 - margin))), np.pi / 2.0, 41)
        many = np.minimum((1.0 - margin) / 2.0 * np.sin(angles) ** 2, (1.0 - margin) / 2.0 - 1e-12)
        for name, rule in RULES.items():
            for verdict, drop in (("pass", margin), ("fail", -margin)):
                results = rule(n, drop)
                usual = largest(results, drop, few)
                found[name, margin, verdict] = usual, max(usual, largest(results, drop, many))
    return found


def sizes(options: argparse.Namespace) -> Result:
    """The result ``gate-size``.

    Args:
        options: What the command line said.
    """
    tried = numbers(options.dense, options.quick)
    # Long ones first, so that no core waits for the last; a fresh process has no threads to inherit.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        found = dict(zip(tried[::-1], pool.map(rates, tried[::-1]), strict=True))
    rows: list[tuple[str, ...]] = []
    worst = {"pass": 0.0, "fail": 0.0}
    for verdict in worst:
        for margin in MARGINS:
            row = [f"false {verdict}", _points(margin)]
            for name in RULES:
                rate, n = max((found[n][name, margin, verdict][0], n) for n in tried)
                row.append(f"{100 * rate:.3f} at {n:,}")
                if name == "the gate":
                    any_ = max(found[n][name, margin, verdict][1] for n in tried)
                    row.append(f"{100 * any_:.3f}")
                    worst[verdict] = max(worst[verdict], any_)
            rows.append(tuple(row))
    return Result(
        name="gate-size", group="gate-size", title="How often the gate errs", method=METHOD,
        command=command_line(MODULE), created=now(), quick=options.quick, machine=machine(load_keras()),
        settings={"images": f"{len(tried)} numbers from {tried[0]} to {tried[-1]}", "margins": MARGINS},
        columns=tuple(Column(name) for name in
                      ("error", "margin", "the gate", "any", "the gate before", "score test")),
        rows=tuple(rows),
        figures=(
            Figure("largest false-pass rate of the gate, however many images are discordant", worst["pass"], most=0.05),
            Figure("largest false-fail rate of the gate, however many images are discordant", worst["fail"], most=0.05),
        ),
    )  # fmt: skip


def power(n: int, margin: float) -> float:
    """How often an artifact passes that is as good as the full model.

    Args:
        n: Images.
        margin: Largest drop that passes.
    """
    return probability(passes_by_bound(n, margin), CHANGED / 2.0, CHANGED / 2.0)


def not_below(n: int, lost_rate: float, won_rate: float) -> float:
    """How often at least as many images are won as lost.

    Args:
        n: Images.
        lost_rate: Probability that an image is lost.
        won_rate: Probability that it is won.
    """
    return probability(np.arange(n + 1) // 2, lost_rate, won_rate)


def powers(options: argparse.Namespace) -> Result:
    """The result ``gate-power``.

    Args:
        options: What the command line said.
    """
    images = IMAGES[:2] if options.quick else IMAGES
    rows = tuple((n, *(power(n, margin) for margin in MARGINS)) for n in images)
    figures = tuple(
        Figure(f"not below on the same {n} images, though 2 points worse", not_below(n, 0.03, 0.01))
        for n in (50, 100, 200, 500)
    )
    if not options.quick:
        least = Figure(
            "1,000 images, margin 2 points: an equal artifact passes", power(1000, 0.02), least=0.965
        )
        figures = (least, *figures)
    return Result(
        name="gate-power", group="gate-power", title="How often the gate can decide", method=POWER_METHOD,
        command=command_line(MODULE), created=now(), quick=options.quick, machine=machine(load_keras()),
        settings={"discordant": CHANGED},
        columns=(Column("images", "count"), *(Column(_points(margin), "percent") for margin in MARGINS)),
        rows=rows, figures=figures,
    )  # fmt: skip


def _points(margin: float) -> str:
    return "half a point" if margin == 0.005 else f"{100 * margin:g} point{'' if margin == 0.01 else 's'}"


BEGIN = "<!-- Made by: python -m benchmarks.gate_size. Do not edit the table. -->"
END = "<!-- End of the table. -->"


def table(result: Result) -> str:
    """The table of docs/ci.md.

    Args:
        result: ``gate-power``.
    """
    heads = ["images", *(f"margin {column.name}" for column in result.columns[1:])]
    lines = [heads, ["--:"] * len(heads)]
    for n, *passing in result.rows:
        lines.append([f"{n:,}", *(f"{100 * float(rate or 0.0):.0f} %" for rate in passing)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def with_table(page: str, result: Result) -> str:
    """The page with its table made anew.

    Args:
        page: Markdown with both marks.
        result: ``gate-power``.

    Raises:
        ValueError: A mark is missing.
    """
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{table(result)}\n\n{END}{after}"


def write_table(result: Result, page: Path = PAGE) -> None:
    """Writes the table into the page.

    Args:
        result: ``gate-power``.
        page: The page.
    """
    temporary = page.with_name(f"{page.name}.tmp")
    temporary.write_text(with_table(page.read_text("utf-8"), result), "utf-8")
    os.replace(temporary, page)


def stored_power(folder: Path = RESULTS) -> Result:
    """The stored result ``gate-power``.

    Args:
        folder: Where it lies.
    """
    return next(result for result in read_results(folder) if result.name == "gate-power")


if __name__ == "__main__":
    for one in main():
        print(f"\n{as_text(one)}")
