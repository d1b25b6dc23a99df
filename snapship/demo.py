"""``snapship demo``: train, export, check and predict on real images, without a download."""

from __future__ import annotations

import json
import shutil
import time
from functools import partial
from pathlib import Path

import click

from edge_runtime.common.errors import UsageError
from edge_runtime.common.temporary import temporary_files_together

DATA = "digits"
"""1,797 handwritten digits of 8x8 pixels, included in scikit-learn."""

_EPOCHS = 12
"""Enough for 99 % of the digits; the default takes half as long again for one more in two hundred."""

_SHOWN = 3


@click.command()
@click.option("--out", default="snapship-demo", show_default=True, metavar="DIR", help="Where to write.")
@click.option("--json", "as_json", is_flag=True, help="Print the check and the predictions as JSON.")
@temporary_files_together()
def demo(out: str, as_json: bool) -> None:
    """Train, export, check and predict on handwritten digits; no download needed.

    Takes about a minute and leaves a run folder, a bundle and three images. A second run
    replaces them.

    \b
    Example:
      snapship demo
      snapship demo --out elsewhere --json
    """
    from edge_runtime import Classifier
    from edge_runtime.common.native_output import quiet
    from edge_runtime.common.terminal import StepProgress
    from exporter import ExportConfig, export
    from exporter.judge.saved_report import saved_report
    from exporter.report.terminal_tables import print_report
    from trainer import TrainConfig, train
    from trainer.progress.console import ConsoleProgress

    say = partial(click.echo, err=as_json)
    folder = Path(out)
    _claim(folder)
    say(f"Needs about a minute on two idle cores, 1 GB of memory and 5 MB in {folder}; no download.")
    started = time.perf_counter()
    say(f"1. Training a small CNN on {DATA} ...")
    with ConsoleProgress(quiet=as_json) as progress:
        run = train(
            TrainConfig(data=DATA, model="small_cnn", epochs=_EPOCHS, out=folder / DATA, overwrite=True),
            progress=progress,
        )
    top1 = run.record.metrics.val_top1
    say(f"   top-1 {100 * top1:.2f} % on {run.record.metrics.val_images} held-out digits")
    say("2. Exporting to TFLite and ONNX, and checking each against the full model ...")
    with StepProgress() as steps:
        bundle = export(
            ExportConfig(source=folder / DATA, out=folder / f"{DATA}.bundle", overwrite=True), steps
        )
    report = saved_report(bundle)
    assert report is not None
    if not as_json:
        print_report(report)
    say("3. Classifying three held-out images on the device runtime ...")
    images = _write_images(folder / "images")
    with quiet():
        classifier = Classifier.open(bundle.location)
    with classifier:
        answers = [(path, label, classifier.classify(path, top_k=2)) for path, label in images]
        used = f"{classifier.artifact.kind} on {classifier.engine}"
    seconds = time.perf_counter() - started
    if as_json:
        predictions = [
            {"image": str(path), "true": label, **answer.to_dict()} for path, label, answer in answers
        ]
        record = {"check": report.to_dict(), "val_top1": top1, "predictions": predictions, "seconds": seconds}
        click.echo(json.dumps(record, indent=2))
    else:
        for path, label, answer in answers:
            click.echo(f"   {path}: {answer.top.label} ({100 * answer.top.score:.1f} %), true {label}")
        _where(folder, used, seconds)
    report.raise_for_verdict(inconclusive="pass")


def _claim(folder: Path) -> None:
    """Rejects a folder with other content."""
    from edge_runtime.common.temporary import remove_abandoned

    ours = {DATA, f"{DATA}.bundle", "images"}
    what = "which is a file" if folder.exists() else ""
    if folder.is_dir():
        remove_abandoned(folder)
        foreign = sorted(path.name for path in folder.iterdir() if path.name not in ours)
        what = f"which contains {foreign[0]}" if foreign else ""
    if what:
        raise UsageError(
            f"The demo needs its own folder. Received: --out {folder}, {what}. Pass another --out."
        )


def _write_images(folder: Path) -> list[tuple[Path, str]]:
    """Stores the first held-out image of three classes as PNG files, with their true labels."""
    import numpy as np
    from PIL import Image

    from edge_runtime.dataset import open_dataset

    held_out = open_dataset(DATA).only("val")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stored: list[tuple[Path, str]] = []
    for index in range(_SHOWN):
        item = next(item for item in held_out.items if item.label == 3 * index + 1)
        label = held_out.labels[item.label]
        path = folder / f"digit_{label}.png"
        Image.fromarray(np.asarray(held_out.read(item)).squeeze()).save(path)
        stored.append((path, label))
    return stored


def _where(folder: Path, used: str, seconds: float) -> None:
    bundle = folder / f"{DATA}.bundle"
    click.echo(f"   (with {used})\n")
    click.echo(f"Done in {seconds:.0f} s. Results in {folder}:")
    click.echo(f"  run      {folder / DATA}  (open {folder / DATA / 'report.html'})")
    click.echo(f"  bundle   {bundle}  (open {bundle / 'report.html'})")
    click.echo(f"  images   {folder / 'images'}")
    click.echo("Next:")
    click.echo(f"  snapship predict {bundle} {folder / 'images'}")
    click.echo(f"  snapship selftest {bundle}")
    click.echo(f"  snapship serve {bundle}")
