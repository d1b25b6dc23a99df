"""Options that several of the device's commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from edge_runtime.engines import ENGINES
from edge_runtime.engines.selection import MAX_THREADS
from edge_runtime.errors import UsageError
from edge_runtime.preprocess import MAX_BYTES, MAX_PIXELS

Command = TypeVar("Command", bound=Callable[..., Any])


class FilledPath(click.Path):
    """A path that is not empty: to pathlib that is the current folder, to a person a variable not set."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuses an empty text."""
        if not value:
            name = param.human_readable_name if param is not None else "a path"
            raise UsageError(f"A path must not be empty. Received: {name} ''. Pass the path.")
        return super().convert(value, param, ctx)


def engine_options(command: Command) -> Command:
    """The options that choose an interpreter: ``engine`` and ``threads``."""
    engine = click.option(
        "--engine",
        type=click.Choice(["auto", *ENGINES]),
        default="auto",
        show_default=True,
        help="Interpreter; auto takes the installed one that reads the file.",
    )
    threads = click.option(
        "--threads",
        type=click.IntRange(1, MAX_THREADS),
        default=1,
        show_default=True,
        help="Threads of one inference; more than one hurts on a busy machine.",
    )
    return engine(threads(command))


def limit_options(command: Command) -> Command:
    """The limits of an image, ``max_bytes`` and ``max_pixels``; both are looked at before decoding."""
    size = click.option(
        "--max-bytes",
        type=click.IntRange(1),
        default=MAX_BYTES,
        show_default=True,
        metavar="N",
        help="Refuse larger files.",
    )
    area = click.option(
        "--max-pixels",
        type=click.IntRange(1),
        default=MAX_PIXELS,
        show_default=True,
        metavar="N",
        help="Refuse images of more pixels, width times height.",
    )
    return size(area(command))


def result_options(command: Command) -> Command:
    """The options of :class:`~edge_runtime.options.ResultOptions`, and ``top_k``."""
    options = (
        click.option(
            "--top-k",
            "--max-results",
            "top_k",
            type=click.IntRange(1),
            default=5,
            show_default=True,
            help="Classes to name for each image.",
        ),
        click.option(
            "--score-threshold",
            type=click.FloatRange(0.0, 1.0),
            metavar="SCORE",
            help="Leave out classes with a lower score, 0 to 1.",
        ),
        click.option(
            "--allow",
            "--category-allowlist",
            "allow",
            multiple=True,
            metavar="LABEL",
            help="Name only this class; repeatable.",
        ),
        click.option(
            "--deny",
            "--category-denylist",
            "deny",
            multiple=True,
            metavar="LABEL",
            help="Never name this class; repeatable.",
        ),
        click.option(
            "--temperature",
            metavar="T",
            help="Soften scores to p^(1/T); artifact takes the T that the export fitted, so that of the "
            "answers with 0.8 some 80 % are right. By default scores are as the model gives them.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command
