"""Options shared by several commands of the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from edge_runtime.common.errors import UsageError
from edge_runtime.engines import ENGINES
from edge_runtime.engines.selection import MAX_THREADS
from edge_runtime.image.preprocess import MAX_BYTES, MAX_PIXELS

Command = TypeVar("Command", bound=Callable[..., Any])


class FilledPath(click.Path):
    """A path that must not be empty: usually an unset variable, but the current folder to pathlib."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Rejects an empty path."""
        if not value:
            name = param.human_readable_name if param is not None else "a path"
            raise UsageError(f"A path must not be empty. Received: {name} ''. Pass the path.")
        return super().convert(value, param, ctx)


def _all_of(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """One decorator for several options, which ``--help`` lists in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


artifact_option = click.option(
    "--artifact",
    metavar="KIND",
    help="Artifact to use, e.g. tflite-int8. Default: the best one that passed its check and runs here.",
)
"""The option that names an artifact: ``artifact``."""

allow_failed_option = click.option(
    "--allow-failed", is_flag=True, help="Allow an artifact that failed its check."
)
"""The flag ``allow_failed``."""

engine_option = click.option(
    "--engine",
    type=click.Choice(["auto", *ENGINES]),
    default="auto",
    show_default=True,
    help="Interpreter; auto selects an installed one that reads the file.",
)
"""The option that selects an interpreter: ``engine``."""

engine_options = _all_of(
    engine_option,
    click.option(
        "--threads",
        type=click.IntRange(1, MAX_THREADS),
        default=1,
        show_default=True,
        help="Threads per inference; more than one is slower on a busy machine.",
    ),
)
"""The options that select an interpreter: ``engine`` and ``threads``."""

limit_options = _all_of(
    click.option(
        "--max-bytes",
        type=click.IntRange(1),
        default=MAX_BYTES,
        show_default=True,
        metavar="N",
        help="Reject larger files, in bytes.",
    ),
    click.option(
        "--max-pixels",
        type=click.IntRange(1),
        default=MAX_PIXELS,
        show_default=True,
        metavar="N",
        help="Reject images with more pixels (width times height).",
    ),
)
"""The limits of an image, ``max_bytes`` and ``max_pixels``; both are checked before decoding."""

result_options = _all_of(
    click.option(
        "--top-k",
        "--max-results",
        "top_k",
        type=click.IntRange(1),
        default=5,
        show_default=True,
        help="Classes to return per image.",
    ),
    click.option(
        "--score-threshold",
        type=click.FloatRange(0.0, 1.0),
        metavar="SCORE",
        help="Drop classes with a lower score, 0 to 1.",
    ),
    click.option(
        "--allow",
        "--category-allowlist",
        "allow",
        multiple=True,
        metavar="LABEL",
        help="Return only this class; repeatable.",
    ),
    click.option(
        "--deny",
        "--category-denylist",
        "deny",
        multiple=True,
        metavar="LABEL",
        help="Never return this class; repeatable.",
    ),
    click.option(
        "--temperature",
        metavar="T",
        help="Rescale scores to p^(1/T); artifact uses the T fitted at export, which makes them calibrated "
        "probabilities. Default: scores as the model gives them.",
    ),
)
"""The options of :class:`~edge_runtime.options.ResultOptions`, and ``top_k``."""
