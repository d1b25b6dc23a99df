"""The command ``predict``: files, a watched folder, or a camera."""

from __future__ import annotations

import os
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from edge_runtime.classifier import MAX_WORKERS, Classifier
from edge_runtime.cli.options import (
    FilledPath,
    allow_failed_option,
    artifact_option,
    engine_options,
    limit_options,
    result_options,
)
from edge_runtime.common.atomic_file import check_file
from edge_runtime.common.errors import UsageError
from edge_runtime.common.native_output import quiet
from edge_runtime.common.terminal import GroupedCommand
from edge_runtime.common.text import printable
from edge_runtime.image.preprocess import ImageSource
from edge_runtime.image_inputs import STDIN, image_files
from edge_runtime.output.writer import FORMATS, OutputFormat, open_writer, write_results

if TYPE_CHECKING:
    from edge_runtime.options import ResultOptions

_SETTLE_S = 1.0
"""Longer than a network copy stalls, shorter than people like to wait."""


@click.command(
    cls=GroupedCommand,
    groups={
        "Inference": "--artifact --allow-failed --engine --threads --workers",
        "Results": "--top-k --score-threshold --allow --deny --temperature",
        "Output": "--format --json --out",
        "Live images": "--watch --settle --camera --frames",
        "Limits": "--max-bytes --max-pixels",
    },
)
@click.argument("bundle", type=FilledPath())
@click.argument("images", nargs=-1, metavar="[IMAGE]...")
@artifact_option
@engine_options
@click.option(
    "--workers",
    type=click.IntRange(1, MAX_WORKERS),
    default=1,
    show_default=True,
    help="Images to classify in parallel; no more than this machine has cores.",
)
@result_options
@limit_options
@allow_failed_option
@click.option(
    "--format",
    "wanted",
    type=click.Choice(FORMATS),
    help="Output format: a readable table (the default), one JSON object per line, CSV, or Parquet.",
)
@click.option("--json", "as_json", is_flag=True, help="Short for --format jsonl.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to this file, when all images are done.",
)
@click.option(
    "--watch",
    type=FilledPath(path_type=Path),
    metavar="DIR",
    help="Then classify images as they arrive in this folder, until Ctrl-C or SIGTERM.",
)
@click.option(
    "--settle",
    type=click.FloatRange(0.0),
    default=_SETTLE_S,
    show_default=True,
    metavar="SECONDS",
    help="With --watch: how long a file must be unchanged before it is read.",
)
@click.option(
    "--camera",
    is_flag=False,
    flag_value="0",
    metavar="[INDEX]",
    help="Classify frames of a camera (default: 0) or a video file; must be the last option.",
)
@click.option("--frames", type=click.IntRange(1), metavar="N", help="With --camera: stop after N frames.")
def predict(
    bundle: str,
    images: tuple[str, ...],
    artifact: str | None,
    engine: str,
    threads: int,
    workers: int,
    top_k: int,
    score_threshold: float | None,
    allow: tuple[str, ...],
    deny: tuple[str, ...],
    temperature: str | None,
    max_bytes: int,
    max_pixels: int,
    allow_failed: bool,
    wanted: str | None,
    as_json: bool,
    out: Path | None,
    watch: Path | None,
    settle: float,
    camera: str | None,
    frames: int | None,
) -> int:
    """Classify images.

    IMAGE is a file, a folder (searched recursively), a quoted pattern like
    'photos/**/*.jpg', or - to read one image from standard input. Unusable images are
    reported and skipped, and the exit code is then 2.

    --watch prints a line as soon as an image arrives; the exit code is 130 after Ctrl-C
    and 0 after SIGTERM. --camera prints one line per second, or one per frame with --json
    or --format csv.

    CSV and Parquet have the columns file, error, label, score, then label_1, score_1 and
    so on up to --top-k. Where the artifact has rules, known, answered and candidates follow
    score; an image that is not answered is no error. In CSV, text that a spreadsheet would run as a formula is prefixed
    with an apostrophe, a file name with ./.

    \b
    Examples:
      snapship predict flowers.bundle photo.jpg
      snapship predict flowers.bundle photos/ --workers 2 --json > answers.jsonl
      snapship predict flowers.bundle 'photos/**/*.jpg' --format csv --out answers.csv
      snapship predict flowers.bundle photo.jpg --score-threshold 0.5 --deny weed
      snapship predict flowers.bundle --watch incoming/ --json
      snapship predict flowers.bundle --frames 100 --camera
    """
    format = _format(wanted, as_json)
    _check_sources(images, watch, camera, frames)
    endless = watch is not None or (camera is not None and camera.isdecimal() and frames is None)
    _check_out(format, out, endless=endless)
    if out is not None:
        check_file(out, "--out")
    options = _options(score_threshold, allow, deny, temperature)
    names = image_files(images)
    watcher = None
    if watch is not None:
        from edge_runtime.cli.streaming import FolderWatcher

        # Before the given images are read, so that whatever arrives meanwhile counts as new.
        watcher = FolderWatcher(watch, settle)
    with quiet():
        classifier = Classifier.open(
            bundle, artifact, engine, threads,
            allow_failed=allow_failed, max_bytes=max_bytes, max_pixels=max_pixels,
        )  # fmt: skip
    with classifier:
        if options is not None:
            # Report an unknown label before waiting for the first image.
            options.bound_to(classifier.labels, classifier.artifact.temperature)
        if watcher is not None or camera is not None:
            # Here, to keep the start-up of a single prediction fast.
            from edge_runtime.cli.streaming import ClassifyJob, classify_arrivals, classify_frames

            job = ClassifyJob(classifier, top_k, workers, options, format, out)
            _tell_version(bundle)
            if camera is not None:
                classify_frames(camera, frames, job)
            if watcher is not None:
                classify_arrivals(watcher, names, job)
            return 0
        answers = classifier.classify_many(map(_source, names), top_k, workers, options)
        with closing(answers), open_writer(format, out, classifier, top_k, names) as writer:
            bad = write_results(names, answers, writer, to_stdout=out is None)
    if out is not None:
        click.echo(f"Wrote {out}: {len(names):,} images, {bad:,} of them unusable.", err=True)
    return 2 if bad else 0


def _tell_version(bundle: str) -> None:
    """Notes that a later ``snapship pull`` does not affect this process."""
    from edge_runtime.updates.version_folder import is_version

    place = os.path.realpath(bundle)
    if is_version(place):
        click.echo(f"Using {printable(place)} until exit; restart after a pull.", err=True)


def _format(wanted: str | None, as_json: bool) -> OutputFormat:
    if as_json and wanted not in (None, "jsonl"):
        raise UsageError(
            f"Only one format can be chosen. Received: --json and --format {wanted}. Pass one of them."
        )
    return "jsonl" if as_json else cast(OutputFormat, wanted or "table")


def _check_sources(
    images: tuple[str, ...], watch: Path | None, camera: str | None, frames: int | None
) -> None:
    if not images and watch is None and camera is None:
        raise UsageError(
            "predict needs images. Received: none. "
            "Pass files, folders, a quoted pattern, -, --watch DIR or --camera."
        )
    if STDIN in images and sys.stdin is None:
        raise UsageError(
            "- reads standard input, which must be open. Received: a closed one. Pipe an image in, or pass its path."
        )
    if camera is not None and (images or watch is not None):
        raise UsageError("--camera excludes images and --watch. Received: both. Run two commands.")
    if frames is not None and camera is None:
        raise UsageError("--frames needs --camera. Received: --frames alone. Add --camera.")
    if watch is not None and STDIN in images:
        raise UsageError(
            "--watch excludes standard input. Received: --watch and -. Save the image to a file."
        )


def _check_out(format: OutputFormat, out: Path | None, *, endless: bool) -> None:
    if endless and (out is not None or format == "parquet"):
        raise UsageError(
            "A file is written when all images are done. Received: --out or Parquet with endless input. "
            "Redirect stdout with --json or --format csv, or pass --frames to a camera."
        )


def _options(
    score_threshold: float | None, allow: tuple[str, ...], deny: tuple[str, ...], temperature: str | None
) -> ResultOptions | None:
    """None when no option was given: the scores stay as the model gives them."""
    if score_threshold is None and temperature is None and not allow and not deny:
        return None
    from edge_runtime.options import ResultOptions

    parsed: Any = temperature
    if temperature is not None:
        # ResultOptions rejects any text but "artifact".
        with suppress(ValueError):
            parsed = float(temperature)
    return ResultOptions(
        score_threshold=score_threshold, category_allowlist=allow, category_denylist=deny, temperature=parsed
    )


def _source(name: str) -> ImageSource:
    return sys.stdin.buffer if name == STDIN else name
