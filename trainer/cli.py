"""``snapship train``, ``snapship models`` and ``snapship evaluate``: parse, call, print."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from edge_runtime.terminal import Column, print_table, printable
from trainer import models as zoo
from trainer.config import TrainConfig
from trainer.console import ConsoleProgress
from trainer.evaluation import Evaluation
from trainer.evaluation import evaluate as run_evaluation
from trainer.run import REPORT_FILE
from trainer.training import train as run_training

_JSON_HELP = "Print one JSON document on stdout and nothing else there."


@click.command()
@click.argument("data")
@click.option("--model", default="mobilenet_v2", show_default=True, help="Architecture; see: snapship models")
@click.option("--out", required=True, help="Run folder to make.")
@click.option("--size", type=int, help="Side of the input in pixels. Default: what suits data and model.")
@click.option("--channels", type=int, help="3 for colour, 1 for gray. Default: what suits data and model.")
@click.option(
    "--fit",
    default="stretch",
    show_default=True,
    help="stretch: resize both sides; crop: resize the short side and cut the centre.",
)
@click.option(
    "--weights",
    default="imagenet",
    show_default=True,
    help="imagenet (downloaded once), none, or the path of a Keras .h5 weights file.",
)
@click.option("--width", type=float, default=1.0, show_default=True, help="Width multiplier of the layers.")
@click.option("--epochs", type=int, help="Most epochs of plain training, or of a pretrained model's head.")
@click.option(
    "--fine-tune-epochs", type=int, help="Most epochs for all layers of a pretrained model; 0 for none."
)
@click.option("--batch-size", type=int, default=32, show_default=True, help="Images per step.")
@click.option("--learning-rate", type=float, help="Highest rate of plain training or fine-tuning.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of everything random.")
@click.option("--patience", type=int, help="Epochs without a better val result before a phase ends.")
@click.option("--no-augment", is_flag=True, help="Train on the images as they are.")
@click.option("--overwrite", is_flag=True, help="Replace the run folder if there is one.")
@click.option("--json", "as_json", is_flag=True, help=_JSON_HELP)
def train(as_json: bool, no_augment: bool, **options: Any) -> None:
    """Train a classifier on DATA and write a run folder.

    DATA is a folder with train/ and val/ of class folders, one folder of class folders,
    a .zip of either, a .csv of path,label, a folder of IDX files, or one of digits,
    mnist, fashion_mnist, cifar10.

    \b
    Example:
      snapship train digits --model small_cnn --out runs/digits
      snapship train photos/ --size 160 --out runs/photos
    """
    config = TrainConfig(augment=not no_augment, **options)
    with ConsoleProgress() as progress:
        run = run_training(config, progress)
    if as_json:
        _print_json({"run": str(run.path), "report": str(run.path / REPORT_FILE), "model": run.record.model,
                     "labels": run.record.labels, "metrics": _plain(run.record.metrics)})  # fmt: skip
        return
    metrics = run.record.metrics
    click.echo(f"val top-1 {metrics.val_top1:.1%} on {metrics.val_images} images after {metrics.epochs} epochs, "
               f"{metrics.seconds:.0f} s")  # fmt: skip
    click.echo(f"run     {run.path}")
    click.echo(f"report  {run.path / REPORT_FILE}")
    click.echo(f"next    snapship export {run.path} --out {run.path.name}.bundle")


@click.command()
@click.option("--json", "as_json", is_flag=True, help=_JSON_HELP)
def models(as_json: bool) -> None:
    """List the architectures that train can build.

    \b
    Example:
      snapship models
      snapship models --json
    """
    entries = [zoo.info(name) for name in zoo.names()]
    if as_json:
        _print_json([{**asdict(entry), "file_mb": entry.file_mb} for entry in entries])
        return
    columns = [
        Column("model"), Column("parameters", True), Column("fp32 MB", True), Column("at"), Column("input", True),
        Column("ImageNet", True), Column("widths"), Column("what it is"),
    ]  # fmt: skip
    rows = [
        [entry.name, f"{entry.parameters:,}", f"{entry.file_mb}", entry.reference, str(entry.default_size),
         f"{entry.imagenet_top1:.1%}" if entry.imagenet_top1 else "-",
         " ".join(str(width) for width in entry.widths) or "-", entry.summary]
        for entry in entries
    ]  # fmt: skip
    print_table(columns, rows)


@click.command()
@click.argument("source", metavar="RUN_OR_BUNDLE")
@click.argument("data")
@click.option("--split", default="val", show_default=True, help="val or all.")
@click.option("--json", "as_json", is_flag=True, help=_JSON_HELP)
def evaluate(source: str, data: str, split: str, as_json: bool) -> None:
    """Measure a run folder or a bundle on labelled images.

    A run is measured through Keras, a bundle through the device runtime. Classes are
    matched by name.

    \b
    Example:
      snapship evaluate runs/digits digits
      snapship evaluate photos.bundle photos/ --split all --json
    """
    with ConsoleProgress() as progress:
        result = run_evaluation(source, data, split, progress=progress)  # type: ignore[arg-type]
    if as_json:
        _print_json(result.to_dict())
        return
    _print_evaluation(result)


def _print_evaluation(result: Evaluation) -> None:
    click.echo(
        f"top-1 {result.top1:.1%}   top-5 {result.top5:.1%}   loss {result.loss:.3f}   "
        f"calibration error {result.ece:.1%}   {result.n} images, {result.seconds:.1f} s"
    )
    if result.skipped:
        click.echo(f"{len(result.skipped)} files skipped, the first is {printable(result.skipped[0])}")
    columns = [Column("class"), Column("images", True), Column("recall", True), Column("precision", True)]
    rows = [
        [printable(entry.label), str(entry.images), _share(entry.recall), _share(entry.precision)]
        for entry in result.per_class if entry.images
    ]  # fmt: skip
    print_table(columns, rows)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _plain(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__struct_fields__}


def _print_json(document: Any) -> None:
    click.echo(json.dumps(document, indent=2))
