"""The options of ``snapship check``, and what they may not be together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import click

from edge_runtime.errors import UsageError
from exporter.check_config import CheckConfig
from exporter.gate import DEFAULT_MARGIN
from exporter.input_range import RANGES

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Asked:
    """A command line of ``snapship check``; each field but the first is the option of its name.

    Attributes:
        config: What to check, and what it must pass.
    """

    config: CheckConfig
    baseline: str | None
    accept: bool
    growth: float | None
    report: str | None
    json_file: str | None
    junit: str | None
    github: bool

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Asked:
        """Sorts the options.

        Args:
            given: All of them, by name.

        Raises:
            UsageError: A value is out of its range, or options exclude or need each other.
        """
        names = {field.name for field in fields(CheckConfig)}
        config = CheckConfig(**{name: value for name, value in given.items() if name in names})
        return cls(config, **{name: value for name, value in given.items() if name not in names})

    def __post_init__(self) -> None:
        """Refuses what makes no sense together, before anything is loaded.

        Raises:
            UsageError: Options that exclude or need each other.
        """
        for option, given in (("--accept", self.accept), ("--growth", self.growth is not None)):
            if given and self.baseline is None:
                raise UsageError(
                    f"{option} is about a baseline. Received: no baseline. Pass --baseline FILE."
                )
        if self.growth is not None and not self.growth >= 0.0:
            raise UsageError(
                f"--growth must be 0 or more (0.1 is 10 %). Received: {self.growth:g}. Pass a fraction of 1."
            )
        if self.github and self.json_file == "-":
            raise UsageError(
                "Annotations and JSON cannot share stdout. Received: --github and --json without a file. "
                "Pass --json FILE."
            )

    @property
    def evidence(self) -> bool:
        """Whether anybody would see slow evidence: only the page and the JSON hold it."""
        return not self.config.quick and (self.report is not None or self.json_file is not None)


_WHAT = (
    click.argument("bundle", metavar="[BUNDLE]", required=False),
    click.option("--data", metavar="DATA", help="Labelled images that judge; default: the run's own."),
    click.option(
        "--split",
        type=click.Choice(["val", "train", "all"]),
        default="val",
        show_default=True,
        help="Which of the images judge.",
    ),
    click.option("--reference", metavar="FILE", help="The full model; default: the one that was exported."),
    click.option(
        "--candidate", metavar="FILE", help="A model file of anybody's to judge instead of a bundle."
    ),
    click.option(
        "--labels",
        metavar="FILE",
        help="Class names, one a line, for --candidate; default: "
        "the files' own or those of --data, in the order that fits its images.",
    ),
    click.option(
        "--fit",
        type=click.Choice(["stretch", "crop"]),
        help="How images become the input's size, for --candidate.  [default: stretch]",
    ),
    click.option(
        "--resize",
        type=click.Choice(["antialiased", "plain"]),
        help="How pixels of another size are made, for --candidate: plain as tf.image.resize and Keras' own "
        "loaders do.  [default: antialiased]",
    ),
    click.option(
        "--input-range",
        type=click.Choice(RANGES),
        metavar="RANGE",
        help=f"What --candidate and --reference take for a pixel: {', '.join(RANGES)}.  [default: 0..255]",
    ),
    click.option(
        "--reference-range",
        type=click.Choice(RANGES),
        metavar="RANGE",
        help="The same for --reference, where it differs.",
    ),
    click.option("--threads", default=1, show_default=True, metavar="N", help="Threads of one inference."),
)
_GATE = (
    click.option(
        "--margin",
        default=DEFAULT_MARGIN,
        show_default=True,
        metavar="DROP",
        help="Largest top-1 drop that passes.",
    ),
    click.option(
        "--agreement",
        type=float,
        metavar="SHARE",
        help="Also fail below this share of images with the full model's answer, such as 0.97.",
    ),
    click.option(
        "--worst-class",
        type=float,
        metavar="DROP",
        help="Also fail when a class lost more than this. A class of few images is noisy: it fails only "
        "where its own paired 95 % bound excludes a smaller drop.",
    ),
    click.option(
        "--inconclusive",
        type=click.Choice(["error", "pass", "fail"]),
        default="error",
        show_default=True,
        help="What an inconclusive verdict means: exit 3, 0 or 1.",
    ),
    click.option(
        "--missing-classes",
        type=click.Choice(["error", "allow"]),
        default="error",
        show_default=True,
        help="What a class without images means.",
    ),
    click.option(
        "--weak-reference",
        type=click.Choice(["error", "allow"]),
        default="error",
        show_default=True,
        help="What a full model that is no better than guessing on the images means.",
    ),
    click.option(
        "--quick",
        is_flag=True,
        help="Only judge: leave attribution, engines and layers out of --report and --json, and do not try "
        "which resize suits.",
    ),
)
_BASELINE = (
    click.option(
        "--baseline",
        metavar="FILE",
        help="Also compare with what was accepted last, image by image; fail when it got worse.",
    ),
    click.option("--accept", is_flag=True, help="Write the result to --baseline, if the gate lets it pass."),
    click.option(
        "--growth",
        type=float,
        metavar="SHARE",
        help="Also fail when a file grew more than this since the baseline, such as 0.1.",
    ),
)
_OUTPUT = (
    click.option("--report", metavar="FILE", help="Write the report as one HTML page."),
    click.option(
        "--json", "json_file", is_flag=False, flag_value="-", metavar="[FILE]",
        help="Write the result as JSON to FILE; without FILE, or with -, to stdout.",
    ),
    click.option("--junit", metavar="FILE", help="Write the result as JUnit XML."),
    click.option(
        "--github",
        is_flag=True,
        help="Print annotations of GitHub Actions, and write the step's summary and outputs.",
    ),
)  # fmt: skip


def check_options(command: Command) -> Command:
    """Gives a command all options of ``check``; it is called with what :meth:`Asked.of` takes.

    Args:
        command: The function to decorate.
    """
    for option in reversed(_WHAT + _GATE + _BASELINE + _OUTPUT):
        command = option(command)
    return command
