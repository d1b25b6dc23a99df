"""The options of ``snapship check``, and which of them exclude each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import click

from edge_runtime.common.errors import UsageError
from exporter.config.check_config import CheckConfig
from exporter.source.input_range import RANGES
from exporter.statistics.gate import DEFAULT_MARGIN
from exporter.unlabelled.photos import is_unlabelled, not_unlabelled

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class CheckCommand:
    """A parsed command line of ``snapship check``; each field but the first is the option of that name.

    Attributes:
        config: What to check, and the requirements.
    """

    config: CheckConfig
    baseline: str | None
    accept: bool
    growth: float | None
    report: str | None
    json_file: str | None
    junit: str | None
    github: bool
    ask: str | None
    answers: str | None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> CheckCommand:
        """Separates the configuration from the options of the command.

        Args:
            given: All options, by name.

        Raises:
            UsageError: A value is out of its range, or options exclude or require each other.
        """
        names = {field.name for field in fields(CheckConfig)}
        config = CheckConfig(**{name: value for name, value in given.items() if name in names})
        return cls(config, **{name: value for name, value in given.items() if name not in names})

    def __post_init__(self) -> None:
        """Rejects invalid combinations before anything is loaded.

        Raises:
            UsageError: Options exclude or require each other.
        """
        for option, given in (("--accept", self.accept), ("--growth", self.growth is not None)):
            if given and self.baseline is None:
                raise UsageError(f"{option} needs a baseline. Received: no baseline. Pass --baseline FILE.")
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
    def unlabelled(self) -> bool:
        """Whether to judge on photos without labels.

        Raises:
            UsageError: An option is about such photos and the data has labels, or the other way round.
        """
        data = self.config.data
        if data is None or not is_unlabelled(data):
            if self.ask is not None or self.answers is not None:
                raise not_unlabelled(data)
            return False
        for option, given in (("--baseline", self.baseline), ("--report", self.report)):
            if given:
                raise UsageError(
                    f"{option} needs labelled images. Received: photos without labels in {data}. "
                    "Leave it out, or pass images in class folders."
                )
        return True

    @property
    def diagnostics(self) -> bool:
        """Whether to run the slow diagnostics: only the HTML page and the JSON file contain them."""
        return not self.config.quick and (self.report is not None or self.json_file is not None)


_WHAT = (
    click.argument("bundle", metavar="[BUNDLE]", required=False),
    click.option(
        "--data",
        metavar="DATA",
        help="Images to judge on: labelled, or a folder of photos without labels.  [default: the run's own]",
    ),
    click.option(
        "--split",
        type=click.Choice(["val", "train", "all"]),
        default="val",
        show_default=True,
        help="Which split of the images to judge on.",
    ),
    click.option("--reference", metavar="FILE", help="The full model.  [default: the one that was exported]"),
    click.option("--candidate", metavar="FILE", help="Any model file to check instead of a bundle."),
    click.option(
        "--labels",
        metavar="FILE",
        help="Class names for --candidate, one per line.  [default: the files' own, or those of --data in the order "
        "that fits its images]",
    ),
    click.option(
        "--fit",
        type=click.Choice(["stretch", "crop"]),
        help="How images are fitted to the input of --candidate.  [default: stretch]",
    ),
    click.option(
        "--resize",
        type=click.Choice(["antialiased", "plain"]),
        help="How images are resized for --candidate; plain matches tf.image.resize and the loaders of Keras.  "
        "[default: antialiased]",
    ),
    click.option(
        "--input-range",
        type=click.Choice(RANGES),
        metavar="RANGE",
        help=f"Pixel range that --candidate and --reference expect: {', '.join(RANGES)}.  [default: 0..255]",
    ),
    click.option(
        "--reference-range",
        type=click.Choice(RANGES),
        metavar="RANGE",
        help="Pixel range of --reference, if it differs.",
    ),
    click.option("--threads", default=1, show_default=True, metavar="N", help="Threads per inference."),
)
_GATE = (
    click.option(
        "--margin",
        default=DEFAULT_MARGIN,
        show_default=True,
        metavar="DROP",
        help="Largest top-1 drop that passes, e.g. 0.02 for 2 points.",
    ),
    click.option(
        "--agreement",
        type=float,
        metavar="SHARE",
        help="Also fail if fewer images than this share get the full model's answer, e.g. 0.97.",
    ),
    click.option(
        "--worst-class",
        type=float,
        metavar="DROP",
        help="Also fail if a class lost more than this. To allow for noise, a class fails only if its own paired "
        "95 % bound excludes a smaller drop.",
    ),
    click.option(
        "--inconclusive",
        type=click.Choice(["error", "pass", "fail"]),
        default="error",
        show_default=True,
        help="How to treat an inconclusive verdict: exit 3, 0 or 1.",
    ),
    click.option(
        "--missing-classes",
        type=click.Choice(["error", "allow"]),
        default="error",
        show_default=True,
        help="How to treat a class without images.",
    ),
    click.option(
        "--weak-reference",
        type=click.Choice(["error", "allow"]),
        default="error",
        show_default=True,
        help="How to treat a full model that is no better than guessing on the images.",
    ),
    click.option(
        "--quick",
        is_flag=True,
        help="Only judge: skip attribution, engines and layers in --report and --json, and do not test which "
        "resize fits.",
    ),
)
_LABELS = (
    click.option(
        "--ask",
        metavar="FOLDER",
        help="Write a page with the photos on which models differ, for a person to answer; for photos without labels.",
    ),
    click.option("--answers", metavar="FILE", help="The answers.csv that the page of --ask has written."),
)
_SEQUENTIAL = (
    click.option(
        "--sequential",
        is_flag=True,
        help="Take the images one by one in a random order, and stop as soon as a bound that holds at every look "
        "decides. --agreement, --worst-class, --baseline and --report ask for all images.",
    ),
    click.option(
        "--seed", type=int, metavar="N", help="Seed of the order of --sequential, 0 or more.  [default: 0]"
    ),
)
_WORKERS = (
    click.option(
        "--workers",
        type=int,
        metavar="N",
        help="Score the images in N worker processes, or on N cores of --ray.  [default: this process, or all cores "
        "of --ray]",
    ),
    click.option(
        "--ray",
        metavar="ADDRESS",
        help="Score the images on this Ray cluster: auto, HOST:PORT, or ray://HOST:PORT.",
    ),
)
_BASELINE = (
    click.option(
        "--baseline",
        metavar="FILE",
        help="Also compare, image by image, with the last accepted result; fail if an artifact got worse.",
    ),
    click.option("--accept", is_flag=True, help="Write the result to --baseline if it passes the gate."),
    click.option(
        "--growth",
        type=float,
        metavar="SHARE",
        help="Also fail if a file grew by more than this share since the baseline, e.g. 0.1.",
    ),
)
_OUTPUT = (
    click.option("--report", metavar="FILE", help="Write the report as a single HTML page."),
    click.option(
        "--json", "json_file", is_flag=False, flag_value="-", metavar="[FILE]",
        help="Write the result as JSON to FILE; without FILE, or with -, to stdout.",
    ),
    click.option("--junit", metavar="FILE", help="Write the result as JUnit XML."),
    click.option(
        "--github",
        is_flag=True,
        help="Print GitHub Actions annotations, and write the step summary and outputs.",
    ),
)  # fmt: skip


def check_options(command: Command) -> Command:
    """Adds all options of ``check`` to a command, which is called with the arguments of :meth:`CheckCommand.of`.

    Args:
        command: The function to decorate.
    """
    for option in reversed(_WHAT + _LABELS + _GATE + _SEQUENTIAL + _WORKERS + _BASELINE + _OUTPUT):
        command = option(command)
    return command
