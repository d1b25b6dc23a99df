"""``snapship data``: what is done to a data set before training; ``data cache``: parse, call, print."""

from __future__ import annotations

import json
from typing import Any

import click

from edge_runtime.common.terminal import GroupedCommand, printable
from edge_runtime.dataset import open_dataset
from trainer.config.train_config import TrainConfig
from trainer.core.cache import ensure_downloaded
from trainer.core.cache_making import prepare_cache
from trainer.data_checks.cli import check
from trainer.progress.console import ConsoleProgress


@click.group()
def data() -> None:
    """Check a data set, or decode it, before training.

    \b
    Example:
      snapship data check photos/
      snapship data cache photos/ --size 160 --workers 8
    """


data.add_command(check)


@data.command(
    cls=GroupedCommand,
    context_settings={"show_default": True},
    groups={"Input": "--model --weights --size --channels --fit", "Where": "--workers", "Output": "--json"},
)
@click.argument("data")
@click.option("--model", default="mobilenet_v2", help="Architecture that will be trained.")
@click.option("--weights", default="imagenet", help="As for train; only feature_extractor needs them here.")
@click.option(
    "--size", type=int, help="Side of the model input in pixels. Default: depends on data and model."
)
@click.option("--channels", type=int, help="3 for colour, 1 for gray. Default: depends on data and model.")
@click.option(
    "--fit", default="stretch",
    help="stretch: resize both sides; crop: resize the short side, then crop the centre.",
)  # fmt: skip
@click.option("--workers", type=int, metavar="N", help="Worker processes. Default: one per core.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document to stdout and nothing else.")
def cache(data: str, workers: int | None, as_json: bool, **options: Any) -> None:
    """Decode DATA for training with many processes, once.

    snapship train with the same data, --model, --size, --channels and --fit then finds the pixels
    and decodes nothing. The same command goes on where it was ended, and does nothing if all is there.

    \b
    Example:
      snapship data cache photos/ --workers 8
      snapship data cache photos.zip --model small_cnn --size 96 --json
    """
    # Only what decides about the pixels; nothing is written to a run folder.
    config = TrainConfig(data=data, out="", **options)
    with ConsoleProgress() as progress:
        ensure_downloaded(data, progress)
        images = open_dataset(data)
        spec = config.input_spec(images.native_size, images.gray)
        done = prepare_cache(images, spec, workers=workers, progress=progress)
    array, skipped = done.pixels.array, done.pixels.images.skipped
    if as_json:
        facts = {
            "file": str(done.file), "images": len(array), "input": list(spec.shape), "bytes": array.nbytes,
            "decoded": done.decoded, "resumed": done.resumed, "ended": done.ended, "skipped": skipped,
        }  # fmt: skip
        click.echo(json.dumps(facts, indent=2))
        return
    for line in skipped:
        click.echo(f"skipped {printable(line)}", err=True)
    how = f"{done.decoded:,} decoded now" if done.decoded or done.resumed else "all were there"
    click.echo(
        f"{len(array):,} images of {spec.width}x{spec.height}, {array.nbytes / 1e6:,.0f} MB: {how}\n"
        f"cache   {printable(str(done.file))}"
    )
