"""``snapship train`` and ``snapship models``: parse, call, print."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click
import msgspec

from edge_runtime.common.errors import UsageError
from edge_runtime.common.temporary import temporary_files_together
from edge_runtime.common.terminal import Column, GroupedCommand, print_table
from trainer import models as zoo
from trainer.augmentation.choices import AUGMENTATIONS
from trainer.config.train_config import TrainConfig
from trainer.models.catalog import names_of_any_size
from trainer.progress.console import ConsoleProgress
from trainer.run.run_json import REPORT_FILE
from trainer.training import train as run_training

_JSON_HELP = "Print one JSON document to stdout and nothing else."


@click.command(
    cls=GroupedCommand,
    context_settings={"show_default": True},
    groups={
        "Model": "--model --weights --width --pixel-range",
        "Input": "--size --channels --fit",
        "Optimisation": "--epochs --half-size-epochs --batch-size --learning-rate --schedule --patience "
        "--label-smoothing --class-weights --ema --precision --seed",
        "Fine-tuning": "--fine-tune-epochs --unfreeze --train-batch-norm",
        "Augmentation": "--augment --views",
        "Devices": "--distributed",
        "Output": "--out --overwrite --fresh --logs --json",
    },
)
@click.argument("data")
@click.option("--model", default="mobilenet_v2", help="Architecture; see snapship models.")
@click.option("--out", required=True, help="Run folder to create.")
@click.option(
    "--size", type=int,
    help="Side of the model input in pixels. Default: depends on data and model.",
)  # fmt: skip
@click.option("--channels", type=int, help="3 for colour, 1 for gray. Default: depends on data and model.")
@click.option(
    "--fit", default="stretch",
    help="stretch: resize both sides; crop: resize the short side, then crop the centre.",
)  # fmt: skip
@click.option(
    "--weights", default="imagenet",
    help="imagenet (downloaded once), none, or a Keras .h5 weights file; for feature_extractor, a SavedModel "
    "folder.",
)  # fmt: skip
@click.option("--width", type=float, default=1.0, help="Width multiplier of the model's layers.")
@click.option(
    "--pixel-range", metavar="RANGE",
    help="Pixel range that feature_extractor's SavedModel expects: 0..1 (default), -1..1 or 0..255.",
)  # fmt: skip
@click.option(
    "--epochs", type=int,
    help="Maximum number of epochs; with --fine-tune-epochs, for the head only.",
)  # fmt: skip
@click.option(
    "--fine-tune-epochs", type=int,
    help="Maximum epochs of fine-tuning a pretrained model, after training its head; 0 to skip.",
)  # fmt: skip
@click.option(
    "--half-size-epochs", type=int, default=0,
    help="Epochs on images of half the size before the others, in a half to a quarter of their time; for "
    f"{' and '.join(names_of_any_size())}.",
)  # fmt: skip
@click.option(
    "--unfreeze", default="all", metavar="N|all",
    help="Layers to fine-tune: the last N of the backbone, on cached activations, or all.",
)  # fmt: skip
@click.option(
    "--views", type=int, default=2,
    help="Views per image cached for training on a frozen backbone; all but the first are augmented.",
)  # fmt: skip
@click.option("--train-batch-norm", is_flag=True, help="Fine-tune batch normalisation too.")
@click.option("--batch-size", type=int, default=32, help="Images per batch, of all devices together.")
@click.option(
    "--learning-rate", metavar="RATE|auto",
    help="Peak learning rate of training from scratch or fine-tuning; auto runs a range test.",
)  # fmt: skip
@click.option(
    "--schedule", default="cosine",
    help="Learning rate schedule: cosine (with warm-up), constant or plateau.",
)  # fmt: skip
@click.option("--seed", type=int, default=0, help="Random seed.")
@click.option(
    "--patience", type=int,
    help="Epochs without a better val result after which a phase stops early.",
)  # fmt: skip
@click.option(
    "--augment", default="auto", metavar="NAMES",
    help=f"auto, none, or a comma-separated list of {', '.join(AUGMENTATIONS)}.",
)  # fmt: skip
@click.option("--label-smoothing", type=float, default=0.0, help="Label smoothing factor, 0..1.")
@click.option("--class-weights", default="none", help="none, or balanced to weight every class equally.")
@click.option(
    "--ema", type=float, default=0.0,
    help="Momentum of the weight EMA, for example 0.99; 0 disables it.",
)  # fmt: skip
@click.option(
    "--precision", default="auto",
    help="float32, mixed_bfloat16 or mixed_float16; auto is bfloat16 where the CPU or GPU multiplies it, else "
    "float32. The saved model is always float32.",
)  # fmt: skip
@click.option(
    "--distributed", metavar="WHERE",
    help="auto: all GPUs of this machine; N: as many processes here, or devices on TensorFlow; env: a rank that "
    "torchrun or srun started; ray:auto, ray:HOST:PORT or ray://HOST:PORT: a Ray cluster. Default: one device.",
)  # fmt: skip
@click.option(
    "--logs", metavar="DIR",
    help="Folder for a CSV and TensorBoard events, updated after every epoch.",
)  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace the run folder if it exists.")
@click.option("--fresh", is_flag=True, help="Start over instead of resuming an interrupted run.")
@click.option("--json", "as_json", is_flag=True, help=_JSON_HELP)
@temporary_files_together()
def train(as_json: bool, unfreeze: str, learning_rate: str | None, **options: Any) -> None:
    """Train a classifier on DATA and write a run folder.

    DATA is a folder with one sub-folder per class, or with train/ and val/ folders of
    those; a .zip of either; a .csv or .jsonl table of paths and labels (docs/tables.md);
    a folder of IDX files; or one of digits, mnist, fashion_mnist, cifar10.

    An interrupted run, even a killed one, resumes after its last epoch when you run the
    same command again.

    \b
    Example:
      snapship train digits --model small_cnn --out runs/digits
      snapship train photos/ --size 160 --out runs/photos
    """
    config = TrainConfig(
        unfreeze=_number("unfreeze", unfreeze, int, "all"),
        learning_rate=None
        if learning_rate is None
        else _number("learning_rate", learning_rate, float, "auto"),
        **options,
    )
    with ConsoleProgress() as progress:
        run = run_training(config, progress)
    if not run.written:
        # Rank 0 tells.
        return
    if as_json:
        _print_json({"run": str(run.path), "report": str(run.path / REPORT_FILE), "model": run.record.model,
                     "labels": run.record.labels, "metrics": msgspec.structs.asdict(run.record.metrics)})  # fmt: skip
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
    """List the architectures that snapship train can build.

    \b
    Example:
      snapship models
      snapship models --json
    """
    entries = [zoo.info(name) for name in zoo.names()]
    if as_json:
        _print_json([_facts(entry) for entry in entries])
        return
    columns = [
        Column("model"), Column("parameters", True), Column("fp32 MB", True), Column("counted at"),
        Column("input", True), Column("ImageNet", True), Column("preprocessing"), Column("widths"),
        Column("description"),
    ]  # fmt: skip
    rows = [
        [entry.name, "-" if entry.parameters is None else f"{entry.parameters:,}", str(entry.file_mb or "-"),
         entry.reference, str(entry.default_size),
         f"{entry.imagenet_top1:.1%}" if entry.imagenet_top1 else "-", entry.preprocessing,
         " ".join(str(width) for width in entry.widths) or "-", entry.summary]
        for entry in entries
    ]  # fmt: skip
    print_table(columns, rows)


def _number(name: str, text: str, kind: type[int] | type[float], word: str) -> Any:
    """Parses a number, or the one word that is allowed in its place."""
    if text == word:
        return text
    try:
        return kind(text)
    except ValueError as error:
        raise UsageError(
            f"{name} must be {word} or a number. Received: {name}={text}. Change the option."
        ) from error


def _facts(entry: zoo.ModelInfo) -> dict[str, Any]:
    facts = {**asdict(entry), "file_mb": entry.file_mb}
    del facts["application"]
    return facts


def _print_json(document: Any) -> None:
    click.echo(json.dumps(document, indent=2))
