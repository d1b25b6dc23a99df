"""The device's commands: ``predict``, ``selftest`` and ``info``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from edge_runtime.bundle import Bundle
from edge_runtime.classifier import Classifier
from edge_runtime.cli_output import print_answers, print_info, print_selftest, selftest_record
from edge_runtime.engines import ENGINES
from edge_runtime.errors import EnvironmentMissingError, GateFailedError
from edge_runtime.golden import read_golden, verify_files
from edge_runtime.golden import selftest as replay_golden
from edge_runtime.listing import STDIN, image_files
from edge_runtime.manifest import encode_json
from edge_runtime.native_output import quiet
from edge_runtime.preprocess import ImageSource

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _engine_options(command: _Command) -> _Command:
    """The options that choose an interpreter."""
    engine = click.option(
        "--engine",
        type=click.Choice(["auto", *ENGINES]),
        default="auto",
        show_default=True,
        help="Interpreter; auto takes the installed one that reads the file.",
    )
    threads = click.option(
        "--threads",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Threads of one inference; more than one hurts on a busy machine.",
    )
    return engine(threads(command))


@click.command()
@click.argument("bundle")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--artifact",
    metavar="KIND",
    help="Artifact to use, such as tflite-int8; by default the best that passed its check and runs here.",
)
@_engine_options
@click.option(
    "--workers", type=click.IntRange(1), default=1, show_default=True, help="Images classified at a time."
)
@click.option(
    "--top-k", type=click.IntRange(1), default=5, show_default=True, help="Classes to name for each image."
)
@click.option("--allow-failed", is_flag=True, help="Also use an artifact that failed its check.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line for each image.")
def predict(
    bundle: str,
    images: tuple[str, ...],
    artifact: str | None,
    engine: str,
    threads: int,
    workers: int,
    top_k: int,
    allow_failed: bool,
    as_json: bool,
) -> int:
    """Name what images show.

    IMAGE is a file, a folder (searched with its sub-folders), or - for one image from
    standard input. An image that cannot be used is reported, the others go on, and the
    exit code is 2.

    \b
    Examples:
      snapship predict flowers.bundle photo.jpg
      snapship predict flowers.bundle photos/ --workers 2 --json > answers.jsonl
    """
    names = image_files(images)
    with quiet():
        classifier = Classifier.open(bundle, artifact, engine, threads, allow_failed=allow_failed)
    with classifier:
        answers = classifier.classify_many(map(_source, names), top_k, workers)
        bad = print_answers(names, answers, classifier, as_json=as_json)
    return 2 if bad else 0


@click.command()
@click.argument("bundle")
@click.option(
    "--artifact", "artifacts", metavar="KIND", multiple=True, help="Artifact to replay; repeatable."
)
@_engine_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def selftest(bundle: str, artifacts: tuple[str, ...], engine: str, threads: int, as_json: bool) -> None:
    """Replay a bundle's golden examples on this machine.

    Compares the stages of every example with what was recorded at export: the file, the
    decoded image, the model's pixels, the scores. Exit code 1 when one differs, 4 when
    no installed engine runs any artifact.

    \b
    Example:
      snapship selftest flowers.bundle
    """
    with quiet():
        outcome = replay_golden(Bundle.open(bundle), artifacts=artifacts, engine=engine, threads=threads)
    if as_json:
        click.echo(json.dumps(selftest_record(outcome), indent=2))
    else:
        print_selftest(outcome)
    # Who names an artifact wants it replayed: nothing is skipped in silence then.
    if not outcome.replays or (artifacts and outcome.skipped):
        engines = ", ".join(ENGINES) if engine == "auto" else engine
        raise EnvironmentMissingError(
            f"A self-test needs an installed engine that reads the artifact. Received: engine {engines} for "
            f"{', '.join(outcome.skipped) or 'no golden example'}. Run: snapship doctor"
        )
    different = [replay for replay in outcome.replays if replay.failed is not None]
    if different:
        first = different[0]
        raise GateFailedError(
            f"Every golden example must be as at export. Received: {len(different)} of "
            f"{len(outcome.replays)} differ, first {first.file} on {first.artifact} at stage "
            f"{first.failed}. Copy the bundle again, or use the library versions of its export."
        )


@click.command()
@click.argument("bundle")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest.")
def info(bundle: str, as_json: bool) -> None:
    """Show what a bundle holds and verify its files.

    \b
    Example:
      snapship info flowers.bundle
    """
    opened = Bundle.open(bundle)
    manifest = opened.manifest
    if as_json:
        verify_files(opened)
        click.echo(encode_json(manifest), nl=False)
        return
    print_info(manifest, examples=len(read_golden(opened).examples) if manifest.golden is not None else 0)
    click.echo(f"\nVerified: {verify_files(opened)} files match their sha256.")


def _source(name: str) -> ImageSource:
    return sys.stdin.buffer if name == STDIN else name
