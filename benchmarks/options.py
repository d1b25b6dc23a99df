"""Options that every benchmark has."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmarks.result import RESULTS

ROOT = Path(__file__).resolve().parent.parent
HERE, BEFORE = "this commit", "before"
"""Names of the checkouts that :func:`checkouts` returns."""

ENVIRONMENT = dict(os.environ)
"""The user's variables, for processes that are compared: loading Keras sets some that another version, or a
tutorial, does not have."""


def parser(module: str, description: str, repeats: int | None = None) -> argparse.ArgumentParser:
    """Returns a parser with the common options.

    Args:
        module: Such as ``benchmarks.feeding``.
        description: What is measured.
        repeats: Default of ``--repeats``; None where there is no such option.
    """
    made = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        epilog="Run it on a quiet machine. The backend is KERAS_BACKEND's, TensorFlow by default.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--quick", action="store_true", help="only show that it runs; its figures mean nothing")
    if repeats is not None:
        made.add_argument(
            "--repeats",
            type=int,
            default=repeats,
            help="rounds; the ways take turns, medians are reported (default %(default)s)",
        )
    made.add_argument("--seed", type=int, default=0, help="seed of everything random (default 0)")
    made.add_argument(
        "--results", type=Path, default=RESULTS, help="folder for the JSON (default benchmarks/results)"
    )
    return made


def check_photos(made: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Ends the program where ``--data`` or ``--weights`` is missing, before anything slow.

    Args:
        made: The parser.
        options: What it read.
    """
    if not options.quick and (options.data is None or options.weights is None):
        made.error("--data and --weights are needed, but for --quick")


def add_before(made: argparse.ArgumentParser) -> None:
    """Adds ``--before``, another checkout that is measured in turns with this one.

    Args:
        made: The parser; an option that is no checkout ends the program.
    """
    made.add_argument(
        "--before",
        type=_checkout,
        metavar="CHECKOUT",
        help="another checkout of this project, to compare with",
    )


def checkouts(before: Path | None) -> dict[str, Path]:
    """The checkouts to measure in turns, by name, the earlier one first.

    Args:
        before: What ``--before`` gave.
    """
    return {HERE: ROOT} if before is None else {BEFORE: before, HERE: ROOT}


def _checkout(word: str) -> Path:
    place = Path(word).resolve()
    if not (place / "edge_runtime").is_dir():
        raise argparse.ArgumentTypeError(
            f"it must be a checkout with edge_runtime/. Received: {word}. Pass its root folder."
        )
    return place


def rounds_in_words(repeats: int) -> str:
    """How a result of that many rounds was summarised, in words.

    Args:
        repeats: Rounds, at least 1.
    """
    return "one round" if repeats == 1 else f"medians of {repeats} rounds"
