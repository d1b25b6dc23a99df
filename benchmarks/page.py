"""Renders every result of ``benchmarks/results`` as ``docs/benchmarks.md``.

Quick results are left out unless ``--quick`` is given: their figures mean nothing.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from benchmarks.machine import LOAD
from benchmarks.result import RESULTS, Cell, Figure, Kind, Result, read_results

MODULE = "benchmarks.page"
PAGE = RESULTS.parent.parent / "docs" / "benchmarks.md"

ORDER = (
    "accuracy", "batch-norm", "cached-training", "training-memory", "feeding", "gate-size", "gate-power",
    "sequential-errors", "sequential-stops", "asked-labels", "asked-silent", "abstain-promise", "abstain-halves",
    "cascade", "quantization", "onnx-kernels", "resizing", "export-speed", "check-speed", "demo-speed",
    "edge-latency", "edge-answers", "edge-cold-start", "edge-throughput", "score-rate",
    "score-plan", "edge-peers", "cloud-init",
    "cloud-overhead", "cloud-load", "package-size", "phone-routes", "phone-speed",
)  # fmt: skip
"""Groups in the order of the page; others follow."""

_HEAD = """# Benchmarks

<!-- Made by: python -m benchmarks.page. Do not edit; run a script of benchmarks/ and make it again. -->

Every figure comes from a script in [`benchmarks/`](../benchmarks/README.md), which measures the alternative in the
same run. Compare within a table, not between machines. Each script's `--help` says what it does.
"""


def main(arguments: Sequence[str] | None = None) -> str:
    """Writes the page and returns it.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=__doc__)
    made.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON files")
    made.add_argument("--out", type=Path, default=PAGE, help="the page (default docs/benchmarks.md)")
    made.add_argument("--quick", action="store_true", help="show quick results too")
    options = made.parse_args(arguments)
    results = [result for result in read_results(options.results) if options.quick or not result.quick]
    text = page(results)
    temporary = options.out.with_name(f"{options.out.name}.tmp")
    temporary.write_text(text, "utf-8")
    os.replace(temporary, options.out)
    return text


def page(results: Sequence[Result]) -> str:
    """Renders results as Markdown.

    Args:
        results: Results; those of one group keep this order.
    """
    if not results:
        return f"{_HEAD}\nNothing has been measured yet.\n"

    def place(result: Result) -> tuple[int, str]:
        known = ORDER.index(result.group) if result.group in ORDER else len(ORDER)
        return known, result.group

    ordered = sorted(results, key=place)
    return "\n".join([_HEAD, *(_section(list(group)) for _, group in groupby(ordered, place))])


def _section(results: list[Result]) -> str:
    first = results[0]
    parts = [f"## {first.title}", *_methods(results)]
    if any(result.quick for result in results):
        parts.append("**Quick form: shows that the script runs; its figures mean nothing.**")
    # A script may have got a column since an older result of another machine.
    for columns, alike in groupby(sorted(results, key=lambda one: len(one.columns)), lambda one: one.columns):
        lines = [_row([column.name for column in columns])]
        lines.append(_row(["---" if column.kind == "text" else "---:" for column in columns]))
        lines += [
            _row([_cell(cell, column.kind) for cell, column in zip(row, columns, strict=True)])
            for result in alike
            for row in result.rows
        ]
        parts.append("\n".join(lines))
    figures = [figure for result in results for figure in result.figures]
    if figures:
        lines = [
            _row(["figure", "value"]),
            _row(["---", "---:"]),
            *map(_figure, figures),
        ]
        parts.append("\n".join(lines))
    parts.append("\n".join(["Made by:", "", "```text", *dict.fromkeys(r.command for r in results), "```"]))
    parts += _machines(results)
    return "\n\n".join(parts) + "\n"


def _methods(results: list[Result]) -> list[str]:
    return list(dict.fromkeys(" ".join(result.method.split()) for result in results))


def _figure(figure: Figure) -> str:
    value = f"{figure.value:.2f}" if figure.value >= 1.0 or not figure.limited else f"{figure.value:.3f}"
    if figure.most is not None and abs(figure.value) < 0.1:
        value = f"{figure.value:.4f}"
    return _row([figure.name, value])


def _machines(results: list[Result]) -> list[str]:
    """One line per machine, with the dates and loads of its runs."""
    seen: dict[str, tuple[set[str], set[str]]] = {}
    for result in results:
        facts = "; ".join(f"{name}: {value}" for name, value in result.machine.items() if name != LOAD)
        days, loads = seen.setdefault(facts, (set(), set()))
        days.add(result.created[:10])
        loads.add(result.machine.get(LOAD, "unknown"))
    return [
        f"Measured on {_span(days)}. {facts}; {LOAD}: {_span(loads)}."
        for facts, (days, loads) in seen.items()
    ]


def _span(values: set[str]) -> str:
    ordered = sorted(values)
    return ordered[0] if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


_PLACES: dict[Kind, str] = {"points": "+.1f", "spread": ".2f", "ratio": ".2f", "nats": ".4f"}


def _cell(cell: Cell, kind: Kind) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return cell.replace("|", "\\|")
    if kind == "percent":
        return f"{cell:.1%}"
    if kind == "count":
        return f"{cell:,.0f}"
    if kind in _PLACES:
        return format(cell, _PLACES[kind])
    return f"{cell:,.1f}" if cell < 100 else f"{cell:,.0f}"


if __name__ == "__main__":
    main()
